"""The server's data folder: database, keys, and what the development sender leaves for the demo page.

DIR/server.db            everything that the server knows
DIR/server.mark          how far the database had come, to tell one that was put back from a backup
DIR/keys.json            the two secrets, for the owner alone; keep a copy of it apart from the database's
DIR/texts/               the retailer's own consent texts, if any (see loyalty_server.enrolment.wording)
DIR/outbox/codes.jsonl   codes that were "sent" by the console sender
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from alembic.util import CommandError

from loyalty.errors import TillmateError
from loyalty_server.changes import begin_incarnation
from loyalty_server.keys import Keys, load_keys, save_keys
from loyalty_server.storage.database import Database, sqlite_url
from loyalty_server.storage.migrate import is_current, upgrade


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

    def create(self) -> tuple[Database, Keys]:
        """Make what is missing, bring the schema up to date, and open it. Existing keys and data stay."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.codes_file.parent.mkdir(mode=0o700, exist_ok=True)
        if not self.keys_file.exists():
            save_keys(Keys.new(), self.keys_file)
        self.database_file.touch(mode=0o600)
        database = Database(sqlite_url(self.database_file))
        upgrade(database)
        with database.writing() as connection:
            begin_incarnation(connection)
        return database, self._keys()

    def open(self) -> tuple[Database, Keys]:
        """Open what `create` has made, with the schema brought up to date. Raises NotInitialised."""
        if not self.database_file.exists():
            raise NotInitialised(f"{self.path} has no server.db: run tillmate-server init")
        keys = self._keys()
        database = Database(sqlite_url(self.database_file))
        try:
            if not is_current(database):
                upgrade(database)
        except CommandError as error:
            database.close()
            raise NotInitialised(f"{self.database_file} was made by another version of this program") from error
        return database, keys

    def _keys(self) -> Keys:
        try:
            return load_keys(self.keys_file)
        except (OSError, ValueError) as error:
            raise NotInitialised(f"{self.keys_file} cannot be read: {error}") from error
