"""One printer: durable jobs -> bytes -> paper, and the truth about what became of each.

    queued --> ask how it is --> held (paper, cover ...: nothing was sent; goes on by itself)
                    |
                 sending, durable before the first byte --> whole job and a fence, in one write
                    |
                    +-- the fence comes back ------------------------> printed
                    +-- paper or cover stops it in the middle -------> held, `in_printer`: it prints on by itself
                    +-- it never answers anything --------------------> sent
                    +-- the connection breaks, or it falls silent ----> unknown: never sent again by itself

So a receipt can be late, but never comes twice by our doing. A job that was under way when the agent, or this thread,
ended is unknown from then on, because nobody heard whether it came out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from agent.clock import Clock
from agent.link import Link
from agent.messages import LinkChanged
from agent.print_patience import USUAL, Patience, Waiting
from agent.printer_talk import PrinterTalk
from agent.status import Status
from drivers.base import DeviceError, DeviceGone, Printer
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.profile import Profile
from drivers.printers.escpos.status import Condition, Problem
from loyalty.errors import TillmateError
from offline_queue.print_jobs import Job, JobState, SetJob
from offline_queue.reader import Reader
from receipt_templates.document import from_json

log = logging.getLogger(__name__)

Note = Literal["", "in_printer", "document", "connection_lost", "silent", "interrupted", "no_fence", "no_answers"]
"""Why a job is in its state, beside the printer's own problems."""

IN_PRINTER: Final = "in_printer"
"""Note of a held job whose bytes the printer has."""

_TURN = 0.2
_LOOK_EVERY = 3.0
_LOOK_EVERY_SILENT = 30.0
_HELD_TURN = 1.0
_STOP_WITHIN = 0.5


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: SetJob, /) -> Future[None]:
        """Carry it out. Raises a TillmateError where it cannot even be taken."""
        ...


@dataclass(frozen=True)
class PrinterSettings:
    """What config.toml says about one printer."""

    name: str
    profile: Profile
    width: int


