"""Asking an open printer how it is, and hearing from it when a job is really on the paper.

Owned by the thread of one printer, for one life of its connection. What a printer says comes mixed and at any time;
`drivers.printers.escpos.status` sorts it, this file keeps what matters: the condition, and which fence came back.

All answers to fences look alike, and a printer goes on with what it holds after a connection has broken. So the answer
to the fence of an earlier job may come late, and would tell of the next job what is true of the earlier one:
`catch_up` lets such answers pass before the next job goes out.
"""

from __future__ import annotations

from threading import Event

from agent.clock import Clock
from drivers.base import Printer
from drivers.printers.escpos.status import (
    ASK_ERROR,
    ASK_OFFLINE,
    ASK_PAPER,
    ASK_PRINTER,
    FENCE,
    Answer,
    Condition,
    Fence,
    Replies,
    condition,
)

_QUERIES = (1, 2, 3, 4)
_ANSWER_WITHIN = 0.6
_PROGRESS = 10.0
_TURN = 0.2


class PrinterTalk:
    """Every method raises DeviceGone."""

    def __init__(self, printer: Printer, clock: Clock) -> None:
        self._printer = printer
        self._clock = clock
        self._replies = Replies()
        self._answers: dict[int, int] = {}
        self._awaited = 0  # answers to fences
        self.speaks = False
        """It has answered something since it was opened; a printer that never does cannot be asked."""
        self.fences = True
        """It may answer fences. Once it has not, none are sent any more."""

    def ask(self) -> Condition | None:
        """How it is now; None = no answer. Some models answer a part of the questions; that part counts."""
        self.listen(0.0)
        self._answers.clear()
        self._replies.asked(*_QUERIES)
        self._printer.write(ASK_PRINTER + ASK_OFFLINE + ASK_ERROR + ASK_PAPER, _PROGRESS)
        end = self._clock.monotonic() + _ANSWER_WITHIN
        while len(self._answers) < len(_QUERIES) and (left := end - self._clock.monotonic()) > 0:
            self.listen(left)
        return condition(self._answers) if self._answers else None

    def catch_up(self, late: int, within: float, silence: float, stop: Event) -> bool:
        """Let the answers to as many as `late` fences of earlier jobs pass, with one more fence behind them.

        They come in order; how many of them got lost nobody knows. So it ends when all have come, or after `silence`
        seconds behind the last that did. False: none came `within` seconds.
        """
        self._awaited = late + 1
        self._printer.write(FENCE, _PROGRESS)
        end = self._clock.monotonic() + within
        while self._awaited and not stop.is_set() and (left := end - self._clock.monotonic()) > 0:
            awaited = self._awaited
            self.listen(min(left, _TURN))
            if self._awaited < awaited:
                end = self._clock.monotonic() + silence
        return self._awaited <= late

    def send(self, job: bytes) -> None:
        """Hand the whole job over, with a fence behind it."""
        self._awaited = 1
        self._printer.write(job + FENCE if self.fences else job, _PROGRESS)

    @property
    def printed(self) -> bool:
        """The job that was sent last is on the paper."""
        return self.fences and self._awaited == 0

    def listen(self, timeout: float) -> None:
        """Take in what the printer says, waiting for it at most `timeout` seconds."""
        for reply in self._replies.feed(self._printer.read(timeout)):
            self.speaks = True
            if isinstance(reply, Fence):
                self._awaited = max(self._awaited - 1, 0)
            elif isinstance(reply, Answer) and reply.query is not None:
                self._answers[reply.query] = reply.bits
