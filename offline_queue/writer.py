"""The one writer of queue.db.

`Queue.open` takes the file's lock for life, verifies file and promises, and brings the schema up. `run` is the writer
thread: it takes what has piled up in the inbox, carries it out in one transaction and answers only after COMMIT has
returned (group commit; it never waits for more). An operation that fails is carried out again alone, so that its
neighbours are not touched. A disk that fails ends the writer: what the file holds then is found out by opening it anew.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import FileLock, Timeout

from loyalty.errors import TillmateError
from offline_queue import store
from offline_queue.errors import QueueClosed, QueueDamaged, QueueFull, QueueLocked, QueueMismatch
from offline_queue.print_jobs import DoubtSending
from offline_queue.schema import migrate
from offline_queue.transaction import Operation, Transaction

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

INBOX = 1024
GROUP = 64
_IDLE = 0.2
_REFUSALS = (TillmateError, sqlite3.Error, ValueError, TypeError, OverflowError)
"""What an operation may raise of its own fault; it is its caller's answer."""
_CALLERS_FAULT = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.InterfaceError)


class Clock(Protocol):
    """The part of a clock that the queue uses."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...


@dataclass(frozen=True)
class Changed:
    """Where the queue stands after a commit, and which printers have a new job."""

    pending: int
    rejected: int
    last_seq: int
    printers: frozenset[str]


@dataclass(frozen=True)
class _Request:
    operation: Operation[Any]
    future: Future[Any]


class Queue:
    """The open queue file. `submit` may be called by any thread; everything else belongs to the owner."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock, clock: Clock) -> None:
        self._path = path
        self._connection = connection
        self._lock = lock
        self._clock = clock
        self._inbox: queue.Queue[_Request] = queue.Queue(INBOX)
        self._gate = threading.Lock()
        self._closed = False
        self._dirty = False
        self._listeners: tuple[Callable[[Changed], None], ...] = ()

    @classmethod
    def open(cls, path: Path, clock: Clock, epoch: str | None = None) -> Queue:
        """Open or create the file; with `epoch` (a claimed device) it must exist and be the queue of that epoch.

        Raises QueueLocked, QueueDamaged, QueueMismatch, QueueFull. A refused file is left as it was.
        """
        lock = _lock(path)
        try:
            connection = _open(path, epoch)
            try:
                _prepare(connection, path, clock, epoch)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(path, connection, lock, clock)

    def subscribe(self, listener: Callable[[Changed], None]) -> None:
        """Call `listener` in the writer thread after each commit; it must not block. Before `run` only."""
        self._listeners += (listener,)

    def submit(self, operation: Operation[ResultT]) -> Future[ResultT]:
        """Hand an operation to the writer; the future is done after the COMMIT, so a result is a promise kept.

        Raises QueueFull when too much is waiting already, QueueClosed when the writer has stopped.
        """
        future: Future[ResultT] = Future()
        with self._gate:
            if self._closed:
                raise QueueClosed("the queue is closed")
            try:
                self._inbox.put_nowait(_Request(operation, future))
            except queue.Full as error:
                raise QueueFull(f"{INBOX} operations are waiting for the disk", waiting=INBOX) from error
        return future

    def run(self, stop: threading.Event) -> None:
        """Write until `stop`, then finish what has been handed in and close the file. Raises QueueDamaged."""
        try:
            while not (stop.is_set() and self._inbox.empty()):
                group = self._take()
                if group:
                    self._write(group)
                elif self._dirty:
                    self._tidy()
        finally:
            self.close()

    def close(self) -> None:
        """Refuse what has not been carried out and give the file back. May be called twice; not while `run` runs."""
        with self._gate:
            self._closed = True
        while not self._inbox.empty():
            self._inbox.get_nowait().future.set_exception(QueueClosed("the queue is closed"))
        self._connection.close()
        self._lock.release()

    def _take(self) -> list[_Request]:
        """What waits in the inbox, at most a group; an empty list after a quiet while."""
        group: list[_Request] = []
        with suppress(queue.Empty):
            group.append(self._inbox.get(timeout=_IDLE))
            while len(group) < GROUP:
                group.append(self._inbox.get_nowait())
        return [request for request in group if request.future.set_running_or_notify_cancel()]

    def _write(self, group: Sequence[_Request]) -> None:
        try:
            self._carry_out(group)
        except BaseException as error:
            _fail(group, error)
            raise

    def _carry_out(self, group: Sequence[_Request]) -> None:
        """Answer every request. Raises QueueDamaged when the disk is to blame and nothing can be promised any more."""
        try:
            results, printers = self._commit(group)
        except _REFUSALS as error:
            meaning = self._meaning(error)
            if isinstance(meaning, QueueDamaged) and meaning is not error:
                raise meaning from error
            if len(group) == 1:
                group[0].future.set_exception(meaning)
                return
            for request in group:
                self._carry_out([request])
            return
        self._dirty = True
        for request, result in zip(group, results, strict=True):
            request.future.set_result(result)
        self._tell(printers)

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _CALLERS_FAULT):
            return store.meaning(error, self._path)
        return error

    def _commit(self, group: Sequence[_Request]) -> tuple[list[Any], frozenset[str]]:
        transaction = Transaction(self._connection, self._clock.now())
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            results = [request.operation.apply(transaction) for request in group]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return results, frozenset(transaction.printers)

    def _tell(self, printers: frozenset[str]) -> None:
        with store.translated(self._path):
            last_seq, watermark, rejected = self._connection.execute(
                "SELECT last_seq, watermark, rejected FROM queue_state"
            ).fetchone()
        changed = Changed(last_seq - watermark, rejected, last_seq, printers)
        for listener in self._listeners:
            listener(changed)

    def _tidy(self) -> None:
        """Nothing to do: move the log into the file, so that no sale has to wait for that."""
        with store.translated(self._path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._dirty = False


def _fail(group: Sequence[_Request], error: BaseException) -> None:
    for request in group:
        if not request.future.done():
            request.future.set_exception(error)


def _lock(path: Path) -> FileLock:
    lock = FileLock(f"{path}.lock", timeout=0, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise QueueLocked(f"{path.name}: another agent works with this queue", file=path.name) from error
    except OSError as error:
        raise QueueDamaged(f"{path.name}: {error}", file=path.name, reason=str(error)) from error
    return lock


def _open(path: Path, epoch: str | None) -> sqlite3.Connection:
    if not path.exists():
        if epoch is not None:
            raise QueueMismatch(
                f"{path.name} is missing although this device is claimed: restore it, or claim the device again",
                found="",
                expected=epoch,
            )
        store.create_private(path)
    return store.connect_writer(path, "FULL")


def _prepare(connection: sqlite3.Connection, path: Path, clock: Clock, epoch: str | None) -> None:
    store.check(connection, path)
    with store.translated(path):
        migrate(connection)
        (found,) = connection.execute("SELECT epoch FROM queue_state").fetchone()
    if epoch is not None and found != epoch:
        raise QueueMismatch(
            f"{path.name} is not the queue of this device's claim (epoch {found}, expected {epoch}):"
            " restore it, or claim the device again",
            found=str(found),
            expected=epoch,
        )
    with store.translated(path):
        DoubtSending().apply(Transaction(connection, clock.now()))
    log.info("queue_open file=%s epoch=%s", path.name, found)
