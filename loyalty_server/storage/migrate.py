"""Bring a database to the schema of this program: Alembic, with the steps inside the package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select

from loyalty_server.storage.database import Database

LOCK = 0x7411_3A7E  # any number that nobody else locks in this database


def upgrade(database: Database, to: str = "head") -> None:
    """Apply the steps that are missing, up to one of them, all in one transaction."""
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":  # several processes may start at once
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def is_current(database: Database) -> bool:
    """Tell whether the schema is the one that this program works with."""
    with database.reading() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
