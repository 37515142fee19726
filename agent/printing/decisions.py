"""What only a person decides about a print job: print the receipt once more as a marked copy, or let it be.

Used by the command line (through the admin socket) and by the cashier page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final, Protocol

from offline_queue.errors import JobNotNow, UnknownJob
from offline_queue.outcome import Outcome
from offline_queue.print_jobs import IN_PRINTER, DropJob, Job, QueuePrint, RepeatJob
from offline_queue.reader import Reader
from receipt_templates.document import from_json, marked_as_copy, to_json

STORED_WITHIN: Final = 3.0
_WITHDRAWN_WITHIN: Final = 5.0
_ASKED_FOR: Final = timedelta(minutes=15)


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: QueuePrint | RepeatJob | DropJob, /) -> Outcome[int | None]:
        """Carry it out. Raises a TillmateError where it cannot even be taken."""
        ...


class Loop(Protocol):
    """The thread of a printer."""

    def withdraw(self, job: int) -> Future[bool]:
        """Make the printer forget a held job."""
        ...

    def decided(self, job: int) -> None:
        """Nobody needs to be told any more that the receipt of that job is in doubt."""
        ...


class PrintDecisions:
    """For any thread. Every method raises a TillmateError, or TimeoutError where the disk or a printer stalls."""

    def __init__(self, printers: Mapping[str, Loop], writer: Writer, open_reader: Callable[[], Reader]) -> None:
        self._printers = printers
        self._writer = writer
        self._open_reader = open_reader

    def job(self, number: int) -> Job:
        """Raises UnknownJob."""
        with closing(self._open_reader()) as reader:
            found = reader.job(number)
        if found is None:
            raise UnknownJob(f"there is no print job {number}", id=number)
        return found

    def again(self, number: int) -> int:
        """Order a copy that says that it is one; the result is its job. Raises UnknownJob, JobNotNow, DocumentError."""
        job = self.job(number)
        copy = to_json(marked_as_copy(from_json(job.document)))
        ordered = self._writer.submit(RepeatJob(number, copy)).result(STORED_WITHIN) or 0
        self._decided(job)
        return ordered

    def drop(self, number: int) -> None:
        """Do not print it, or let it be as it is. Raises UnknownJob, and JobNotNow where the printer keeps it."""
        job = self.job(number)
        if (job.state, job.note) != ("held", IN_PRINTER):
            self._writer.submit(DropJob(number)).result(STORED_WITHIN)
            self._decided(job)
            return
        loop = self._printers.get(job.printer)
        if loop is None or not loop.withdraw(number).result(_WITHDRAWN_WITHIN):
            raise JobNotNow(
                f"the printer has job {number} and does not forget it", id=number, state="held", note=job.note
            )

    def open_questions(self, printer: str, now: datetime) -> list[Job]:
        """Receipts of the last minutes of which nobody knows whether they came out, and nobody has decided yet; the newest
        first. Older ones interest no customer any more; `tillmate jobs` has them."""
        with closing(self._open_reader()) as reader:
            doubtful = reader.jobs(("unknown",), printer)
        return [job for job in reversed(doubtful) if job.note not in ("repeated", "dropped") and _fresh(job, now)]

    def _decided(self, job: Job) -> None:
        if job.state == "unknown" and job.printer in self._printers:
            self._printers[job.printer].decided(job.id)


def _fresh(job: Job, now: datetime) -> bool:
    return now - datetime.fromisoformat(job.changed_at) < _ASKED_FOR
