"""What earlier epochs of the file have not delivered is written again in the present one, each row with its origin.

The same event keeps its id and its sale; the origin lets the server see that it may have booked it already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loyalty.wire import Origin
from offline_queue.outbox import NewRow, append_row, stamp
from offline_queue.rows import NOTHING, StoredRow, damaged, hash_at, read, selecting, verified
from offline_queue.transaction import Transaction

SLICE: Final = 50
"""Rows in one transaction: some milliseconds."""

_OLD_ROWS = selecting("""
SELECT outbox.seq, damaged.seq, outbox.seq - ?, $row FROM outbox LEFT JOIN damaged USING (seq)
WHERE outbox.seq > ? AND outbox.seq <= ? ORDER BY outbox.seq LIMIT ?
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
        epoch, base, end = _epoch_behind(transaction, reissued)
        last = _again(transaction, epoch, base, max(reissued, min(pruned, end)), end)
        transaction.run("UPDATE queue_state SET reissued = ?", (last,))
        return True


def _epoch_behind(transaction: Transaction, number: int) -> tuple[str, int, int]:
    """Name, base and last running number of the earlier epoch to which the next row belongs."""
    epochs = transaction.connection.execute("SELECT epoch, base FROM epochs ORDER BY id").fetchall()
    ends = [base for _, base in epochs[1:]]
    return next((epoch, base, end) for (epoch, base), end in zip(epochs[:-1], ends, strict=True) if end > number)


def _again(transaction: Transaction, epoch: str, base: int, after: int, end: int) -> int:
    """Write the next rows behind `after` again; returns the number of the last one that is done."""
    found = transaction.connection.execute(_OLD_ROWS, (base, after, end, SLICE + 1)).fetchall()
    rows = [_read(transaction, each) for each in found]
    behind: StoredRow | bytes | None = None
    if len(found) > SLICE:
        behind = rows.pop()
    else:
        behind = (transaction.one("SELECT last_hash FROM handover WHERE old_epoch = ?", (epoch,)) or (None,))[0]
    previous = hash_at(transaction.connection, after, base)
    for (number, *_), row in zip(found, verified(rows, epoch, previous, behind), strict=False):
        _reissue(transaction, number, row, Origin(epoch, row.seq))
    return end if len(found) <= SLICE else int(found[-2][0])


def _read(transaction: Transaction, found: tuple[object, ...]) -> StoredRow:
    _, marked, *values = found
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
