"""Was this database put back from a backup? Then whoever has read on from it must begin anew.

Beside the database lies a mark of how far it had come: the number of its life, the highest change of a member, and the sum
of all rows booked. It is written while the server runs, at most once a minute, and at its end. A database that is behind
its mark at the start has lost something, so it begins another life: cursors of all earlier ones are answered with 410, and
tills fetch their members anew. Rows that are missing the tills notice by themselves, and send them again.

Lives are numbered because one that nothing was booked in can be lost as well: when the same backup is put back twice, only
the number tells, and cursors from before the first time would be good again.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy import Connection, func, select

from loyalty_server.changes import begin_life, life_of
from loyalty_server.storage.database import Database
from loyalty_server.storage.tables import epochs, members

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)


class _Mark(msgspec.Struct, frozen=True):
    change: int = 0
    rows: int = 0
    life: int = 0

    def is_behind(self, other: _Mark) -> bool:
        """Tell whether a database that had come as far as `other` has lost something if it is here now."""
        return self.life < other.life or self.change < other.change or self.rows < other.rows


class Life:
    """The mark beside one database. Not for several threads at once: `note` is cheap to skip, never to double."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._noted: datetime | None = None

    def begin(self, database: Database) -> bool:
        """Look at the mark; tell whether the database was put back and has begun another life."""
        kept = self._kept()
        with database.writing() as connection:
            now = _mark(connection)
            restored = now.is_behind(kept)
            if restored:
                begin_life(connection, max(now.life, kept.life) + 1)
                now = _mark(connection)
                log.warning("database restored change=%d rows=%d life=%d", now.change, now.rows, now.life)
        self._write(now)
        return restored

    def due(self, now: datetime) -> bool:
        """Tell whether it is time to note the mark, once."""
        due = self._noted is None or abs(now - self._noted) >= EVERY
        if due:
            self._noted = now
        return due

    def note(self, connection: Connection) -> None:
        """Write down how far the database has come, as this transaction found it."""
        self._write(_mark(connection))

    def _kept(self) -> _Mark:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Mark)
        except FileNotFoundError:
            return _Mark()
        except (OSError, msgspec.MsgspecError):
            log.warning("mark=unreadable file=%s", self._file.name)
            return _Mark()

    def _write(self, mark: _Mark) -> None:
        beside = self._file.with_name(self._file.name + ".new")
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(mark))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
        except OSError as error:
            log.warning("mark=not_written file=%s error=%s", self._file.name, error)


def _mark(connection: Connection) -> _Mark:
    change = connection.execute(select(func.coalesce(func.max(members.c.change), 0))).scalar_one()
    booked = connection.execute(select(func.coalesce(func.sum(epochs.c.last_seq), 0))).scalar_one()
    return _Mark(int(change), int(booked), life_of(connection))
