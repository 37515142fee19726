"""What earlier epochs of the file have not delivered is written again in the present one, each row with its origin.

The same event keeps its id and its sale; the origin lets the server see that it may have booked it already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from loyalty.chain import GENESIS
from loyalty.wire import SCHEMA, Origin
from offline_queue.outbox import NewRow, append_row, stamp
from offline_queue.rows import NOTHING, SLACK, StoredRow, damaged, hash_at, in_place, read, selecting, verified
from offline_queue.transaction import Transaction

SLICE: Final = 50
"""Rows in one transaction: some milliseconds."""

_OLD_ROWS = selecting("""
SELECT damaged.seq, outbox.seq - ?, $row FROM outbox LEFT JOIN damaged USING (seq)
WHERE outbox.seq >= ? ORDER BY outbox.seq LIMIT ?
""")


@dataclass(frozen=True)
class ReissueRows:
    """Write the next slice again. The result: there may be more."""

    def apply(self, transaction: Transaction) -> bool:
        """Raises QueueFull."""
        state = transaction.state()
        reissued, pruned = transaction.one("SELECT reissued, pruned FROM queue_state") or (0, 0)
        if reissued >= state.base:
            return False
        old = _epoch_behind(transaction, reissued)
        after = max(reissued, min(pruned, old.end))
        last = min(after + SLICE, old.end)
        _again(transaction, old, after, last)
        transaction.run("UPDATE queue_state SET reissued = ?", (last,))
        return True


class _Epoch(NamedTuple):
    name: str
    base: int
    end: int


def _epoch_behind(transaction: Transaction, number: int) -> _Epoch:
    """The earlier epoch to which the row behind this number belongs."""
    epochs = transaction.connection.execute("SELECT epoch, base FROM epochs ORDER BY id").fetchall()
    ends = [base for _, base in epochs[1:]]
    spans = (_Epoch(epoch, base, end) for (epoch, base), end in zip(epochs[:-1], ends, strict=True))
    return next(span for span in spans if span.end > number)


def _again(transaction: Transaction, old: _Epoch, after: int, last: int) -> None:
    """Write the rows behind `after` up to `last` again; one that is not there any more is told as damaged."""
    connection, base = transaction.connection, old.base
    begin = max(after + 1 - SLACK, 0)
    stored = [
        _read(transaction, each) for each in connection.execute(_OLD_ROWS, (base, begin, last - begin + 2 * SLACK))
    ]
    begin = max(begin, 1)
    placed = in_place(stored, old.name, begin - base, hash_at(connection, begin - 1, base))
    found = [row for row in placed if after < row.seq + base <= old.end]
    rows = [row for row in found if row.seq + base <= last]
    behind: StoredRow | bytes | None = next((row for row in found if row.seq + base == last + 1), None)
    if last == old.end:
        behind = (transaction.one("SELECT last_hash FROM handover WHERE old_epoch = ?", (old.name,)) or (None,))[0]
    good = {row.seq: row for row in verified(rows, old.name, hash_at(connection, after, base), behind)}
    for seq in range(after - old.base + 1, last - old.base + 1):
        _reissue(transaction, seq + old.base, good.get(seq) or _gone(seq), Origin(old.name, seq))


def _gone(seq: int) -> StoredRow:
    return StoredRow(seq, "", "damaged", "", NOTHING, SCHEMA, GENESIS)


def _read(transaction: Transaction, found: tuple[Any, ...]) -> StoredRow:
    marked, *values = found
    row = read(values, transaction.keys)
    return row if marked is None else damaged(row)


def _reissue(transaction: Transaction, number: int, row: StoredRow, origin: Origin) -> None:
    """Write the row again, and let its sale follow it."""
    seq = append_salvaged(transaction, row, origin)
    if seq is not None:
        transaction.run("UPDATE sales SET seq = ? WHERE seq = ?", (seq + transaction.state().base, number))


def append_salvaged(transaction: Transaction, row: StoredRow, origin: Origin) -> int | None:
    """Write a row of another epoch in this one; None = it is here already. Raises QueueUnclaimed, QueueFull."""
    if transaction.one("SELECT 1 FROM outbox WHERE origin_epoch = ? AND origin_seq = ?", (origin.epoch, origin.seq)):
        return None
    if row.kind == "damaged":
        return append_row(transaction, NewRow("damaged", stamp(transaction.now), NOTHING, row.id, origin=origin))
    return append_row(transaction, NewRow(row.kind, row.at, row.body, row.id, row.schema, origin))
