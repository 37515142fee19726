"""Opening queue.db: the lock, a glance at the file, the keys, the schema, and what every start writes.

A glance costs the same for any number of rows: SQLite's own first page, the counters, and the newest row against them. The
rest is checked in the background (`Care`). Only a file that somebody has found to be damaged while it was open
(`mark_suspect`) is read as a whole before it is trusted again.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from loyalty.chain import GENESIS
from offline_queue import store
from offline_queue.errors import QueueDamaged, QueueFull, QueueLocked, QueueMismatch, QueueSealed, QueueTooNew
from offline_queue.print_jobs import DoubtSending
from offline_queue.sealing import PLAIN, Keyring
from offline_queue.transaction import Transaction
from offline_queue.version import APPLICATION, VERSION

log = logging.getLogger(__name__)

_MOST_MARKS = 3


class Clock(Protocol):
    """The part of a clock that the queue uses."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...


def lock_file(path: Path) -> FileLock:
    """Own the file until the lock is released. Raises QueueLocked, QueueDamaged."""
    lock = FileLock(f"{path}.lock", timeout=0, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise QueueLocked(f"{path.name}: another agent works with this queue", file=path.name) from error
    except OSError as error:
        raise QueueDamaged(f"{path.name}: {error}", file=path.name, reason=str(error)) from error
    return lock


def mark_suspect(path: Path) -> None:
    """Somebody met damage: the next start reads the whole file before it trusts it."""
    with suppress(OSError), _suspect(path).open("ab") as file:
        file.write(b"!")


def clear_suspect(path: Path) -> None:
    """All rows have been read since, and are good, or it is another file now."""
    _suspect(path).unlink(missing_ok=True)


def _check_suspect(connection: sqlite3.Connection, path: Path) -> None:
    """Raises QueueDamaged; also when damage is met again and again, and reading the file does not show it."""
    try:
        marks = _suspect(path).stat().st_size
    except FileNotFoundError:
        return
    if marks > _MOST_MARKS:
        raise QueueDamaged(f"{path.name}: damage was met {marks} times", file=path.name, reason="suspect")
    store.check(connection, path)


def _suspect(path: Path) -> Path:
    return path.with_name(path.name + ".suspect")


def connect(path: Path, epoch: str | None) -> sqlite3.Connection:
    """Open the file, or make it where there is no epoch that it must hold. Raises QueueMismatch and what SQLite means."""
    if not path.exists():
        if epoch is not None:
            raise QueueMismatch(
                f"{path.name} is missing although this device is claimed: restore it, or claim the device again",
                found="",
                expected=epoch,
            )
        store.create_private(path)
    return store.connect_writer(path, "FULL")


def prepare(connection: sqlite3.Connection, path: Path, clock: Clock, epoch: str | None, keys: Keyring) -> None:
    """Make sure that it is our file, sound as far as a glance tells, and ready to be written.

    Raises QueueDamaged, QueueMismatch, QueueSealed, QueueTooNew, QueueFull.
    """
    with store.translated(path):
        fresh = _ours(connection, path)
        _check_suspect(connection, path)
        _migrate(connection)
        if not fresh:
            _glance(connection, path)
        _unlock(connection, path, keys, fresh=fresh)
        found = _check_epoch(connection, path, epoch)
        try:
            _begin(connection, clock, keys)
        except sqlite3.OperationalError as error:
            if not isinstance(store.meaning(error, path), QueueFull):
                raise
            log.warning("queue_open file=%s disk=full", path.name)  # it opens all the same, to deliver what it holds
    log.info("queue_open file=%s epoch=%s", path.name, found)


def _ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is empty, or was cut off in its making; otherwise it must be a queue. Raises QueueDamaged, QueueTooNew."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if tables <= {"_sqlite_migrations"} and (application, version) == (0, 0):
        return True
    if application not in (0, APPLICATION) or not {"queue_state", "outbox"} <= tables:
        raise QueueDamaged(f"{path.name} is a file of another program", file=path.name, reason="foreign")
    if version > VERSION:
        raise QueueTooNew(
            f"{path.name} is of version {version}, this release knows {VERSION}: install the newer release again",
            file=path.name,
            found=version,
            known=VERSION,
        )
    return False


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        from offline_queue.schema import migrate  # not loaded at an ordinary start

        migrate(connection)


def _glance(connection: sqlite3.Connection, path: Path) -> None:
    """The newest row must be there and be the one that the counters speak of. Raises QueueDamaged."""
    state = connection.execute("SELECT last_seq, last_hash, base FROM queue_state").fetchone()
    newest = connection.execute("SELECT seq, hash FROM outbox ORDER BY seq DESC LIMIT 1").fetchone()
    if state is None:
        raise QueueDamaged(f"{path.name}: its counters are gone", file=path.name, reason="counters")
    last_seq, last_hash, base = state
    expected = (last_seq, last_hash) if last_seq > base else None
    if expected and newest and newest[0] == last_seq:
        return  # a spoiled hash is put right where the row is read
    pruned = connection.execute("SELECT 1 FROM queue_state WHERE pruned >= last_seq").fetchone()
    if not (pruned or (expected is None and last_hash == GENESIS)):
        raise QueueDamaged(f"{path.name}: row {last_seq} is gone", file=path.name, reason="last row")


def _unlock(connection: sqlite3.Connection, path: Path, keys: Keyring, *, fresh: bool) -> None:
    """Every key that the file is sealed with must be here. Raises QueueSealed."""
    known = dict(connection.execute("SELECT key, proof FROM seal_keys").fetchall())
    missing = [key for key, proof in known.items() if not keys.proves(proof, key)]
    if missing:
        names = ", ".join(f"{key:08x}" for key in missing)
        raise QueueSealed(f"{path.name} is sealed with key {names}, which is not here", file=path.name, key=names)
    if keys.present not in (PLAIN, *known):
        connection.execute("INSERT INTO seal_keys (key, proof) VALUES (?, ?)", (keys.present, keys.proof()))
    if fresh:
        connection.execute("UPDATE queue_state SET sealed_by = ?", (keys.present,))


def _check_epoch(connection: sqlite3.Connection, path: Path, epoch: str | None) -> str | None:
    (found,) = connection.execute("SELECT epoch FROM queue_state").fetchone()
    if epoch is None or epoch == found:
        return str(found) if found else None
    if connection.execute("SELECT 1 FROM epochs WHERE epoch = ?", (epoch,)).fetchone():
        return str(found)  # the file knows better than the identity beside it how far we are
    if connection.execute("SELECT 1 FROM handover WHERE old_epoch = ?", (epoch,)).fetchone():
        return str(found)
    raise QueueMismatch(
        f"{path.name} is not the queue of this device's claim (epoch {found}, expected {epoch}):"
        " restore it, or claim the device again",
        found=str(found),
        expected=epoch,
    )


def _begin(connection: sqlite3.Connection, clock: Clock, keys: Keyring) -> None:
    """What every start writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE queue_state SET opened = opened + 1, instance = ?", (uuid.uuid4().hex,))
        DoubtSending().apply(Transaction(connection, clock.now(), keys))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def ran_to_its_end(path: Path) -> bool:
    """Whether the last writer closed the file; otherwise it was killed, or the power went."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size == 0
    except OSError:
        return True
