"""The server's data folder: database, keys, and what the development sender leaves for the demo page.

DIR/server.db            everything that the server knows (SQLite) ...
DIR/database.url         ... or where it is kept instead (PostgreSQL); for the owner alone, it may hold a password
DIR/server.mark          how far the database had come, to tell one that was put back from a backup
DIR/keys.json            the two secrets, for the owner alone; keep a copy of it apart from the database's
DIR/texts/               the retailer's own consent texts, if any (see loyalty_server.enrolment.wording)
DIR/outbox/codes.jsonl   codes that were "sent" by the console sender
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from alembic.util import CommandError
from sqlalchemy import make_url, select
from sqlalchemy.exc import ArgumentError

from loyalty.errors import TillmateError
from loyalty_server.changes import begin_incarnation
from loyalty_server.keys import Keys, load_keys, save_keys
from loyalty_server.storage.database import Database, sqlite_url
from loyalty_server.storage.migrate import is_current, upgrade
from loyalty_server.storage.statements import insert_new
from loyalty_server.storage.tables import settings

_KEYS = "keys"


class NotInitialised(TillmateError):
    """The folder is not one that `tillmate-server init` has made, or is damaged."""

    code: ClassVar[str] = "not_initialised"


@dataclass(frozen=True)
class DataFolder:
    """Where one server keeps its files."""

    path: Path

    @property
    def database_file(self) -> Path:
        """SQLite."""
        return self.path / "server.db"

    @property
    def address_file(self) -> Path:
        """The address of a PostgreSQL database; absent with SQLite."""
        return self.path / "database.url"

    @property
    def address(self) -> str:
        """Where the database is, as an URL."""
        try:
            return self.address_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return sqlite_url(self.database_file)

    @property
    def keys_file(self) -> Path:
        """Secrets."""
        return self.path / "keys.json"

    @property
    def mark_file(self) -> Path:
        """How far the database had come (see loyalty_server.life)."""
        return self.path / "server.mark"

    @property
    def codes_file(self) -> Path:
        """What the console sender writes."""
        return self.path / "outbox" / "codes.jsonl"

    def create(self, address: str | None = None) -> tuple[Database, Keys]:
        """Make what is missing, bring the schema up to date, and open it. Existing keys and data stay.

        `address` = postgresql://..., for a folder that has no database yet. Raises NotInitialised.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.codes_file.parent.mkdir(mode=0o700, exist_ok=True)
        if address is not None:
            self._settle(address)
        elif not self.address_file.exists():
            self.database_file.touch(mode=0o600)
        database = self._database()
        try:
            self._upgrade(database)
            with database.writing() as connection:
                begin_incarnation(connection)
            return database, self._own_keys(database)
        except BaseException:
            database.close()
            raise

    def open(self) -> tuple[Database, Keys]:
        """Open what `create` has made, with the schema brought up to date. Raises NotInitialised."""
        if not (self.database_file.exists() or self.address_file.exists()):
            raise NotInitialised(f"{self.path} has no server.db: run tillmate-server init")
        keys = self._keys()
        database = self._database()
        try:
            self._upgrade(database)
            self._check(database, keys)
        except BaseException:
            database.close()
            raise
        return database, keys

    def _settle(self, address: str) -> None:
        shown = _shown(address)
        if self.database_file.exists():
            raise NotInitialised(f"{self.path} has a server.db: take another folder for {shown}")
        if self.address_file.exists() and self.address != address:
            raise NotInitialised(f"{self.path} belongs to another database; it stands in {self.address_file}")
        handle = os.open(self.address_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{address}\n")

    def _database(self) -> Database:
        try:
            return Database(self.address)
        except ModuleNotFoundError as error:
            raise NotInitialised("PostgreSQL needs the extra tillmate[server-postgresql]") from error

    def _upgrade(self, database: Database) -> None:
        try:
            if not is_current(database):
                upgrade(database)
        except CommandError as error:
            raise NotInitialised(f"{self.path}: its database was made by another version of this program") from error

    def _own_keys(self, database: Database) -> Keys:
        """The keys of this folder, made now if neither it nor the database has any."""
        if not self.keys_file.exists():
            with database.reading() as connection:
                if connection.execute(select(settings.c.value).where(settings.c.name == _KEYS)).first() is not None:
                    raise NotInitialised(f"the database is in use: copy keys.json of its server to {self.path} first")
            save_keys(Keys.new(), self.keys_file)
        keys = self._keys()
        self._check(database, keys)
        return keys

    def _check(self, database: Database, keys: Keys) -> None:
        """Every process of one database has the same keys: the database knows their fingerprint."""
        with database.reading() as connection:
            known = connection.execute(select(settings.c.value).where(settings.c.name == _KEYS)).scalar_one_or_none()
        if known is None:
            with database.writing() as connection:
                insert_new(connection, settings, {"name": _KEYS, "value": keys.fingerprint})
        elif known != keys.fingerprint:
            raise NotInitialised(f"{self.keys_file} does not belong to this database: copy the one of its first server")

    def _keys(self) -> Keys:
        try:
            return load_keys(self.keys_file)
        except (OSError, ValueError) as error:
            raise NotInitialised(f"{self.keys_file} cannot be read: {error}") from error


def _shown(address: str) -> str:
    """The address without its password. Raises NotInitialised for one that is not PostgreSQL's."""
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise NotInitialised("the address of a database looks like postgresql://USER@HOST/NAME") from error
    if url.drivername != "postgresql":
        raise NotInitialised(f"{url.drivername} is not known here: an address looks like postgresql://USER@HOST/NAME")
    return url.render_as_string(hide_password=True)
