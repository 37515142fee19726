"""The two kinds of database under the server's tests: each makes folders with a database, copies, holds and keeps them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock
from sqlalchemy import make_url, text

from loyalty_server.folder import DataFolder
from loyalty_server.storage.database import Database, sqlite_url


class Server(Protocol):
    """A PostgreSQL server: tests/rig/postgresql.py."""

    def database(self, template: str) -> str: ...

    def drop(self, name: str) -> None: ...

    def url(self, name: str) -> str: ...


class Storage(Protocol):
    """What the tests do to a database from outside."""

    name: str

    def empty(self, folder: Path) -> str:
        """The address of a new database; `folder` exists."""
        ...

    def words(self) -> tuple[str, ...]:
        """What `tillmate-server init` is told of a new database."""
        ...

    def copy(self, model: Path, folder: Path) -> None:
        """Make the folder, and its database, as the model is, to which nobody is connected."""
        ...

    def held(self, folder: DataFolder) -> AbstractContextManager[None]:
        """Nobody can write while the block lasts."""
        ...

    def put_back(self, model: Path, folder: DataFolder) -> None:
        """Let the folder's database, to which nobody is connected, be as the model's."""
        ...

    def tidy(self) -> None:
        """Drop what a test has made."""
        ...

    def keep(self) -> None:
        """What was made so far is not one test's: it stays."""
        ...


class SqliteStorage:
    name = "sqlite"

    def empty(self, folder: Path) -> str:
        return sqlite_url(folder / "server.db")

    def words(self) -> tuple[str, ...]:
        return ()

    def copy(self, model: Path, folder: Path) -> None:
        shutil.copytree(model, folder)

    @contextmanager
    def held(self, folder: DataFolder) -> Iterator[None]:
        with FileLock(f"{folder.database_file}.lock"):
            yield

    def put_back(self, model: Path, folder: DataFolder) -> None:
        shutil.copy(DataFolder(model).database_file, folder.database_file)

    def tidy(self) -> None:
        """The folders are pytest's."""

    def keep(self) -> None:
        """The folders are pytest's."""


class PostgreSqlStorage:
    name = "postgresql"

    def __init__(self, server: Server) -> None:
        self.server = server
        self._made: list[str] = []

    def empty(self, folder: Path) -> str:
        del folder
        return self._new("template0")

    def words(self) -> tuple[str, ...]:
        return ("--database", self._new("template0"))

    def copy(self, model: Path, folder: Path) -> None:
        shutil.copytree(model, folder)
        DataFolder(folder).address_file.write_text(self._new(_name(DataFolder(model))))

    @contextmanager
    def held(self, folder: DataFolder) -> Iterator[None]:
        with closing(Database(folder.address)) as database, database.writing() as tx:
            tx.execute(text("LOCK TABLE devices, tokens IN EXCLUSIVE MODE"))
            yield

    def put_back(self, model: Path, folder: DataFolder) -> None:
        self.server.drop(_name(folder))
        folder.address_file.write_text(self._new(_name(DataFolder(model))))

    def tidy(self) -> None:
        for name in self._made:
            self.server.drop(name)
        self._made.clear()

    def keep(self) -> None:
        self._made.clear()

    def _new(self, template: str) -> str:
        self._made.append(self.server.database(template))
        return self.server.url(self._made[-1])


def _name(folder: DataFolder) -> str:
    return str(make_url(folder.address).database)
