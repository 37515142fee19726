"""Where the server keeps what it knows: tables (SQLAlchemy Core), transactions and migrations (Alembic).

SQLite by default. Statements are kept to what PostgreSQL says too, so that another address is all that it takes.
"""
