"""How a file of ours is opened, and what an SQLite error means for the caller.

One read-write connection a file, with its promises read back; readers open read-only. WAL lets both work at once.
"""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from offline_queue.errors import QueueDamaged, QueueFull, QueueLocked

_SYNCHRONOUS = {"NORMAL": 1, "FULL": 2}

_text = functools.partial(str, encoding="utf-8", errors="replace")
"""A text that the disk has spoiled is a wrong text, not an error of the statement."""

BUSY_TIMEOUT = 5.0
"""Seconds that a statement waits for another connection."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite raises about the file at `path` into our errors."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise meaning(error, path) from error


def meaning(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """The error of ours for an error of SQLite."""
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = extended & 0xFF
    if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return QueueFull(f"{path.name}: the disk is full", file=path.name)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return QueueLocked(f"{path.name}: another program works with this file", file=path.name)
    return QueueDamaged(f"{path.name}: {error}", file=path.name, reason=str(error))


def disk_failed(error: BaseException) -> bool:
    """Whether the disk answered with an error, so that nobody knows what it holds."""
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return bool(extended & 0xFF == sqlite3.SQLITE_IOERR and extended != sqlite3.SQLITE_IOERR_SHMSIZE)


def create_private(path: Path) -> None:
    """Make an empty file that only its owner may read, durable in its folder; SQLite's side files take its rights."""
    path.touch(mode=0o600, exist_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable; Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def connect_writer(path: Path, synchronous: Literal["NORMAL", "FULL"]) -> sqlite3.Connection:
    """Open read-write in WAL mode; verified, not assumed. Statements outside BEGIN commit by themselves.

    The connection may be handed to another thread, but only one may use it at a time. Raises what `translated` says.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            _promise(connection, path, synchronous)
        except BaseException:
            connection.close()
            raise
    return connection


def _promise(connection: sqlite3.Connection, path: Path, synchronous: Literal["NORMAL", "FULL"]) -> None:
    connection.text_factory = _text
    if connection.execute("PRAGMA page_count").fetchone() == (0,):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    for pragma in ("fullfsync = ON", "foreign_keys = OFF", "temp_store = MEMORY", "journal_size_limit = 4194304"):
        connection.execute(f"PRAGMA {pragma}")
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if mode != "wal" or level != _SYNCHRONOUS[synchronous]:
        raise QueueDamaged(f"{path.name}: this disk cannot keep the file safe (journal {mode}, synchronous {level})")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Read every page. Raises QueueDamaged."""
    with translated(path):
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise QueueDamaged(f"{path.name}: {verdict}", file=path.name, reason=str(verdict))


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open read-only; never creates, never changes the file. Raises what `translated` says."""
    with translated(path):
        address = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
    connection.text_factory = _text
    return connection
