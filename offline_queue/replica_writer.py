"""The writing side of members.db; owned by the sync thread."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loyalty.wire import ChangesPage, MemberChange
from offline_queue import store
from offline_queue.errors import QueueDamaged
from offline_queue.replica import Replica, ReplicaAge, read_age
from offline_queue.schema import members

log = logging.getLogger(__name__)

_SIDE_FILES = ("-wal", "-shm", "-journal")
_LOG_PAGES = 10_000
"""40 MB: a page of the feed touches thousands of pages of the file, which need not be synced each time."""


class ReplicaWriter:
    """Applies the server's feed. Opening it sets a damaged file aside and begins an empty one."""

    def __init__(self, replica: Replica, now: Callable[[], datetime]) -> None:
        self._replica = replica
        self._now = now
        self._beside = replica.path.with_name(replica.path.name + ".new")
        self._log_holds_deleted = False
        self._serving = self._open_serving()
        self._filling = self._reopen_filling()

    @property
    def age(self) -> ReplicaAge:
        """How far the file that is being fed has come; its cursor is where the feed goes on."""
        if self._replica.suspect.is_set():
            self._set_aside()
        with store.translated(self._replica.path):
            return read_age(self._filling or self._serving)

    def apply(self, page: ChangesPage) -> None:
        """Take over a page in one transaction. A file that cannot take it is set aside and fetched again.

        Raises QueueFull, then nothing of the page is kept.
        """
        try:
            with store.translated(self._replica.path):
                _apply(self._filling or self._serving, page, _stamp(self._now()))
                self._purge(self._filling or self._serving, page)
        except QueueDamaged:
            self._set_aside()
            return
        if page.complete and self._filling:
            self._exchange()

    def reset(self) -> None:
        """Fetch everything again, into a fresh file; the present one answers until that is complete."""
        self._drop_filling()
        self._filling = _open(self._beside)

    def close(self) -> None:
        """Give the files back."""
        for connection in (self._serving, self._filling):
            if connection:
                connection.close()

    def _purge(self, connection: sqlite3.Connection, page: ChangesPage) -> None:
        """What was deleted is overwritten in the file (secure_delete); it must not stay in the log either."""
        self._log_holds_deleted |= any(change.state is None for change in page.changes)
        if self._log_holds_deleted:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._log_holds_deleted = bool(busy)  # somebody is looking up: with the next page

    def _open_serving(self) -> sqlite3.Connection:
        with self._replica.exchange:
            try:
                return _open(self._replica.path)
            except QueueDamaged as error:
                log.warning("replica_damaged file=%s error=%s", self._replica.path.name, error)
                self._move_away()
                return _open(self._replica.path)

    def _reopen_filling(self) -> sqlite3.Connection | None:
        """A refill that was cut short goes on where it stood."""
        if not self._beside.exists():
            return None
        try:
            return _open(self._beside)
        except QueueDamaged:
            _remove(self._beside)
            return None

    def _set_aside(self) -> None:
        self._drop_filling()
        with self._replica.exchange:
            self._serving.close()
            self._move_away()
            self._serving = _open(self._replica.path)
            self._replica.suspect.clear()

    def _move_away(self) -> None:
        path = self._replica.path
        for old in path.parent.glob(f"{path.name}.damaged-*"):
            old.unlink()  # one is enough to look at
        name = f"{path.name}.damaged-{self._now():%Y%m%dT%H%M%SZ}"
        path.replace(path.with_name(name))
        _remove(path)
        log.warning("replica_set_aside file=%s as=%s", path.name, name)

    def _drop_filling(self) -> None:
        if self._filling:
            self._filling.close()
            self._filling = None
        _remove(self._beside)

    def _exchange(self) -> None:
        if self._filling is None:
            return
        with self._replica.exchange:
            self._filling.close()  # the last connection to go moves its log into the file
            self._filling = None
            self._serving.close()
            _remove(self._replica.path, keep=True)
            self._beside.replace(self._replica.path)
            self._serving = _open(self._replica.path)


def _open(path: Path) -> sqlite3.Connection:
    """Open or create. Raises QueueDamaged, also for another layout."""
    if not path.exists():
        store.create_private(path)
    connection = store.connect_writer(path, "NORMAL")
    try:
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        store.check(connection, path)
        with store.translated(path):
            _lay_out(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _lay_out(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version == 0 and tables == 0:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in members.STATEMENTS:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {members.VERSION}")
    elif version != members.VERSION:
        raise QueueDamaged(f"{path.name}: layout {version} is not ours", file=path.name, reason="layout")


def _apply(connection: sqlite3.Connection, page: ChangesPage, at: str) -> None:
    included = (page.includes.epoch, page.includes.seq)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        _put(connection, page.changes, at, included)
        connection.execute("UPDATE replica_state SET cursor = ?, complete = ?", (page.next, page.complete))
        if page.complete:
            connection.execute(
                "UPDATE replica_state SET as_of = ?, included_epoch = ?, included_seq = ?", (at, *included)
            )


def _put(connection: sqlite3.Connection, changes: tuple[MemberChange, ...], at: str, included: tuple[str, int]) -> None:
    gone = [(change.member,) for change in changes if change.state is None]
    told = [change for change in changes if change.state is not None and change.idents is not None]
    cards = [*gone, *((change.member,) for change in told)]
    connection.executemany("DELETE FROM idents WHERE member = ?", cards)
    connection.executemany("DELETE FROM members WHERE member = ?", gone)
    connection.executemany(
        "INSERT INTO members (member, greeting, state, as_of, included_epoch, included_seq) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (member) DO UPDATE SET greeting = excluded.greeting, state = excluded.state,"
        " as_of = excluded.as_of, included_epoch = excluded.included_epoch, included_seq = excluded.included_seq",
        [
            (change.member, change.greeting, msgspec.json.encode(change.state, order="deterministic"), at, *included)
            for change in changes
            if change.state is not None
        ],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO idents (ident, member) VALUES (?, ?)",
        [(ident, change.member) for change in told for ident in change.idents or ()],
    )


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _remove(path: Path, *, keep: bool = False) -> None:
    """Remove a file with its side files; `keep` leaves the file itself."""
    for name in (*(path.name + side for side in _SIDE_FILES), *(() if keep else (path.name,))):
        path.with_name(name).unlink(missing_ok=True)
