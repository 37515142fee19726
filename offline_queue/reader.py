"""Read-only views of queue.db, each with a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from loyalty.chain import GENESIS
from loyalty.wire import Problem, Sale
from offline_queue import store
from offline_queue.delivery import DELIVERY, DeliveryState, read_delivery
from offline_queue.epochs import Handover
from offline_queue.errors import RowSpoiled
from offline_queue.outbox import RejectedRow
from offline_queue.print_jobs import Job, JobState, read_job, selecting_job
from offline_queue.rows import SLACK, StoredRow, damaged, hash_at, in_place, read, selecting, verified
from offline_queue.sales import SALE_BY_ID, StoredSale, read_sale
from offline_queue.sealing import PLAIN, QueueFile

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True)
class Depth:
    """Where the queue stands, in the numbers of its epoch. `epoch` is None on a device that is not claimed."""

    pending: int
    oldest_at: datetime | None
    rejected: int
    last_seq: int
    last_hash: bytes
    watermark: int
    device: str | None
    epoch: str | None
    agreed: int
    """Whether the server knows of the epoch; nothing of it may be sent before."""
    damaged: int
    opened: int
    """How often the file has been opened."""
    instance: str
    """A name for the present opening; a copy of the file gets another one."""
    undelivered: int
    """Rows of earlier epochs that are still to be written again in this one."""
    base: int
    """The running number in the file is that much higher than the number in the epoch."""
    settled_hash: bytes | None
    """Of the last row of the epoch that is settled, if there is one and it is kept."""


@dataclass(frozen=True)
class Span:
    """The rows of one epoch, in running numbers: behind `base` up to `end`, the last one with that hash where it is known."""

    epoch: str
    base: int
    end: int
    last_hash: bytes | None


_DEPTH = """
SELECT last_seq - watermark, outbox.at, rejected, last_seq - base, last_hash, watermark - base, device, epoch,
       NOT EXISTS (SELECT 1 FROM handover), damaged, opened, instance, max(base - reissued, 0), base,
       (SELECT hash FROM outbox WHERE seq = queue_state.watermark AND seq > queue_state.base)
FROM queue_state LEFT JOIN outbox ON outbox.seq = queue_state.watermark + 1
"""
_STANDING = "SELECT base, sealed_by FROM queue_state"
_PRESENT = "SELECT ifnull(epoch, ''), base, last_seq, last_hash FROM queue_state"
_PAST = """
SELECT epoch, base, lead(base) OVER (ORDER BY id), (SELECT last_hash FROM handover WHERE old_epoch = epoch)
FROM epochs ORDER BY id
"""
_ONE_ROW = "SELECT problem FROM rejected WHERE seq = ? AND corrected IS NULL"
_ROWS = selecting("""
SELECT damaged.seq, outbox.seq - ?, $row FROM outbox LEFT JOIN damaged USING (seq)
WHERE outbox.seq >= ? ORDER BY outbox.seq LIMIT ?
""")
_REJECTED = selecting("""
SELECT problem, rejected.seq,
       outbox.seq - ifnull((SELECT base FROM epochs WHERE base < outbox.seq ORDER BY id DESC LIMIT 1), 0), $row
