"""How the delivery stands while it fails: kept in the file, so that a restart does not begin to hammer the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from offline_queue.outbox import stamp
from offline_queue.transaction import Transaction

DELIVERY: Final = "SELECT attempts, next_attempt, trouble, since FROM delivery"


@dataclass(frozen=True)
class DeliveryState:
    """So many attempts have failed since then, the last one because of `trouble` (a code); the next one is due then."""

    attempts: int
    next_attempt: datetime
    trouble: str
    since: datetime


def read_delivery(values: Sequence[Any]) -> DeliveryState:
    """From what DELIVERY selects."""
    attempts, next_attempt, trouble, since = values
    return DeliveryState(attempts, datetime.fromisoformat(next_attempt), trouble, datetime.fromisoformat(since))


@dataclass(frozen=True)
class NoteAttempt:
    """A delivery failed. Progress (`SettleRows`) forgets it."""

    attempts: int
    next_attempt: datetime
    trouble: str

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""
        transaction.run(
            "INSERT INTO delivery (id, attempts, next_attempt, trouble, since) VALUES (1, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts, next_attempt = excluded.next_attempt,"
            " trouble = excluded.trouble",
            (self.attempts, stamp(self.next_attempt), self.trouble, stamp(transaction.now)),
        )


@dataclass(frozen=True)
class ForgetAttempts:
    """A person wants the next attempt at once, or the server answers again."""

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""
        transaction.run("DELETE FROM delivery")
