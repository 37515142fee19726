"""The one writer of queue.db.

`Queue.open` takes the file's lock for life, verifies file and promises, and brings the schema up. `run` is the writer
thread: it takes what has piled up in the inbox, carries it out in one transaction and answers only after COMMIT has
returned (group commit; it never waits for more). An operation that fails is carried out again alone, so that its
neighbours are not touched.

A full disk costs the ballast and stops what would add rows; everything else goes on, and sales do as soon as there is room
again. After an error of the disk nobody knows what it holds, so the file is closed, opened anew and written through before
anything else is promised; where that fails, and where the file is damaged, the writer ends.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from filelock import FileLock

from loyalty.errors import TillmateError
from offline_queue import store
from offline_queue.ballast import Ballast, Room, room_at
from offline_queue.errors import DiskFailed, QueueClosed, QueueDamaged, QueueFull
from offline_queue.outcome import Outcome
from offline_queue.prepare import Clock, connect, lock_file, prepare, ran_to_its_end
from offline_queue.sealing import NO_KEYS, Keyring, QueueFile
from offline_queue.transaction import Operation, QueueState, Transaction

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

INBOX = 1024
GROUP = 64
_IDLE = 0.2
_TIDY_AFTER = 64
"""Commits: a few hundred pages of the log, of which SQLite takes 1,000."""
_LOOK_EVERY = 25
"""Turns between two looks whether there is room again."""
_MOST_FAILURES = 3
"""Errors of the disk in a row, before the writer gives up."""
_REFUSALS = (TillmateError, sqlite3.Error, ValueError, TypeError, OverflowError)
"""What an operation may raise of its own fault; it is its caller's answer."""
_CALLERS_FAULT = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.InterfaceError)


@dataclass(frozen=True)
class Changed:
    """Where the queue stands after a commit, and which printers have a new job."""

    pending: int
    rejected: int
    last_seq: int
    printers: frozenset[str]


class _Request(NamedTuple):
    operation: Operation[Any]
    outcome: Outcome[Any]


