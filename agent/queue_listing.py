"""The queue as `tillmate queue` shows it: read-only, while the agent runs and when it does not."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from agent.logs import clean
from loyalty.wire import Sale
from offline_queue import Depth, Reader, StoredRow

State = Literal["pending", "rejected", "settled"]


class ShownRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `body` is its JSON without card numbers and tokens; `reason` is why the server did not take it."""

    seq: int
    at: str
    kind: str
    state: State
    receipt: str | None
    pay: int | None
    reason: str | None
    body: str


class QueueListing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the queue stands, and its first rows that are not delivered."""

    pending: int
    rejected: int
    last_seq: int
    rows: tuple[ShownRow, ...]


def list_queue(path: Path, limit: int) -> QueueListing:
    """Raises QueueDamaged."""
    with closing(Reader(path)) as reader:
        depth = reader.depth()
        rejected = {each.row.seq: each for each in reader.rejected(limit)}
        rows = [_show(each.row, depth, each.problem.code) for each in reversed(list(rejected.values()))]
        rows += [_show(each, depth, None) for each in reader.pending(limit)]
    return QueueListing(
        pending=depth.pending,
        rejected=depth.rejected,
        last_seq=depth.last_seq,
        rows=tuple(rows),
    )


def show_row(path: Path, seq: int) -> ShownRow | None:
    """One row, delivered or not; None = there is none. Raises QueueDamaged."""
    with closing(Reader(path)) as reader:
        found = [row for row in reader.rows(seq, 1) if row.seq == seq]
        reasons = {each.row.seq: each.problem.code for each in reader.rejected(reader.depth().rejected)}
        return _show(found[0], reader.depth(), reasons.get(seq)) if found else None


def _show(row: StoredRow, depth: Depth, reason: str | None) -> ShownRow:
    sale = msgspec.json.decode(row.body, type=Sale) if row.kind == "sale" else None
    state: State = "rejected" if reason else "pending" if row.seq > depth.watermark else "settled"
    return ShownRow(
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        state=state,
        receipt=f"{sale.receipt.till}/{sale.receipt.shift}/{sale.receipt.number}" if sale else None,
        pay=sale.quote.pay if sale else None,
        reason=reason,
        body=clean(row.body.decode()),
    )
