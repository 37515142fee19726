"""Print jobs as `tillmate jobs list` shows them: read-only, while the agent runs and when it does not."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final, get_args

import msgspec

from offline_queue import Reader
from offline_queue.print_jobs import DECIDED, Job, JobState
from offline_queue.sealing import Keyring, QueueFile

_OPEN: Final[tuple[JobState, ...]] = ("queued", "sending", "held", "unknown", "failed")
_EVERY: Final[tuple[JobState, ...]] = get_args(JobState)


class ShownJob(msgspec.Struct, frozen=True, kw_only=True):
    """One print job. `note` says why it is in its state; `sale` is the id of the sale that it belongs to."""

    id: int
    printer: str
    state: JobState
    note: str
    sale: str | None
    created_at: str
    changed_at: str

    @property
    def in_doubt(self) -> bool:
        """A person should look at the paper and decide."""
        return self.state == "unknown" and self.note not in DECIDED


class JobListing(msgspec.Struct, frozen=True, kw_only=True):
    """The newest jobs, the oldest of them first. `more`: there are older ones."""

    jobs: tuple[ShownJob, ...]
    more: bool


class _Unopened(Keyring):
    """No document is shown, so none is opened, and the keys of the service are not needed."""

    def open(self, content: bytes, key: int, *place: object) -> bytes:  # noqa: ARG002 - as Keyring has it
        """Nothing."""
        return b""


def list_jobs(path: Path, limit: int, *, every: bool) -> JobListing:
    """`every`: also jobs that are over. Raises QueueDamaged."""
    with closing(Reader(QueueFile(path, _Unopened()))) as reader:
        if every:
            found = reader.newest_jobs(_EVERY, limit + 1)
        else:
            found = [job for job in reader.jobs(_OPEN) if job.note not in DECIDED]
    return JobListing(jobs=tuple(_show(job) for job in found[-limit:]), more=len(found) > limit)


def _show(job: Job) -> ShownJob:
    return ShownJob(
        id=job.id,
        printer=job.printer,
        state=job.state,
        note=job.note,
        sale=job.sale_id,
        created_at=job.created_at,
        changed_at=job.changed_at,
    )
