"""Asking an open printer how it is, and hearing from it when a job is really on the paper.

Owned by the thread of one printer, for one life of its connection. What a printer says comes mixed and at any time;
`drivers.printers.escpos.status` sorts it, this file keeps what matters: the condition, and how many fences came back.
"""

from __future__ import annotations

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


class PrinterTalk:
    """Every method raises DeviceGone."""

    def __init__(self, printer: Printer, clock: Clock) -> None:
        self._printer = printer
        self._clock = clock
        self._replies = Replies()
        self._answers: dict[int, int] = {}
        self._fences_sent = 0
        self._fences_back = 0
        self.speaks = False
        """It has answered something since it was opened; a printer that never does cannot be asked."""

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

    def send(self, job: bytes) -> None:
        """Hand the whole job over, with a fence behind it."""
        self._fences_sent += 1
        self._printer.write(job + FENCE, _PROGRESS)

    @property
    def printed(self) -> bool:
        """Everything that was sent in this life is on the paper."""
        return self._fences_back >= self._fences_sent

    def listen(self, timeout: float) -> None:
        """Take in what the printer says, waiting for it at most `timeout` seconds."""
        for reply in self._replies.feed(self._printer.read(timeout)):
            self.speaks = True
            if isinstance(reply, Fence):
                self._fences_back += 1
            elif isinstance(reply, Answer) and reply.query is not None:
                self._answers[reply.query] = reply.bits
