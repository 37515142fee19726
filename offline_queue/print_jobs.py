"""Print jobs: durable before the first byte goes out, and honest about what happened to them.

queued -> sending -> printed (the printer said so) | sent (it cannot say) | held (paper, cover; will go on)
                   | unknown (the connection broke in the middle; only a person sends it again) | failed
A job that was `sending` when the agent died is `unknown` from the next start on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from offline_queue.errors import UnknownJob
from offline_queue.transaction import Transaction

JobState = Literal["queued", "sending", "printed", "sent", "held", "unknown", "failed"]


@dataclass(frozen=True)
class NewJob:
    """A finished document for a printer. `document` is its JSON."""

    printer: str
    document: bytes
    sale_id: str | None = None


@dataclass(frozen=True)
class Job:
    """A print job as it lies in the file."""

    id: int
    printer: str
    document: bytes
    sale_id: str | None
    state: JobState
    note: str
    created_at: str
    changed_at: str


def add(transaction: Transaction, job: NewJob) -> int:
    """Queue the job and return its id."""
    transaction.printers.add(job.printer)
    now = transaction.now.isoformat()
    return transaction.run(
        "INSERT INTO print_jobs (printer, document, sale_id, state, created_at, changed_at)"
        " VALUES (?, ?, ?, 'queued', ?, ?)",
        (job.printer, job.document, job.sale_id, now, now),
    )


@dataclass(frozen=True)
class QueuePrint:
    """Something to print that belongs to no sale; the result is the id of its job."""

    job: NewJob

    def apply(self, transaction: Transaction) -> int:
        """Never refused."""
        return add(transaction, self.job)


@dataclass(frozen=True)
class SetJob:
    """Say what became of a job; `note` is a code for the log and the screen, "" = nothing to say."""

    id: int
    state: JobState
    note: str = ""

    def apply(self, transaction: Transaction) -> None:
        """Raises UnknownJob."""
        if transaction.one("SELECT 1 FROM print_jobs WHERE id = ?", (self.id,)) is None:
            raise UnknownJob(f"there is no print job {self.id}", id=self.id)
        transaction.run(
            "UPDATE print_jobs SET state = ?, note = ?, changed_at = ? WHERE id = ?",
            (self.state, self.note, transaction.now.isoformat(), self.id),
        )


@dataclass(frozen=True)
class DoubtSending:
    """At start: nobody knows whether a job that was being sent has been printed."""

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""
        transaction.run(
            "UPDATE print_jobs SET state = 'unknown', note = 'agent_died', changed_at = ? WHERE state = 'sending'",
            (transaction.now.isoformat(),),
        )
