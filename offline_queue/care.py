"""What the queue needs besides its writer: everything that takes long, in slices, so that no sale waits for it.

In this order: take over what is left of files that were set aside; write again what an earlier epoch has not delivered;
seal what lies there plain; read every row once a day and compare it with the chain; delete what was settled long ago. After
an end that nobody planned (kill, power) the pages are read as well. Each slice is one operation of the writer, or one short
look by a connection of its own; between two of them sales have the disk for themselves.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol, TypeVar

from loyalty.errors import TillmateError
from offline_queue import store
from offline_queue.ballast import Room
from offline_queue.epochs import Reason
from offline_queue.errors import DiskFailed, QueueDamaged, QueueFull, QueueUnclaimed, UnknownRow
from offline_queue.opening import damaged_files
from offline_queue.outbox import MarkDamaged
from offline_queue.prepare import clear_suspect, mark_suspect
from offline_queue.reader import Reader
from offline_queue.reissue import ReissueRows
from offline_queue.resealing import BEGIN, Sealing, SealSlice
from offline_queue.retention import DeleteJobs, DeleteSettled, GiveBackPages, NoteDay
from offline_queue.salvage import BEGUN, AskStanding, Salvage, Standing, name_of
from offline_queue.sealing import Keyring, QueueFile
from offline_queue.transaction import Operation
from offline_queue.writer import Queue

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

PAUSE: Final = 0.02
IDLE: Final = 5.0
_TURN: Final = 0.2
_WITHIN: Final = 60.0
_READ: Final = 50
_CHECK_EVERY: Final = 24 * 3600.0
_TIDY_EVERY: Final = 900.0


class Clock(Protocol):
    """The part of a clock that is used here."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds."""
        ...


class Listener(Protocol):
    """Who tells people. Called in the thread of `Care`; must not block."""

    def room(self, room: Room) -> None:
        """How much room the disk has."""
        ...

    def new_epoch(self, reason: Reason) -> None:
        """The queue goes on in a new epoch, to which the server has not agreed yet."""
        ...

    def salvaging(self, file: str, seen: int, whole: int, now: Standing) -> None:
        """So much of a file that was set aside has been looked at."""
        ...

    def unsalvaged(self, file: str, why: str) -> None:
        """It cannot be read; `why` is a code."""
        ...

    def damaged(self, rows: int) -> None:
        """So many rows of the present file are known to be damaged."""
        ...


@dataclass(frozen=True)
class Wanted:
    """A file that a person wants to be taken over, with the keys to it where they are not ours."""

    path: Path
    keys: Keyring


@dataclass(frozen=True)
class Progress:
    """How far a salvage has come; `trouble` is a code, "" = none."""

    file: str = ""
    seen: int = 0
    whole: int = 0
    standing: Standing = BEGUN
    trouble: str = ""


