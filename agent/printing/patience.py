"""What the silence of a printer means after a job has been sent, and after how long."""

from __future__ import annotations

from dataclasses import dataclass

from agent.clock import Clock
from agent.printing.talk import PrinterTalk
from drivers.printers.escpos.status import Condition
from offline_queue.print_jobs import JobState


@dataclass(frozen=True)
class Patience:
    """Seconds: how long a printer may take no byte of a job at all; how often to ask while a job is out; when silence or a
    missing answer to its end is the answer; how long behind the end of a job answers to fences of earlier ones may come; how
    often to tell a printer to go on after an error; how long the queue may take to note a state.

    `slowest_line`, in bytes a second: a job that has been taken may still lie in an adapter or a print server that passes
    it on at 9600 baud, and what is asked meanwhile stands behind it."""

    stalled_after: float = 45.0
    ask_every: float = 1.0
    silent_after: float = 5.0
    no_fence_after: float = 30.0
    late_fences_end: float = 2.0
    recover_every: float = 5.0
    stored_within: float = 5.0
    slowest_line: float = 960.0


USUAL = Patience()


class Waiting:
    """Judges the silence after a job of `size` bytes has been sent. `spoke`: this printer has answered before, if not on this
    connection."""

    def __init__(self, clock: Clock, patience: Patience, talk: PrinterTalk, size: int, *, spoke: bool) -> None:
        self._clock = clock
        self._patience = patience
        self._speaks = talk.speaks or spoke
        on_the_line = size / patience.slowest_line
        self._silent_after = patience.silent_after + on_the_line
        self._no_end_after = patience.no_fence_after + on_the_line if talk.tells_the_end else 0.0
        self._stopped = False
        self.held = False
        """The printer has been seen to stop in the middle, with the job in it."""
        self.begin()

    def begin(self) -> None:
        """All bytes are out."""
        self._asked = self._heard = self._calm = self._clock.monotonic()

    def time_to_ask(self) -> bool:
        """Every `ask_every` seconds."""
        now = self._clock.monotonic()
        if now - self._asked < self._patience.ask_every:
            return False
        self._asked = now
        return True

    def judge(self, condition: Condition | None) -> JobState | None:
        """What the job is by now, told once; None = wait on."""
        now = self._clock.monotonic()
        if condition is None:
            silent = now - self._heard
            return "sent" if not self._speaks else "unknown" if silent >= self._silent_after else None
        self._speaks, self._heard = True, now
        if condition.problem is not None:
            self._stopped = True
            held, self.held = self.held, True
            return None if held else "held"
        if self._stopped:
            self._stopped, self._calm = False, now
        return "sent" if now - self._calm >= self._no_end_after else None
