"""Noting in the queue what has become of a print job."""

from __future__ import annotations

import logging
from concurrent.futures import TimeoutError as NotInTime
from typing import Literal, Protocol

from drivers.printers.escpos.status import Problem
from loyalty.errors import TillmateError
from offline_queue.outcome import Outcome
from offline_queue.print_jobs import JobState, SetJob

log = logging.getLogger(__name__)

Note = Literal[
    "",
    "in_printer",
    "document",
    "connection_lost",
    "stalled",
    "silent",
    "interrupted",
    "no_fence",
    "no_answers",
    "handed_over",
    "refused",
    "dropped",
    "late",
]
"""Why a job is in its state, beside the printer's own problems."""


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: SetJob, /) -> Outcome[None]:
        """Carry it out. Raises a TillmateError where it cannot even be taken."""
        ...


class JobBook:
    """Of one printer. `within`: seconds that the queue may take to note a state."""

    def __init__(self, printer: str, writer: Writer, within: float) -> None:
        self._printer = printer
        self._writer = writer
        self._within = within

    def set(self, job: int, state: JobState, note: Note | Problem = "") -> bool:
        """Store what became of a job. False: the queue did not take it, so nothing may be built on it."""
        log.info("print job=%d printer=%s state=%s note=%s", job, self._printer, state, note)
        try:
            self._store(SetJob(job, state, note))
        except (TillmateError, NotInTime) as error:
            log.warning("print job=%d state=%s not_stored=%s", job, state, error)
            return False
        return True

    def _store(self, change: SetJob) -> None:
        """Raises TillmateError or NotInTime; then it is not stored, and will not be later either."""
        stored = self._writer.submit(change)
        while True:
            try:
                stored.result(self._within)
            except NotInTime:
                if stored.cancel() or (stored.done() and stored.exception()):  # done without: it was just in time
                    raise
            else:
                return