class Care:
    """`salvage` and `progress` are for any thread, the rest for one.

    Raises QueueDamaged when the file turns out to be damaged, after marking it.
    """

    def __init__(self, queue: Queue, file: QueueFile, clock: Clock, listener: Listener) -> None:
        self._queue = queue
        self._file = file
        self._clock = clock
        self._listener = listener
        self._waiting: list[Wanted] | None = None
        self._wanted: SimpleQueue[Wanted] = SimpleQueue()
        self._bell = threading.Event()
        self._salvage: Salvage | None = None
        self._progress: dict[Path, Progress] = {}
        self._now = Wanted(file.path, file.keys), Progress()
        self._sealing: Sealing | None = BEGIN
        self._epoch = ""
        self._checked = 0
        self._next_check = clock.monotonic()
        self._next_tidy = clock.monotonic()
        self._pages_checked = queue.clean

    def run(self, stop: threading.Event) -> None:
        """Look after the file until `stop`."""
        with closing(Reader(self._file)) as reader:
            while not stop.is_set():
                if self._turn(reader):
                    stop.wait(PAUSE)
                else:
                    self._rest(stop)
        self._end_salvage()

    def salvage(self, path: Path, keys: Keyring | None = None) -> None:
        """Take over what can be read of that file."""
        wanted = Wanted(path, keys or self._file.keys)
        self._progress[path] = Progress()
        self._wanted.put(wanted)
        self._bell.set()

    def progress(self, path: Path) -> Progress:
        """How far the salvage of that file has come."""
        return self._progress.get(path, Progress())

    def _rest(self, stop: threading.Event) -> None:
        """Until there is something to do again, or `stop`."""
        for _ in range(round(IDLE / _TURN)):
            if stop.is_set() or self._bell.wait(_TURN):
                break
        self._bell.clear()

    def step(self) -> bool:
        """One slice of whatever there is to do; False = nothing. For tests and tools."""
        with closing(Reader(self._file)) as reader:
            return self._work(reader)

    def _turn(self, reader: Reader) -> bool:
        try:
            self._listener.room(self._queue.room())
            self._tell_epoch(reader)
            return self._work(reader)
        except (QueueFull, DiskFailed, OSError) as error:
            log.debug("care put_off=%s", error)
            return False

    def _tell_epoch(self, reader: Reader) -> None:
        handover = reader.handover()
        if handover is not None and handover.epoch != self._epoch:
            self._epoch = handover.epoch
            self._listener.new_epoch(handover.reason)

    def _work(self, reader: Reader) -> bool:
        try:
            jobs: tuple[Callable[[Reader], bool], ...] = (
                self._take_over, self._write_again, self._seal, self._read_pages, self._read_rows, self._tidy,
            )  # fmt: skip
            return any(job(reader) for job in jobs)
        except QueueDamaged:
            mark_suspect(self._file.path)
            raise

    def _do(self, operation: Operation[ResultT]) -> ResultT:
        return self._queue.submit(operation).result(_WITHIN)

    def _take_over(self, reader: Reader) -> bool:
        if self._waiting is None:
            self._waiting = [Wanted(path, self._file.keys) for path in damaged_files(self._file.path)]
        while not self._wanted.empty():
            self._waiting.append(self._wanted.get())
        if self._salvage is None:
            return self._begin_salvage(reader)
        wanted, before = self._now
        standing = self._salvage.run(self._do, before.standing)
        self._note_progress(wanted, standing)
        if standing.stage == "done":
            log.warning("salvaged rows=%d lost=%d", standing.rows, standing.lost)
            self._end_salvage()
        return True

    def _note_progress(self, wanted: Wanted, standing: Standing) -> None:
        if self._salvage is not None:
            now = Progress(wanted.path.name, self._salvage.seen(standing), self._salvage.whole, standing)
            self._now, self._progress[wanted.path] = (wanted, now), now
            self._listener.salvaging(now.file, now.seen, now.whole, standing)

    def _begin_salvage(self, reader: Reader) -> bool:
        """Open the next file that is not done; files that cannot be read are told and left."""
        epoch = reader.depth().epoch
        if epoch is None:
            for wanted in self._waiting or ():
                self._progress[wanted.path] = Progress(wanted.path.name, trouble=QueueUnclaimed.code)
            return False
        while self._waiting:
            wanted = self._waiting.pop(0)
            try:
                if self._open(wanted, reader, epoch):
                    return True
            except (QueueFull, DiskFailed):
                self._waiting.insert(0, wanted)
                raise
            except (TillmateError, OSError) as error:
                why = error.code if isinstance(error, TillmateError) else "unreadable"
                log.warning("salvage file=%s impossible=%s", wanted.path.name, why)
                self._progress[wanted.path] = Progress(wanted.path.name, trouble=why)
                self._listener.unsalvaged(wanted.path.name, why)
        return False

    def _open(self, wanted: Wanted, reader: Reader, epoch: str) -> bool:
        """False = it has been taken over before."""
        standing = self._do(AskStanding(name_of(wanted.path)))
        if standing.stage == "done":
            self._progress[wanted.path] = Progress(wanted.path.name, 1, 1, standing)
            return False
        handover = reader.handover()
        self._salvage = Salvage(wanted.path, wanted.keys, handover.old_epoch if handover else epoch, self._file.keys)
        self._note_progress(wanted, standing)
        end = self._salvage.ended()
        if end is not None:
            self._do(end)
        return True

    def _end_salvage(self) -> None:
        if self._salvage is not None:
            self._salvage.close()
            self._salvage = None

    def _write_again(self, reader: Reader) -> bool:
        return reader.depth().undelivered > 0 and self._do(ReissueRows())

    def _seal(self, _: Reader) -> bool:
        if self._sealing is not None:
            self._sealing = self._do(SealSlice(self._sealing))
        return self._sealing is not None

    def _read_pages(self, _: Reader) -> bool:
        if not self._pages_checked:
            with closing(store.connect_reader(self._file.path)) as connection:
                store.check(connection, self._file.path)
            self._pages_checked = True
        return False

    def _read_rows(self, reader: Reader) -> bool:
        if self._clock.monotonic() < self._next_check:
            return False
        rows = reader.rows(self._checked + 1, _READ)
        for row in rows:
            if row.kind == "damaged":
                self._note(row.seq)
        if rows:
            self._checked = rows[-1].seq
            return True
        clear_suspect(self._file.path)
        self._listener.damaged(reader.depth().damaged)
        self._checked, self._next_check = 0, self._clock.monotonic() + _CHECK_EVERY
        return False

    def _note(self, seq: int) -> None:
        try:
            if self._do(MarkDamaged(seq, "check")):
                log.error("row damaged seq=%d", seq)
        except UnknownRow:  # deleted meanwhile, or the epoch has changed
            log.debug("row gone seq=%d", seq)

    def _tidy(self, _: Reader) -> bool:
        if self._clock.monotonic() < self._next_tidy:
            return False
        self._do(NoteDay())
        if self._do(DeleteSettled()) or self._do(DeleteJobs()) or self._do(GiveBackPages()):
            return True
        self._next_tidy = self._clock.monotonic() + _TIDY_EVERY
        return False
