"""Print one job on a printer that nobody else holds, while the agent does not run, and say what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from agent.clock import Clock
from agent.printing.patience import USUAL, Patience, Waiting
from agent.printing.talk import PrinterTalk
from drivers.base import Printer
from offline_queue.print_jobs import JobState

_TURN = 0.2
_NUMBER = b"once"
_NOTES = {"held": "in_printer", "unknown": "silent"}


@dataclass(frozen=True)
class Outcome:
    """`state` and `note` as in the queue: printed, sent (it cannot say), failed (nothing was sent, and nobody keeps it), held
    (in the printer, which goes on by itself) or unknown."""

    state: JobState
    note: str = ""


def print_now(
    printer: Printer, payload: bytes, clock: Clock, stop: Event, patience: Patience = USUAL, *, answers: bool = True
) -> Outcome:
    """Hand the job over and wait for what becomes of it. `answers`: the driver has a way back. Raises DeviceGone."""
    talk = PrinterTalk(printer, clock, numbers=False)
    if not answers:
        talk.write(payload)
        return Outcome("sent", "handed_over")
    condition = talk.ask()
    if condition is not None and condition.problem is not None:
        return Outcome("failed", condition.problem)
    talk.write(payload + talk.end_of(_NUMBER, late=0))
    waiting = Waiting(clock, patience, talk, len(payload), spoke=False)
    while not talk.printed and not stop.is_set():
        talk.listen(_TURN)
        if talk.printed or not waiting.time_to_ask():
            continue
        verdict = waiting.judge(talk.ask())
        if verdict is not None:
            return Outcome(verdict, _NOTES.get(verdict) or ("no_fence" if talk.speaks else "no_answers"))
    return Outcome("printed") if talk.printed else Outcome("unknown", "interrupted")