class Queue:
    """The open queue file. `submit` may be called by any thread; everything else belongs to the owner."""

    def __init__(
        self, file: QueueFile, connection: sqlite3.Connection, lock: FileLock, clock: Clock, ballast: Ballast
    ) -> None:
        self._path = file.path
        self._keys = file.keys
        self._connection = connection
        self._lock = lock
        self._clock = clock
        self._ballast = ballast
        self._inbox: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._untidy = 0  # commits since the log was moved
        self._cut_log = False
        self._full = not ballast.begin()
        self._crowd = False  # the last group was one of several
        self._turns = 0
        self._failures = 0
        self._state: QueueState | None = None  # behind the last commit; nobody else writes
        self._listeners: tuple[Callable[[Changed], None], ...] = ()
        self.clean = True
        """Whether the last writer of the file came to its end."""

    @classmethod
    def open(
        cls, path: Path, clock: Clock, epoch: str | None = None, *, keys: Keyring = NO_KEYS, ballast: int = 0
    ) -> Queue:
        """Open or create the file; with `epoch` (a claimed device) it must exist and be the queue of that epoch.

        `ballast`: bytes that are kept for a full disk. Raises QueueLocked, QueueDamaged, QueueMismatch, QueueSealed,
        QueueTooNew, QueueFull. A refused file is left as it was. `offline_queue.opening` knows what to do with it.
        """
        lock = lock_file(path)
        try:
            return cls.open_locked(QueueFile(path, keys), lock, clock, epoch, ballast)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open_locked(cls, file: QueueFile, lock: FileLock, clock: Clock, epoch: str | None, ballast: int) -> Queue:
        """The same for who holds the lock already; he keeps it when this fails."""
        clean, reserve = ran_to_its_end(file.path), Ballast(file.path, ballast)
        try:
            connection = _opened(file, clock, epoch)
        except QueueFull:
            reserve.give_up()  # a new schema, or a log that must be moved, needs room
            connection = _opened(file, clock, epoch)
        opened = cls(file, connection, lock, clock, reserve)
        opened.clean = clean
        return opened

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def room(self) -> Room:
        """How much room there is on the disk. For any thread. Raises OSError."""
        return room_at(self._path, full=self._full)

    def subscribe(self, listener: Callable[[Changed], None]) -> None:
        """Call `listener` in the writer thread after each commit; it must not block. Before `run` only."""
        self._listeners += (listener,)

    def submit(self, operation: Operation[ResultT]) -> Outcome[ResultT]:
        """Hand an operation to the writer; the outcome is known after the COMMIT, so a result is a promise kept.

        Raises QueueFull when too much is waiting already, QueueClosed when the writer has stopped.
        """
        outcome = Outcome[ResultT]()
        with self._gate:
            if self._closed:
                raise QueueClosed("the queue is closed")
            if self._inbox.qsize() >= INBOX:
                raise QueueFull(f"{INBOX} operations are waiting for the disk", waiting=INBOX)
            self._inbox.put(_Request(operation, outcome))
        return outcome

    def carry_out_now(self, operation: Operation[ResultT]) -> ResultT:
        """Carry it out in this thread; before `run` only. Raises what the operation raises, and what SQLite means."""
        with store.translated(self._path):
            ((result,), _) = self._commit([_Request(operation, Outcome[Any]())])
        done: ResultT = result
        return done

    @property
    def epoch(self) -> str | None:
        """The present epoch; before `run` only."""
        with store.translated(self._path):
            (epoch,) = self._connection.execute("SELECT epoch FROM queue_state").fetchone()
        return None if epoch is None else str(epoch)

    def whose(self, device: str, epoch: str) -> Literal["ours", "nobody", "older", "foreign"]:
        """Whether the file goes on where that claim stands; `older`: an old one of the same device. Before `run` only."""
        with store.translated(self._path):
            state = self._connection.execute("SELECT device, epoch, last_seq FROM queue_state").fetchone()
            known = {name for (name,) in self._connection.execute("SELECT epoch FROM epochs")}
            known |= {name for (name,) in self._connection.execute("SELECT old_epoch FROM handover")}
        if epoch in known:
            return "ours"  # and it knows better than the claim how far we are
        if state[1:] == (None, 0):
            return "nobody"
        return "older" if state[0] == device else "foreign"

    def run(self, stop: threading.Event) -> None:
        """Write until `stop`, then finish what has been handed in and close the file. Raises QueueDamaged."""
        try:
            while not (stop.is_set() and self._inbox.empty()):
                group = self._take()
                if group:
                    self._write(group)
                elif (self._untidy >= _TIDY_AFTER or self._cut_log) and not self._full:
                    self._tidy()
                self._look_for_room()
        finally:
            self.close()

    def close(self) -> None:
        """Refuse what has not been carried out and give the file back. May be called twice; not while `run` runs."""
        with self._gate:
            self._closed = True
        while not self._inbox.empty():
            outcome = self._inbox.get_nowait().outcome
            if outcome.begin():
                outcome.fail(QueueClosed("the queue is closed"))
        self.let_go()
        self._lock.release()

    def let_go(self) -> None:
        """Close the file and keep its lock."""
        self._connection.close()

    def _take(self) -> list[_Request]:
        """What waits in the inbox, at most a group; an empty list after a quiet while."""
        try:
            group = [self._inbox.get(timeout=_IDLE)]
        except queue.Empty:
            return []
        if self._crowd:
            self._let_hand_in()
        while len(group) < GROUP and not self._inbox.empty():  # nobody else takes
            group.append(self._inbox.get_nowait())
        self._crowd = len(group) > 1
        return [request for request in group if request.outcome.begin()]

    def _let_hand_in(self) -> None:
        """Who was answered at the same time comes again at the same time: let them run as long as each turn brings more."""
        seen = -1
        while self._inbox.qsize() > seen:
            seen = self._inbox.qsize()
            time.sleep(0)  # noqa: TID251 - no wait: the processor and the interpreter are theirs

    def _write(self, group: Sequence[_Request]) -> None:
        try:
            self._carry_out(group)
        except BaseException as error:
            _fail(group, error)
            raise

    def _carry_out(self, group: Sequence[_Request]) -> None:
        """Answer every request. Raises QueueDamaged when nothing can be promised any more."""
        try:
            results, transaction = self._commit(group)
        except _REFUSALS as error:
            self._judge(group, error)
            return
        self._untidy += 1
        self._cut_log |= transaction.cut_log
        self._failures = 0
        for request, result in zip(group, results, strict=True):
            request.outcome.succeed(result)
        self._tell(transaction)

    def _judge(self, group: Sequence[_Request], error: Exception) -> None:
        """What to do about a group that could not be carried out."""
        meaning = self._meaning(error)
        if store.disk_failed(error):
            self._reopen(error)
            _fail(group, DiskFailed(f"{self._path.name}: {error}", file=self._path.name))
        elif isinstance(meaning, QueueDamaged) and meaning is not error:
            raise meaning from error
        elif isinstance(meaning, QueueFull) and meaning is not error and self._make_way():
            self._carry_out(group)
        elif len(group) == 1:
            group[0].outcome.fail(meaning)
        else:
            for request in group:
                self._carry_out([request])

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _CALLERS_FAULT):
            return store.meaning(error, self._path)
        return error

    def _commit(self, group: Sequence[_Request]) -> tuple[list[Any], Transaction]:
        transaction = Transaction(
            self._connection, self._clock.now(), self._keys, room=not self._full, known=self._state
        )
        self._state = None
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            results = [request.operation.apply(transaction) for request in group]
            transaction.note_growth()
            state = transaction.state()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._state = state
        return results, transaction

    def _make_way(self) -> bool:
        """The disk is full: give the ballast up for what is stored already. False where there is none to give."""
        if self._full or not self._ballast.wanted:
            return False
        log.error("queue disk=full file=%s sales=refused", self._path.name)
        self._ballast.give_up()
        self._full = True
        return True

    def _look_for_room(self) -> None:
        """Take sales again, as soon as the ballast can be made again."""
        self._turns += 1
        if self._full and self._turns % _LOOK_EVERY == 0 and self._ballast.make():
            log.warning("queue disk=ok file=%s sales=taken", self._path.name)
            self._full = False

    def _reopen(self, error: Exception) -> None:
        """After an error of the disk. What the system has in memory is written through to the file once more, because
        pages that were lost in an fsync count as written from then on. Raises QueueDamaged."""
        self._failures += 1
        log.error("queue disk=failed file=%s error=%s failures=%d", self._path.name, error, self._failures)
        self._connection.close()
        self._state = None
        if self._failures > _MOST_FAILURES:
            raise store.meaning(error, self._path) from error  # type: ignore[arg-type]  # an error of SQLite: disk_failed
        self._connection = _opened(QueueFile(self._path, self._keys), self._clock, None)
        with store.translated(self._path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _tell(self, transaction: Transaction) -> None:
        state = transaction.state()
        changed = Changed(
            state.last_seq - state.watermark,
            state.rejected,
            state.last_seq - state.base,
            frozenset(transaction.printers),
        )
        for listener in self._listeners:
            listener(changed)

    def _tidy(self) -> None:
        """Nothing to do, and the log has grown: move it into the file, so that no sale has to wait for that.

        It keeps its length, because to make a file longer costs a commit a second write of the file system; it is not moved
        after each sale, because the first commit in a log that begins again syncs twice; and a reader is not waited for.
        Only where something must not stay in it, it is cut.
        """
        mode = "TRUNCATE" if self._cut_log else "PASSIVE"
        try:
            (busy, *_) = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            self._cut_log &= bool(busy)
        except sqlite3.DatabaseError as error:
            if store.disk_failed(error):
                self._reopen(error)
                self._cut_log = False  # that has been done on the way
            elif isinstance(store.meaning(error, self._path), QueueFull):
                self._make_way()  # without a ballast the log takes what it has room for, and then commits are refused
            else:
                raise store.meaning(error, self._path) from error
        self._untidy = 0


def _fail(group: Sequence[_Request], error: BaseException) -> None:
    for request in group:
        if not request.outcome.done():
            request.outcome.fail(error)


def _opened(file: QueueFile, clock: Clock, epoch: str | None) -> sqlite3.Connection:
    connection = connect(file.path, epoch)
    try:
        prepare(connection, file.path, clock, epoch, file.keys)
    except BaseException:
        connection.close()
        raise
    return connection
