"""Run by Alembic; the connection comes from `loyalty_server.storage.migrate`, already in its transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