FROM rejected JOIN outbox USING (seq) WHERE corrected IS NULL ORDER BY outbox.seq DESC LIMIT ?
""")
_OWN_SALES = selecting("""
SELECT outbox.seq, $row FROM sales JOIN outbox USING (seq)
WHERE sales.member = ? AND sales.seq > ? AND NOT EXISTS (SELECT 1 FROM rejected WHERE rejected.seq = sales.seq)
""")
_JOBS = selecting_job("""
SELECT $job FROM print_jobs
WHERE state IN (SELECT value FROM json_each(?)) AND printer = ifnull(?, printer) ORDER BY id
""")
_NEWEST_JOBS = selecting_job("""
SELECT * FROM (
  SELECT $job FROM print_jobs WHERE state IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?
) ORDER BY id
""")
_JOB = selecting_job("SELECT $job FROM print_jobs WHERE id = ?")
_LAST_TRIED = selecting_job("""
SELECT $job FROM print_jobs WHERE printer = ? AND state NOT IN ('queued', 'held', 'failed') ORDER BY id DESC LIMIT 1
""")
_HANDOVER = """
SELECT reason, old_epoch, handover.last_seq, handover.last_hash, epoch, begun_at FROM handover JOIN queue_state
"""


class Reader:
    """Answers from the file as it is on the disk; for one thread at a time. Every method raises QueueDamaged."""

    def __init__(self, file: Path | QueueFile) -> None:
        file = QueueFile.of(file)
        self._path, self._keys = file.path, file.keys
        self._connection = store.connect_reader(file.path)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def depth(self) -> Depth:
        """Where the queue stands, in constant time."""
        ((pending, at, *rest),) = self._all(_DEPTH, ())
        return Depth(pending, _moment(at), *rest)

    def handover(self) -> Handover | None:
        """What the server must agree to before any row is sent; None = it has."""
        found = self._one(_HANDOVER)
        if found is None:
            return None
        reason, old_epoch, last_seq, last_hash, epoch, begun_at = found
        return Handover(reason, old_epoch, last_seq, last_hash, epoch, datetime.fromisoformat(begun_at))

    def delivery(self) -> DeliveryState | None:
        """How the last attempts to deliver went; None = well."""
        found = self._one(DELIVERY)
        return read_delivery(found) if found else None

    def pending(self, limit: int) -> list[StoredRow]:
        """The oldest rows that the server has not settled, as they may be sent."""
        return self.rows(self.depth().watermark + 1, limit)

    def rows(self, first: int, limit: int) -> list[StoredRow]:
        """Rows in order from seq `first` of this epoch on, settled or not, each as it may be sent: see `rows.verified`."""
        return self._consistently(lambda: self._verified(self._present(), first, limit))

    def spans(self) -> list[Span]:
        """All epochs of the file, the present one last."""
        past = [Span(*row) for row in self._all(_PAST, ())[:-1]]
        return [*past, self._consistently(self._present)]

    def rows_in(self, span: Span, first: int, limit: int) -> list[StoredRow]:
        """The same for any epoch of the file."""
        return self._consistently(lambda: self._verified(span, first, limit))

    def row(self, number: int) -> tuple[Span, StoredRow, Problem | None] | None:
        """The row with this running number, and why the server did not take it."""
        span = next((each for each in self.spans() if each.base < number <= each.end), None)
        if span is None:
            return None
        found = [row for row in self.rows_in(span, number - span.base, 1) if row.seq + span.base == number]
        problem = self._one(_ONE_ROW, (number,))
        reason = msgspec.json.decode(problem[0], type=Problem) if problem else None
        return (span, found[0], reason) if found else None

    def _present(self) -> Span:
        return Span(*self._connection.execute(_PRESENT).fetchone())

    def _consistently(self, ask: Callable[[], AnswerT]) -> AnswerT:
        """Ask for several things of the same moment."""
        with store.translated(self._path):
            self._connection.execute("BEGIN")
            try:
                return ask()
            finally:
                self._connection.execute("COMMIT")

    def _verified(self, span: Span, first: int, limit: int) -> list[StoredRow]:
        """With rows before and behind those that are wanted: they tell what number, hash and content have to be."""
        base, first, last = span.base, max(first, 1), span.end - span.base
        begin = max(first - SLACK, -base)
        stored = map(self._read, self._connection.execute(_ROWS, (base, base + begin, limit + 2 * SLACK)))
        begin = max(begin, 1 - base)
        placed = in_place(stored, span.epoch, begin, hash_at(self._connection, base + begin - 1, base))
        found = [row for row in placed if 1 <= row.seq <= last]
        rows = found[: sum(row.seq < first for row in found) + limit]
        behind: StoredRow | bytes | None = None
        if len(rows) < len(found):
            behind = found[len(rows)]
        elif rows and rows[-1].seq == last:
            behind = span.last_hash
        previous = hash_at(self._connection, rows[0].seq + base - 1, base) if rows else None
        return [row for row in verified(rows, span.epoch, previous, behind) if row.seq >= first]

    def hash_before(self, seq: int) -> bytes:
        """What the row `seq` must follow in the chain."""
        with store.translated(self._path):
            base, _ = self._connection.execute(_STANDING).fetchone()
            return hash_at(self._connection, seq - 1 + base, base) or GENESIS

    def rejected(self, limit: int) -> list[RejectedRow]:
        """Rows that the server will not book and that nobody has sent again, the newest first."""
        return [
            RejectedRow(read(row, self._keys), msgspec.json.decode(problem, type=Problem), number)
            for problem, number, *row in self._all(_REJECTED, (limit,))
        ]

    def sale(self, sale_id: str) -> StoredSale | None:
        """A committed sale by its own id; None also for one that the disk has spoiled."""
        found = self._one(SALE_BY_ID, (sale_id,))
        try:
            return read_sale(found, self._keys) if found else None
        except RowSpoiled:
            return None

    def own_sales(self, member: str, after_seq: int) -> list[Sale]:
        """This till's sales of a member behind row `after_seq`, without those that the server rejected, oldest first."""
        ((base, sealed_by),) = self._all(_STANDING, ())
        found = [
            row
            for name in self._keys.idents(member, plain=sealed_by == PLAIN)
            for row in self._all(_OWN_SALES, (name, after_seq + base))
        ]
        rows = [read(row, self._keys) for row in sorted(found, key=lambda row: int(row[0]))]
        return [msgspec.json.decode(row.body, type=Sale) for row in rows if row.kind == "sale"]

    def job(self, job_id: int) -> Job | None:
        """One print job."""
        found = self._one(_JOB, (job_id,))
        return read_job(found, self._keys) if found else None

    def last_tried(self, printer: str) -> Job | None:
        """The newest job that a printer was given; one that was dropped before that does not count."""
        found = self._one(_LAST_TRIED, (printer,))
        return read_job(found, self._keys) if found else None

    def jobs(self, states: Sequence[JobState], printer: str | None = None) -> list[Job]:
        """Print jobs in any of these states, of one printer or of all, oldest first."""
        found = self._all(_JOBS, (msgspec.json.encode(states).decode(), printer))
        return [read_job(row, self._keys) for row in found]

    def newest_jobs(self, states: Sequence[JobState], limit: int) -> list[Job]:
        """The last jobs in any of these states, of all printers, oldest first."""
        found = self._all(_NEWEST_JOBS, (msgspec.json.encode(states).decode(), limit))
        return [read_job(row, self._keys) for row in found]

    def _read(self, row: Sequence[Any]) -> StoredRow:
        marked, *values = row
        found = read(values, self._keys)
        return found if marked is None else damaged(found)

    def _one(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        found = self._all(statement, values)
        return found[0] if found else None

    def _all(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with store.translated(self._path):
            return self._connection.execute(statement, values).fetchall()


def _moment(at: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(at) if at else None
    except ValueError:  # spoiled by the disk
        return None
