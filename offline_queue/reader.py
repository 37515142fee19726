"""Read-only views of queue.db, each with a connection of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from loyalty.chain import GENESIS
from loyalty.wire import Problem, Sale
from offline_queue import store
from offline_queue.outbox import RejectedRow, StoredRow
from offline_queue.print_jobs import Job, JobState
from offline_queue.sales import SALE_BY_ID, StoredSale


@dataclass(frozen=True)
class Depth:
    """Where the queue stands. `epoch` is None on a device that is not claimed."""

    pending: int
    oldest_at: datetime | None
    rejected: int
    last_seq: int
    last_hash: bytes
    watermark: int
    device: str | None
    epoch: str | None


_DEPTH = """
SELECT last_seq - watermark, outbox.at, rejected, last_seq, last_hash, watermark, device, epoch
FROM queue_state LEFT JOIN outbox ON outbox.seq = queue_state.watermark + 1
"""
_ROWS = "SELECT seq, id, kind, at, body, schema, hash FROM outbox WHERE seq >= ? ORDER BY seq LIMIT ?"
_REJECTED = """
SELECT outbox.seq, id, kind, at, body, schema, hash, problem FROM rejected JOIN outbox USING (seq)
ORDER BY outbox.seq DESC LIMIT ?
"""
_OWN_SALES = """
SELECT outbox.body FROM sales JOIN outbox USING (seq)
WHERE sales.member = ? AND sales.seq > ? AND NOT EXISTS (SELECT 1 FROM rejected WHERE rejected.seq = sales.seq)
ORDER BY sales.seq
"""
_JOBS = """
SELECT id, printer, document, sale_id, state, note, created_at, changed_at FROM print_jobs
WHERE state IN (SELECT value FROM json_each(?)) AND printer = ifnull(?, printer) ORDER BY id
"""
_NEWEST_JOBS = """
SELECT * FROM (
  SELECT id, printer, document, sale_id, state, note, created_at, changed_at FROM print_jobs
  WHERE state IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?
) ORDER BY id
"""
_JOB = """
SELECT id, printer, document, sale_id, state, note, created_at, changed_at FROM print_jobs WHERE id = ?
"""
_LAST_TRIED = """
SELECT id, printer, document, sale_id, state, note, created_at, changed_at FROM print_jobs
WHERE printer = ? AND state NOT IN ('queued', 'held') ORDER BY id DESC LIMIT 1
"""


class Reader:
    """Answers from the file as it is on the disk; for one thread at a time. Every method raises QueueDamaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = store.connect_reader(path)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def depth(self) -> Depth:
        """Where the queue stands, in constant time."""
        ((pending, at, *rest),) = self._all(_DEPTH, ())
        return Depth(pending, datetime.fromisoformat(at) if at else None, *rest)

    def pending(self, limit: int) -> list[StoredRow]:
        """The oldest rows that the server has not settled."""
        return self.rows(self.depth().watermark + 1, limit)

    def rows(self, first: int, limit: int) -> list[StoredRow]:
        """Rows in order from seq `first` on, settled or not."""
        return [StoredRow(*row) for row in self._all(_ROWS, (first, limit))]

    def hash_before(self, seq: int) -> bytes:
        """What the row `seq` must follow in the chain."""
        found = self._one("SELECT hash FROM outbox WHERE seq = ?", (seq - 1,))
        return bytes(found[0]) if found else GENESIS

    def rejected(self, limit: int) -> list[RejectedRow]:
        """Rows that the server will not book, the newest first."""
        found = self._all(_REJECTED, (limit,))
        return [RejectedRow(StoredRow(*row[:-1]), msgspec.json.decode(row[-1], type=Problem)) for row in found]

    def sale(self, sale_id: str) -> StoredSale | None:
        """A committed sale by its own id."""
        found = self._one(SALE_BY_ID, (sale_id,))
        return StoredSale(*found) if found else None

    def own_sales(self, member: str, after_seq: int) -> list[Sale]:
        """This till's sales of a member behind row `after_seq`, without those that the server rejected, oldest first."""
        return [msgspec.json.decode(body, type=Sale) for (body,) in self._all(_OWN_SALES, (member, after_seq))]

    def job(self, job_id: int) -> Job | None:
        """One print job."""
        found = self._one(_JOB, (job_id,))
        return Job(*found) if found else None

    def last_tried(self, printer: str) -> Job | None:
        """The newest job of a printer that it was given, whatever became of it."""
        found = self._one(_LAST_TRIED, (printer,))
        return Job(*found) if found else None

    def jobs(self, states: Sequence[JobState], printer: str | None = None) -> list[Job]:
        """Print jobs in any of these states, of one printer or of all, oldest first."""
        return [Job(*row) for row in self._all(_JOBS, (msgspec.json.encode(states).decode(), printer))]

    def newest_jobs(self, states: Sequence[JobState], limit: int) -> list[Job]:
        """The last jobs in any of these states, of all printers, oldest first."""
        return [Job(*row) for row in self._all(_NEWEST_JOBS, (msgspec.json.encode(states).decode(), limit))]

    def _one(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        found = self._all(statement, values)
        return found[0] if found else None

    def _all(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with store.translated(self._path):
            return self._connection.execute(statement, values).fetchall()
