"""Print jobs: durable before the first byte goes out, and honest about what happened to them.

queued -> sending -> printed (the printer said so) | sent (it cannot say) | held (paper, cover; will go on)
                   | unknown (the connection broke in the middle; only a person sends it again) | failed
A job that was `sending` when the agent died is `unknown` from the next start on. What a person decides about a job is in
its note: `repeated` (a copy was ordered) or `dropped`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from offline_queue.errors import JobNotNow, UnknownJob
from offline_queue.sealing import Keyring, Spoiled
from offline_queue.transaction import Transaction

IN_PRINTER: Final = "in_printer"
"""Note of a held job whose bytes the printer has."""

DECIDED: Final = ("repeated", "dropped")
"""Notes of jobs about which a person has decided."""

_OVER = ("printed", "sent", "unknown", "failed")

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


_COLUMNS: Final = "id, printer, document, sealed_by, sale_id, state, note, created_at, changed_at"


def selecting_job(statement: str) -> str:
    """The statement over `print_jobs`, with all that makes a job in place of $job."""
    return statement.replace("$job", _COLUMNS)


def place_of_job(printer: str, created_at: str) -> tuple[object, ...]:
    """To what the sealed document of a job is bound."""
    return ("job", printer, created_at)


def read_job(values: Sequence[Any], keys: Keyring) -> Job:
    """A job from $job; one whose document the disk has spoiled has an empty one. Raises QueueSealed."""
    job_id, printer, document, sealed_by, sale_id, state, note, created_at, changed_at = values
    try:
        plain = keys.open(document, sealed_by, *place_of_job(printer, created_at))
    except Spoiled:
        plain = b""
    return Job(job_id, printer, plain, sale_id, state, note, created_at, changed_at)


def add(transaction: Transaction, job: NewJob) -> int:
    """Queue the job and return its id. Raises QueueFull."""
    transaction.need_room()
    transaction.printers.add(job.printer)
    now = transaction.now.isoformat()
    document = transaction.keys.seal(job.document, *place_of_job(job.printer, now))
    return transaction.run(
        "INSERT INTO print_jobs (printer, document, sealed_by, sale_id, state, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, 'queued', ?, ?)",
        (job.printer, document.content, document.key, job.sale_id, now, now),
    )


@dataclass(frozen=True)
class QueuePrint:
    """Something to print that belongs to no sale; the result is the id of its job."""

    job: NewJob

    def apply(self, transaction: Transaction) -> int:
        """Raises QueueFull."""
        return add(transaction, self.job)


@dataclass(frozen=True)
class SetJob:
    """Say what became of a job; `note` is a code for the log and the screen, "" = nothing to say."""

    id: int
    state: JobState
    note: str = ""

    def apply(self, transaction: Transaction) -> None:
        """Raises UnknownJob, and JobNotNow for a job that was to be sent, or to wait on, and has been dropped meanwhile."""
        old = _find(transaction, self.id)
        dropped = old.state == "failed" and self.state == "held"
        if dropped or (self.state == "sending" and old.state not in ("queued", "held")):
            raise _not_now(old, "is not waiting any more")
        _set(transaction, self.id, self.state, self.note)


@dataclass(frozen=True)
class RepeatJob:
    """A person wants the receipt of a job that is over once more; `document` is the copy. The result is the new job's id."""

    id: int
    document: bytes

    def apply(self, transaction: Transaction) -> int:
        """Raises UnknownJob, QueueFull, and JobNotNow while the job itself may still be printed."""
        old = _find(transaction, self.id)
        if old.state not in _OVER:
            raise _not_now(old, "may still be printed")
        _set(transaction, old.id, old.state, "repeated")
        return add(transaction, NewJob(old.printer, self.document, old.sale_id))


@dataclass(frozen=True)
class DropJob:
    """A person does not want the job printed, or has seen what came of it."""

    id: int

    def apply(self, transaction: Transaction) -> None:
        """Raises UnknownJob, and JobNotNow where the printer has the job or nothing is left to decide."""
        old = _find(transaction, self.id)
        if old.note == IN_PRINTER or old.state not in ("queued", "held", "unknown", "failed"):
            raise _not_now(old, "cannot be dropped")
        _set(transaction, old.id, "failed" if old.state in ("queued", "held") else old.state, "dropped")


@dataclass(frozen=True)
class _Old:
    id: int
    printer: str
    sale_id: str | None
    state: JobState
    note: str


def _find(transaction: Transaction, job: int) -> _Old:
    found = transaction.one("SELECT id, printer, sale_id, state, note FROM print_jobs WHERE id = ?", (job,))
    if found is None:
        raise UnknownJob(f"there is no print job {job}", id=job)
    return _Old(*found)


def _not_now(job: _Old, why: str) -> JobNotNow:
    return JobNotNow(f"print job {job.id} {why}", id=job.id, state=job.state, note=job.note)


def _set(transaction: Transaction, job: int, state: JobState, note: str) -> None:
    transaction.run(
        "UPDATE print_jobs SET state = ?, note = ?, changed_at = ? WHERE id = ?",
        (state, note, transaction.now.isoformat(), job),
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