class PrintLoop:
    """Made by `agent.app`; `wake` is for any thread, `run` is its own."""

    def __init__(
        self,
        settings: PrinterSettings,
        opener: Callable[[], Printer],
        writer: Writer,
        queue_file: Path,
        status: Status,
        clock: Clock,
        patience: Patience = USUAL,
    ) -> None:
        self._settings = settings
        self._patience = patience
        self._writer = writer
        self._queue_file = queue_file
        self._status = status
        self._clock = clock
        self._wake = threading.Event()
        self._opener = opener
        self._doubted = False  # the last receipt may have been printed or not
        self._spoke = False  # it has answered since the agent began: its silence means something
        self._late = 0  # fences of earlier jobs that may still be answered

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Print until `stop`."""
        link: Link[Printer] = Link(self._settings.name, self._opener, self._link_changed, self._clock, kind="printer")
        reader = Reader(self._queue_file)
        try:
            self._look_back(reader)
            link.run(stop, lambda printer, ended: self._use(PrinterTalk(printer, self._clock), reader, ended))
        finally:
            reader.close()

    def _look_back(self, reader: Reader) -> None:
        """What has become of the jobs before this thread began?"""
        for job in reader.jobs(("sending", "held"), self._settings.name):
            if job.state == "sending" or job.note == IN_PRINTER:
                self._doubt(job, "interrupted")
        last = reader.last_tried(self._settings.name)
        if last is not None and last.state == "unknown":
            self._doubted, self._late = True, max(self._late, 1)

    def _use(self, talk: PrinterTalk, reader: Reader, stop: threading.Event) -> None:
        self._unready(talk, stop)
        looked = self._clock.monotonic()
        self._wake.set()
        while not stop.is_set():
            if self._wake.is_set():
                self._wake.clear()
                self._print_all(talk, reader, stop)
            talk.listen(0.0)
            if self._clock.monotonic() - looked >= (_LOOK_EVERY if talk.speaks else _LOOK_EVERY_SILENT):
                self._look(talk)
                looked = self._clock.monotonic()
            self._wake.wait(_TURN)

    def _print_all(self, talk: PrinterTalk, reader: Reader, stop: threading.Event) -> None:
        """Print what is due, the oldest first, until there is nothing more or the printer cannot."""
        while not stop.is_set():
            jobs = reader.jobs(("queued", "held"), self._settings.name)
            if not jobs:
                return
            if not self._print(jobs[0], talk, stop):
                self._wake.set()
                stop.wait(_HELD_TURN)

    def _print(self, job: Job, talk: PrinterTalk, stop: threading.Event) -> bool:
        """Try one job. False: not now."""
        if job.note == IN_PRINTER:  # but its end could not be stored
            return self._doubt(job, "interrupted")
        payload = self._encode(job)
        if payload is None:
            return self._set(job, "failed", "document")
        problem = self._unready(talk, stop)
        if problem is not None:
            if (job.state, job.note) != ("held", problem):
                self._set(job, "held", problem)
            return False
        if stop.is_set() or not self._set(job, "sending"):
            return False
        try:
            talk.send(payload)
            self._await(job, talk, stop)
        except DeviceError:
            self._doubt(job, "connection_lost")
            raise
        return True

    def _unready(self, talk: PrinterTalk, stop: threading.Event) -> Problem | None:
        """What keeps the printer from taking a job; None = nothing, and the fences of earlier jobs have passed."""
        problem = self._look(talk)
        if problem is not None or not self._late or not talk.speaks or not talk.fences:
            return problem
        patience = self._patience
        if not talk.catch_up(self._late, patience.late_fence_within, patience.late_fences_end, stop):
            problem = self._look(talk)
            talk.fences = problem is not None
        self._late = 0 if problem is None else self._late + 1
        return problem

    def _encode(self, job: Job) -> bytes | None:
        try:
            return encode(from_json(job.document), self._settings.profile, self._settings.width)
        except (ValueError, LookupError) as error:
            log.exception("print job=%d state=failed error=%s", job.id, type(error).__name__)
            return None

    def _await(self, job: Job, talk: PrinterTalk, stop: threading.Event) -> None:
        """Find out what becomes of a job that has been sent."""
        waiting = Waiting(self._clock, self._patience, talk)
        while not talk.printed:
            if stop.is_set():
                self._part(job, talk)
                return
            talk.listen(_TURN)
            if talk.printed or not waiting.time_to_ask():
                continue
            condition = talk.ask()
            self._show(condition)
            verdict = waiting.judge(condition)
            if verdict == "held":
                self._set(job, "held", IN_PRINTER)
            elif verdict == "unknown":
                self._doubt(job, "silent")
                return
            elif verdict == "sent":
                self._settle(job, "sent", "no_fence" if talk.speaks else "no_answers")
                self._late += talk.fences
                return
        self._settle(job, "printed")

    def _part(self, job: Job, talk: PrinterTalk) -> None:
        """The agent stops while the job is being printed: a last moment to hear of it."""
        talk.listen(_STOP_WITHIN)
        if talk.printed:
            self._set(job, "printed")
        else:
            self._doubt(job, "interrupted")

    def _settle(self, job: Job, state: JobState, note: Note | Problem = "") -> None:
        self._set(job, state, note)
        self._doubted = False

    def _doubt(self, job: Job, note: Note) -> bool:
        self._doubted = True
        self._late += 1
        return self._set(job, "unknown", note)

    def _set(self, job: Job, state: JobState, note: Note | Problem = "") -> bool:
        """Store what became of a job. False: the queue did not take it, so nothing may be built on it."""
        log.info("print job=%d printer=%s state=%s note=%s", job.id, self._settings.name, state, note)
        try:
            self._store(SetJob(job.id, state, note))
        except (TillmateError, NotInTime) as error:
            log.warning("print job=%d state=%s not_stored=%s", job.id, state, error)
            return False
        return True

    def _store(self, change: SetJob) -> None:
        """Raises TillmateError or NotInTime; then it is not stored, and will not be later either."""
        stored = self._writer.submit(change)
        while True:
            try:
                stored.result(self._patience.stored_within)
            except NotInTime:
                if stored.cancel() or stored.done():
                    raise
            else:
                return

    def _look(self, talk: PrinterTalk) -> Problem | None:
        """Ask how it is and show it. One that used to answer and does not any more is opened anew: that cures half-dead
        connections, and a printer that stays mute then counts as one that cannot be asked."""
        condition = talk.ask()
        if condition is None and talk.speaks:
            raise DeviceGone(f"printer {self._settings.name}: it does not answer any more")
        if condition is not None:
            self._show(condition)
            return condition.problem
        if self._spoke:
            self._status.set("printer", self._settings.name, "warning", "status.printer_silent")
        else:
            self._status.set("printer", self._settings.name, "ok", "status.printer_mute")
        return None

    def _show(self, condition: Condition | None) -> None:
        name = self._settings.name
        if condition is None:
            return
        self._spoke = True
        if condition.problem is not None:
            self._status.set("printer", name, "down", f"status.printer_{condition.problem}")
        elif self._doubted:
            self._status.set("printer", name, "warning", "status.printer_unknown")
        elif condition.paper_low:
            self._status.set("printer", name, "warning", "status.printer_paper_low")
        else:
            self._status.set("printer", name, "ok", "status.printer_ok")

    def _link_changed(self, change: LinkChanged) -> None:
        if not change.up:
            self._status.set("printer", change.device, "down", f"status.printer_{change.code}")
