"""An enrolment QR that was asked for outside a sale: its row and its slip, together or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from loyalty.wire import Enrolment
from offline_queue import outbox, print_jobs
from offline_queue.print_jobs import NewJob
from offline_queue.transaction import Transaction


@dataclass(frozen=True)
class QueueEnrolment:
    """The result is the id of the print job, None where nothing is to be printed."""

    at: datetime
    body: Enrolment
    print_job: NewJob | None = None

    def apply(self, transaction: Transaction) -> int | None:
        """Raises QueueUnclaimed, QueueFull."""
        outbox.append(transaction, "enrolment", self.at, msgspec.json.encode(self.body))
        return print_jobs.add(transaction, self.print_job) if self.print_job else None
