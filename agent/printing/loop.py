"""One printer: durable jobs -> bytes -> paper, and the truth about what became of each.

    queued --> ask how it is --> held (paper, cover ...: nothing was sent; goes on by itself)
                    |
                 sending, durable before the first byte --> whole job, and behind it its number or a fence
                    |
                    +-- the number or the fence comes back ----------> printed
                    +-- paper or cover stops it in the middle -------> held, `in_printer`: it prints on by itself
                    +-- it cannot answer, or takes no fences ---------> sent
                    +-- the connection breaks, or it falls silent ----> unknown: never sent again by itself

So a receipt can be late, but never comes twice by our doing. A job that was under way when the agent, or this thread,
ended is unknown from then on, because nobody heard whether it came out; a printer that tells numbers may still say so
later. Before the next job the printer is freed of the one that may have been cut off (see `Doubts`).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from agent.clock import Clock
from agent.link import Link
from agent.messages import LinkChanged
from agent.printing.doubts import Doubts, number_of
from agent.printing.job_book import JobBook, Note, Writer
from agent.printing.patience import USUAL, Patience, Waiting
from agent.printing.talk import PrinterTalk
from agent.status import Status
from drivers.base import DeviceError, DeviceGone, DeviceRefused, DeviceStalled, Printer
from drivers.printers.escpos.encoder import CannotPrint, encode
from drivers.printers.escpos.profile import Profile
from drivers.printers.escpos.raster import Picture
from drivers.printers.escpos.recovery import flush
from drivers.printers.escpos.status import Condition, Problem
from offline_queue.print_jobs import DECIDED, IN_PRINTER, Job
from offline_queue.reader import Reader
from offline_queue.sealing import QueueFile
from receipt_templates.document import from_json

log = logging.getLogger(__name__)

_TURN = 0.2
_LOOK_EVERY = 3.0
_LOOK_EVERY_SILENT = 30.0
_HELD_TURN = 1.0
_STOP_WITHIN = 0.5
_FENCES_BEFORE_US = 3  # of a job before this thread: its own, and that behind one doubt more
_WITHDRAW_WITHIN = 2.0
_MENDED_BY_HAND: Final = ("cutter", "error")


@dataclass(frozen=True)
class PrinterSettings:
    """What config.toml says about one printer. `answers`: its driver has a way back (see drivers.base.Driver)."""

    name: str
    profile: Profile
    width: int
    answers: bool = True
    logo: Picture | None = None
    lacking: Literal["picture", "refuse"] = "picture"


@dataclass(frozen=True)
class _Out:
    """A job that is under way."""

    job: Job
    payload: bytes
    talk: PrinterTalk
    waiting: Waiting


class PrintLoop:
    """Made by `agent.app`; `wake` is for any thread, `run` is its own."""

    def __init__(
        self,
        settings: PrinterSettings,
        opener: Callable[[], Printer],
        writer: Writer,
        queue_file: Path | QueueFile,
        status: Status,
        clock: Clock,
        patience: Patience = USUAL,
    ) -> None:
        self._settings = settings
        self._patience = patience
        self._book = JobBook(settings.name, writer, patience.stored_within)
        self._queue_file = queue_file
        self._status = status
        self._clock = clock
        self._wake = threading.Event()
        self._opener = opener
        self._doubts = Doubts()
        self._spoke = self._told = False  # it has answered, and told the end of a job, since the agent began
        self._told_to_go_on = clock.monotonic()
        self._withdrawals: queue.SimpleQueue[tuple[int, Future[bool]]] = queue.SimpleQueue()

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def withdraw(self, job: int) -> Future[bool]:
        """Make the printer forget a held job that it has; True = it did, and the job is dropped. For any thread."""
        wanted: Future[bool] = Future()
        self._withdrawals.put((job, wanted))
        return wanted

    def decided(self, job: int) -> None:
        """A person has looked at the receipt of that job, which was in doubt. For any thread."""
        self._doubts.decided(job)

    def run(self, stop: threading.Event) -> None:
        """Print until `stop`."""
        link: Link[Printer] = Link(self._settings.name, self._opener, self._link_changed, self._clock, kind="printer")
        reader = Reader(self._queue_file)
        try:
            self._look_back(reader)
            link.run(stop, lambda printer, ended: self._use(self._talk(printer), reader, ended))
        finally:
            reader.close()

    def _talk(self, printer: Printer) -> PrinterTalk:
        return PrinterTalk(printer, self._clock, numbers=self._settings.profile.job_numbers)

    def _look_back(self, reader: Reader) -> None:
        """What has become of the jobs before this thread began?"""
        for job in reader.jobs(("sending", "held"), self._settings.name):
            if job.state == "sending" or job.note == IN_PRINTER:
                self._doubt(job, self._encode(job), "interrupted", whole=job.note == IN_PRINTER)
        last = reader.last_tried(self._settings.name)
        if last is not None and last.state == "unknown" and not self._doubts.open:
            self._doubts.add(last.id, flush(self._encode(last) or b"", whole=False), _FENCES_BEFORE_US)
            if last.note in DECIDED:
                self._doubts.decided(last.id)

    def _use(self, talk: PrinterTalk, reader: Reader, stop: threading.Event) -> None:
        self._unready(talk, stop)
        looked = self._clock.monotonic()
        self._wake.set()
        while not stop.is_set():
            if self._wake.is_set():
                self._wake.clear()
                self._print_all(talk, reader, stop)
            self._withdrawn(None)
            self._listen(talk, 0.0)
            if self._clock.monotonic() - looked >= (_LOOK_EVERY if talk.speaks else _LOOK_EVERY_SILENT):
                self._look(talk)
                looked = self._clock.monotonic()
            self._clock.wait(self._wake, _TURN)

    def _print_all(self, talk: PrinterTalk, reader: Reader, stop: threading.Event) -> None:
        """Print what is due, the oldest first, until there is nothing more or the printer cannot."""
        while not stop.is_set():
            jobs = reader.jobs(("queued", "held", "sending"), self._settings.name)
            if not jobs:
                return
            if not self._print(jobs[0], talk, stop):
                self._wake.set()
                self._clock.wait(stop, _HELD_TURN)

    def _print(self, job: Job, talk: PrinterTalk, stop: threading.Event) -> bool:
        """Try one job. False: not now."""
        payload = self._encode(job)
        if job.state == "sending" or job.note == IN_PRINTER:  # but its end could not be stored
            return self._doubt(job, payload, "interrupted", whole=job.note == IN_PRINTER)
        if payload is None:
            return self._book.set(job.id, "failed", "document")
        problem = self._unready(talk, stop)
        if problem is not None:
            self._hold(job, problem)
            return False
        self._let_pass(talk, stop)
        if stop.is_set() or not self._book.set(job.id, "sending"):
            return False
        end = self._end_of(job, talk)
        out = _Out(job, payload, talk, Waiting(self._clock, self._patience, talk, len(payload), spoke=self._spoke))
        try:
            self._hand_over(payload + end, talk, stop)
            self._await(out, stop)
        except DeviceRefused:
            self._book.set(job.id, "held", "refused")
            raise
        except DeviceError as error:
            note: Note = "stalled" if isinstance(error, DeviceStalled) else "connection_lost"
            self._doubt_of(out, note)
            raise
        return True

    def _hold(self, job: Job, why: Problem | Note) -> None:
        if (job.state, job.note) != ("held", why):
            self._book.set(job.id, "held", why)

    def _unready(self, talk: PrinterTalk, stop: threading.Event) -> Problem | None:
        """What keeps the printer from taking a job; None = nothing, and it is free of all earlier jobs.

        That comes first: where a command was cut off in its length, a question would become the length.
        """
        if self._doubts.flush and self._settings.answers:  # a queue passes on whole jobs, so nothing was cut off in it
            self._hand_over(self._doubts.flush, talk, stop)
            self._doubts.flush = b""
        return self._look(talk)

    def _encode(self, job: Job) -> bytes | None:
        try:
            document, settings = from_json(job.document), self._settings
            return encode(document, settings.profile, settings.width, settings.logo, settings.lacking)
        except CannotPrint as error:
            log.exception("print job=%d printer=%s refused=letters", job.id, self._settings.name)
            chars = " ".join(error.chars)
            self._status.set("receipt", self._settings.name, "warning", "status.receipt_letters", chars=chars)
            return None
        except (ValueError, LookupError) as error:
            log.exception("print job=%d unprintable error=%s", job.id, type(error).__name__)
            return None

    def _end_of(self, job: Job, talk: PrinterTalk) -> bytes:
        if not self._settings.answers:
            return b""
        late = self._doubts.late_fences(self._clock.monotonic(), self._patience.late_fences_end)
        return talk.end_of(number_of(job.id), late)

    def _let_pass(self, talk: PrinterTalk, stop: threading.Event) -> None:
        """Answers to fences of earlier jobs, where there may be many."""
        while (
            left := self._doubts.let_pass(self._clock.monotonic(), self._patience.late_fences_end)
        ) > 0 and not stop.is_set():
            self._listen(talk, min(left, _TURN))

    def _hand_over(self, payload: bytes, talk: PrinterTalk, stop: threading.Event) -> None:
        """All of it, however slowly the printer takes it. Raises DeviceStalled when it takes nothing for too long."""
        rest, since = payload, self._clock.monotonic()
        while rest:
            try:
                talk.write(rest)
            except DeviceStalled as stalled:
                rest = rest[stalled.taken :]
                since = self._clock.monotonic() if stalled.taken else since
                if stop.is_set() or self._clock.monotonic() - since >= self._patience.stalled_after:
                    raise
                self._status.set("printer", self._settings.name, "down", "status.printer_stalled")
            else:
                return

    def _await(self, out: _Out, stop: threading.Event) -> None:
        """Find out what becomes of a job that has been sent."""
        if not self._settings.answers:
            self._settle(out.job, "sent", "handed_over")
            return
        out.waiting.begin()
        while not out.talk.printed:
            if stop.is_set():
                self._part(out)
                return
            self._listen(out.talk, _TURN)
            if self._withdrawn(out) or self._given_up(out):
                return
        self._told = True
        self._settle(out.job, "printed")

    def _given_up(self, out: _Out) -> bool:
        """From time to time ask how the printer is; True: no more will be heard of the job."""
        if out.talk.printed or not out.waiting.time_to_ask():
            return False
        condition = out.talk.ask()
        self._mend(out.talk, condition)
        self._show(condition)
        verdict = out.waiting.judge(condition)
        if verdict == "held":
            self._book.set(out.job.id, "held", IN_PRINTER)
        elif verdict == "unknown" or (verdict == "sent" and self._told and out.talk.tells_the_end):
            self._doubt_of(out, "silent")  # where it does tell the end of jobs, this one got lost
        elif verdict == "sent":
            self._untold(out)
        return verdict in ("unknown", "sent")

    def _withdrawn(self, out: _Out | None) -> bool:
        """Do as `withdraw` asked; without a job that is out there is nothing to forget."""
        done = False
        while not self._withdrawals.empty():
            wanted, answer = self._withdrawals.get()
            meant = out is not None and wanted == out.job.id
            if out is not None and meant and not done:
                done = self._forgotten(out)
            answer.set_result(meant and done)
        return done

    def _forgotten(self, out: _Out) -> bool:
        """A printer that forgets may have printed a part, and tells no end of it."""
        if not (out.waiting.held and self._settings.profile.job_numbers):
            return False
        if not out.talk.withdraw(_WITHDRAW_WITHIN) or out.talk.printed:
            return False
        self._doubts.flush = flush(out.payload, whole=False)
        self._book.set(out.job.id, "failed", "dropped")
        return True

    def _untold(self, out: _Out) -> None:
        """The printer is well and does not say that it has printed."""
        if out.talk.tells_the_end:
            out.talk.numbers, out.talk.fences = False, out.talk.numbers  # the next simpler way, if there is one
        self._settle(out.job, "sent", "no_fence" if out.talk.speaks else "no_answers")
        if not out.talk.speaks:
            self._doubts.expect(out.talk.fences_sent)

    def _part(self, out: _Out) -> None:
        """The agent stops while the job is being printed: a last moment to hear of it."""
        self._listen(out.talk, _STOP_WITHIN)
        if out.talk.printed:
            self._book.set(out.job.id, "printed")
        else:
            self._doubt_of(out, "interrupted")

    def _settle(self, job: Job, state: Literal["printed", "sent"], note: Note = "") -> None:
        self._book.set(job.id, state, note)
        self._doubts.settle(self._clock.monotonic())

    def _doubt_of(self, out: _Out, note: Note) -> None:
        self._doubt(out.job, out.payload, note, out.talk.fences_sent, whole=out.waiting.held)

    def _doubt(
        self, job: Job, payload: bytes | None, note: Note, fences: int = _FENCES_BEFORE_US, *, whole: bool
    ) -> bool:
        self._doubts.add(job.id, flush(payload or b"", whole=whole), fences)
        return self._book.set(job.id, "unknown", note)

    def _listen(self, talk: PrinterTalk, timeout: float) -> None:
        talk.listen(timeout)
        for job in self._doubts.settled_by(talk.late):
            self._book.set(job, "printed", "late")
        talk.late.clear()

    def _look(self, talk: PrinterTalk) -> Problem | None:
        """Ask how it is and show it. One that used to answer and does not any more is opened anew: that cures half-dead
        connections, and a printer that stays mute then counts as one that cannot be asked."""
        if not self._settings.answers:
            self._status.set("printer", self._settings.name, "ok", "status.printer_queue")
            return None
        condition = talk.ask()
        if condition is None and talk.speaks:
            raise DeviceGone(f"printer {self._settings.name}: it does not answer any more")
        if condition is not None:
            self._mend(talk, condition)
            self._show(condition)
            return condition.problem
        if self._spoke:
            self._status.set("printer", self._settings.name, "warning", "status.printer_silent")
        else:
            self._status.set("printer", self._settings.name, "ok", "status.printer_mute")
        return None

    def _mend(self, talk: PrinterTalk, condition: Condition | None) -> None:
        """After a jam has been cleared by hand a printer waits to be told to go on."""
        if condition is None or condition.problem not in _MENDED_BY_HAND:
            return
        if self._clock.monotonic() - self._told_to_go_on >= self._patience.recover_every:
            self._told_to_go_on = self._clock.monotonic()
            talk.go_on()

    def _show(self, condition: Condition | None) -> None:
        name = self._settings.name
        if condition is None:
            return
        self._spoke = True
        if condition.problem is not None:
            self._status.set("printer", name, "down", f"status.printer_{condition.problem}")
        elif self._doubts.open:
            self._status.set("printer", name, "warning", "status.printer_unknown")
        elif condition.paper_low:
            self._status.set("printer", name, "warning", "status.printer_paper_low")
        else:
            self._status.set("printer", name, "ok", "status.printer_ok")

    def _link_changed(self, change: LinkChanged) -> None:
        if not change.up:
            self._status.set("printer", change.device, "down", f"status.printer_{change.code}")
