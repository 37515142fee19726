"""Where the server keeps what it knows: tables (SQLAlchemy Core), transactions and migrations (Alembic).

SQLite by default. Statements are kept to what PostgreSQL says too, so that another address is all that it takes.
"""

from loyalty_server.storage import admin_tables as admin_tables  # so that `tables.metadata` is whole
