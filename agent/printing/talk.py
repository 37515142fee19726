"""Asking an open printer how it is, and hearing from it when a job is really on the paper.

Owned by the thread of one printer, for one life of its connection. What a printer says comes mixed and at any time;
`drivers.printers.escpos.status` sorts it, this file keeps what matters: the condition, and which job came to its end.

The end of a job is told in one of two ways. A printer whose profile says so gives back the job's own number (GS ( H), which
also settles earlier jobs, however late it comes. All others answer a fence (GS r), and all such answers look alike: that to
an earlier job may come late and would tell of the next job what is true of the earlier one. So behind a job stand as many
fences as there may be late answers, and one more: of that many answers at least one comes from behind the job.
"""

from __future__ import annotations

from agent.clock import Clock
from drivers.base import Printer
from drivers.printers.escpos.status import (
    ASK_ERROR,
    ASK_OFFLINE,
    ASK_PAPER,
    ASK_PRINTER,
    CLEAR,
    FENCE,
    RECOVER,
    Answer,
    Cleared,
    Condition,
    Fence,
    Printed,
    Replies,
    Reply,
    condition,
    job_id_command,
)

_QUERIES = (1, 2, 3, 4)
_ANSWER_WITHIN = 0.6
_STEP = 2.0
_TURN = 0.2
_MOST_LATE = 31  # fences


class PrinterTalk:
    """Every method raises DeviceGone. `numbers`: this model gives back the number of a printed job."""

    def __init__(self, printer: Printer, clock: Clock, *, numbers: bool) -> None:
        self._printer = printer
        self._clock = clock
        self._replies = Replies()
        self._answers: dict[int, int] = {}
        self._number: bytes | None = None  # of the job that is out
        self._awaited = 0  # answers to fences
        self._cleared = False
        self.numbers = numbers
        """It may tell the numbers of jobs. Once it has not, it is not asked for them any more."""
        self.fences = True
        """It may answer fences. Once it has not, none are sent any more."""
        self.fences_sent = 0
        """Behind the last job."""
        self.speaks = False
        """It has answered something since it was opened; a printer that never does cannot be asked."""
        self.printed = False
        """The job that was sent last is on the paper."""
        self.late: list[bytes] = []
        """Numbers of other jobs that came to their end."""

    @property
    def tells_the_end(self) -> bool:
        """It has been asked to say when the last job is on the paper."""
        return self._number is not None or self.fences_sent > 0

    def ask(self) -> Condition | None:
        """How it is now; None = no answer. Some models answer a part of the questions; that part counts."""
        self.listen(0.0)
        self._answers.clear()
        self._replies.asked(*_QUERIES)
        self.write(ASK_PRINTER + ASK_OFFLINE + ASK_ERROR + ASK_PAPER)
        end = self._clock.monotonic() + _ANSWER_WITHIN
        while len(self._answers) < len(_QUERIES) and (left := end - self._clock.monotonic()) > 0:
            self.listen(left)
        return condition(self._answers) if self._answers else None

    def end_of(self, number: bytes, late: int) -> bytes:
        """What to send behind the job of that number, so that the printer tells when it is on the paper; `late` fences of
        earlier jobs may still be answered. Nothing, where it cannot tell or those are too many."""
        self.printed, self._number, self._awaited, self.fences_sent = False, None, 0, 0
        if self.numbers:
            self._number = number
            return job_id_command(number)
        self._awaited = late + 1 if self.fences and late <= _MOST_LATE else 0
        self.fences_sent = self._awaited
        return FENCE * self._awaited

    def write(self, payload: bytes) -> None:
        """Hand it over. Raises DeviceStalled, with what was taken, when the printer takes nothing for a moment."""
        self._printer.write(payload, _STEP)

    def go_on(self) -> None:
        """Print on from the failed line, after an error that a person has mended. Ignored without one."""
        self.write(RECOVER)

    def withdraw(self, within: float) -> bool:
        """Make it forget what it holds. False: it does not say that it did."""
        self._cleared = False
        self.write(CLEAR)
        end = self._clock.monotonic() + within
        while not self._cleared and (left := end - self._clock.monotonic()) > 0:
            self.listen(min(left, _TURN))
        return self._cleared

    def listen(self, timeout: float) -> None:
        """Take in what the printer says, waiting for it at most `timeout` seconds."""
        for reply in self._replies.feed(self._printer.read(timeout)):
            self.speaks = True
            self._hear(reply)

    def _hear(self, reply: Reply) -> None:
        match reply:
            case Fence():
                self.printed = self.printed or self._awaited == 1
                self._awaited = max(self._awaited - 1, 0)
            case Printed(number) if number == self._number:
                self.printed = True
            case Printed(number):
                self.late.append(number)
            case Cleared():
                self._cleared = True
            case Answer(query, bits) if query is not None:
                self._answers[query] = bits
