"""What is settled goes again, a slice at a time; what proves that a sale was made stays for ever.

The server may be restored from a backup and want older rows again, so a settled row stays for 35 days. Days are counted
twice: by the calendar, and as days on which the agent ran, so that a clock that leaps cannot empty the queue. Rejected
rows stay until a person has dealt with them; the keys of a sale (its id, its receipt, its answer) are never deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from loyalty.chain import GENESIS
from offline_queue.rows import hash_at
from offline_queue.transaction import Transaction

KEPT_DAYS: Final = 35
KEPT_JOBS_DAYS: Final = 35
SLICE: Final = 100
"""Rows in one transaction: a few milliseconds."""
_DAYS_NOTED = 100
_PAGES: Final = 32
_FREE_PAGES: Final = 4096
"""So many free pages stay in the file for what comes."""
_INCREMENTAL: Final = 2


@dataclass(frozen=True)
class NoteDay:
    """At any time of a day: note what is settled by now."""

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""
        day = transaction.now.date().isoformat()
        if transaction.one("SELECT 1 FROM days JOIN queue_state ON settled = watermark WHERE day = ?", (day,)):
            return
        transaction.run("INSERT OR REPLACE INTO days (day, settled) SELECT ?, watermark FROM queue_state", (day,))
        transaction.run(
            "DELETE FROM days WHERE day < (SELECT day FROM days ORDER BY day DESC LIMIT 1 OFFSET ?)", (_DAYS_NOTED,)
        )


@dataclass(frozen=True)
class DeleteSettled:
    """Delete the next slice of rows that nobody will ask for again. The result: there may be more."""

    def apply(self, transaction: Transaction) -> bool:
        """Never refused."""
        pruned, reissued, base = transaction.one("SELECT pruned, reissued, base FROM queue_state") or (0, 0, 0)
        end = min(pruned + SLICE, _may_go(transaction, reissued, base))
        if end > pruned:
            _delete(transaction, pruned, end)
        return bool(end == pruned + SLICE)


def _may_go(transaction: Transaction, reissued: int, base: int) -> int:
    """The last running number that is settled for long enough."""
    today = transaction.now.date()
    before = (today - timedelta(days=KEPT_DAYS)).isoformat()
    (settled,) = transaction.one(
        "SELECT min(settled) FROM days WHERE day <= ? AND day >= (SELECT max(day) FROM days WHERE day < ?"
        " AND day <= (SELECT day FROM days WHERE day <= ? ORDER BY day DESC LIMIT 1 OFFSET ?))",
        (today.isoformat(), before, today.isoformat(), KEPT_DAYS),
    ) or (None,)
    settled = settled or 0
    return min(settled, reissued) if reissued < base else settled


def _delete(transaction: Transaction, pruned: int, end: int) -> None:
    last = hash_at(transaction.connection, end, 0) or GENESIS
    transaction.run(
        "DELETE FROM outbox WHERE seq > ? AND seq <= ? AND seq NOT IN (SELECT seq FROM rejected WHERE corrected IS NULL)",
        (pruned, end),
    )
    transaction.run("DELETE FROM rejected WHERE seq > ? AND seq <= ? AND corrected IS NOT NULL", (pruned, end))
    (gone,) = transaction.one("SELECT count(*) FROM damaged WHERE seq > ? AND seq <= ?", (pruned, end)) or (0,)
    transaction.run("DELETE FROM damaged WHERE seq > ? AND seq <= ?", (pruned, end))
    transaction.run("UPDATE queue_state SET damaged = damaged - ?, pruned = ?, pruned_hash = ?", (gone, end, last))


@dataclass(frozen=True)
class DeleteJobs:
    """Delete the next slice of print jobs that were over long ago. The result: there may be more."""

    def apply(self, transaction: Transaction) -> bool:
        """Never refused."""
        before = (transaction.now - timedelta(days=KEPT_JOBS_DAYS)).isoformat()
        transaction.run(
            "DELETE FROM print_jobs WHERE id IN (SELECT id FROM (SELECT id, state, changed_at FROM print_jobs"
            " ORDER BY id LIMIT ?) WHERE changed_at < ? AND state IN ('printed', 'sent', 'unknown', 'failed'))",
            (SLICE, before),
        )
        (gone,) = transaction.one("SELECT changes()") or (0,)
        return bool(gone)


@dataclass(frozen=True)
class GiveBackPages:
    """Give some free pages of the file back to the disk. The result: there may be more."""

    def apply(self, transaction: Transaction) -> bool:
        """Never refused. Does nothing in a file that was made before this was possible."""
        (free,) = transaction.one("PRAGMA freelist_count") or (0,)
        (mode,) = transaction.one("PRAGMA auto_vacuum") or (0,)
        if mode != _INCREMENTAL or free <= _FREE_PAGES:
            return False
        transaction.connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
        return True
