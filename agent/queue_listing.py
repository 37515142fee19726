"""The queue as `tillmate queue` shows it: read-only, while the agent runs and when it does not.

A row is named by its running number in the file, which never restarts; `seq` is its number in its epoch, which the server
knows it by.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from agent.logs import clean
from loyalty.wire import Row, Sale
from offline_queue import QueueDamaged, QueueFile, Reader, StoredRow
from offline_queue.store import check, connect_reader

State = Literal["pending", "rejected", "settled"]
Progress = Callable[[int, int], None]
"""So many rows of so many."""

_READ: Final = 500


class ShownRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `body` is its JSON without card numbers and tokens; `reason` is why the server did not take it."""

    number: int
    seq: int
    epoch: str
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
    damaged: int
    last_seq: int
    rows: tuple[ShownRow, ...]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What `tillmate queue verify` found. `damaged`: running numbers; `pages`: what SQLite says of the file, "" = sound."""

    rows: int
    pending: int
    damaged: tuple[int, ...]
    pages: str

    @property
    def sound(self) -> bool:
        """Nothing is wrong."""
        return not self.damaged and not self.pages


class ExportHead(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of an export: the rows behind it follow `previous` in the chain of that epoch."""

    tillmate_queue: int
    device: str
    epoch: str
    previous: str
    rows: int


def list_queue(file: Path | QueueFile, limit: int) -> QueueListing:
    """Raises QueueDamaged."""
    with closing(Reader(file)) as reader:
        depth, epoch = reader.depth(), reader.spans()[-1].epoch
        found = reversed(reader.rejected(limit))
        rows = [_show(each.row, each.number, "", "rejected", each.problem.code) for each in found]
        rows += [_show(row, row.seq + depth.base, epoch, "pending", None) for row in reader.pending(limit)]
    return QueueListing(
        pending=depth.pending,
        rejected=depth.rejected,
        damaged=depth.damaged,
        last_seq=depth.last_seq,
        rows=tuple(rows),
    )


def show_row(file: Path | QueueFile, number: int) -> ShownRow | None:
    """One row, delivered or not; None = there is none. Raises QueueDamaged."""
    with closing(Reader(file)) as reader:
        found = reader.row(number)
        if found is None:
            return None
        span, row, problem = found
        depth = reader.depth()
        waits = number > depth.watermark + depth.base
        state: State = "rejected" if problem else "pending" if waits else "settled"
        return _show(row, number, span.epoch, state, problem.code if problem else None)


def verify(file: QueueFile, told: Progress) -> Verdict:
    """Read every page, and every row against its checksum and the chain. Raises QueueSealed, QueueDamaged."""
    pages = ""
    with closing(connect_reader(file.path)) as connection:
        try:
            check(connection, file.path)
        except QueueDamaged as error:
            pages = str(error)
    damaged: list[int] = []
    seen = 0
    with closing(Reader(file)) as reader:
        spans, depth = reader.spans(), reader.depth()
        whole = sum(span.end - span.base for span in spans)
        for span in spans:
            first = 1
            while rows := reader.rows_in(span, first, _READ):
                damaged += [row.seq + span.base for row in rows if row.kind == "damaged" and row.origin is None]
                first, seen = rows[-1].seq + 1, seen + len(rows)
                told(span.base + rows[-1].seq, whole)
    return Verdict(rows=seen, pending=depth.pending, damaged=tuple(damaged), pages=pages)


def export(file: QueueFile, out: BinaryIO, told: Progress) -> int:
    """Write the rows that the server has not settled as JSON lines, as they would be sent. Raises QueueDamaged, OSError."""
    with closing(Reader(file)) as reader:
        depth, seen = reader.depth(), 0
        head = ExportHead(
            tillmate_queue=1,
            device=depth.device or "",
            epoch=depth.epoch or "",
            previous=reader.hash_before(depth.watermark + 1).hex(),
            rows=depth.pending,
        )
        out.write(msgspec.json.encode(head) + b"\n")
        while rows := reader.rows(depth.watermark + 1 + seen, min(_READ, depth.pending - seen) or 1):
            if seen >= depth.pending:
                break
            out.writelines(_line(row.to_wire()) for row in rows)
            seen += len(rows)
            told(seen, depth.pending)
    return seen


def _line(row: Row) -> bytes:
    return msgspec.json.encode(row) + b"\n"


def _show(row: StoredRow, number: int, epoch: str, state: State, reason: str | None) -> ShownRow:
    sale: Sale | None = None
    with suppress(msgspec.MsgspecError):
        sale = msgspec.json.decode(row.body, type=Sale) if row.kind == "sale" else None
    return ShownRow(
        number=number,
        seq=row.seq,
        epoch=epoch,
        at=row.at,
        kind=row.kind,
        state=state,
        receipt=f"{sale.receipt.till}/{sale.receipt.shift}/{sale.receipt.number}" if sale else None,
        pay=sale.quote.pay if sale else None,
        reason=reason,
        body=clean(row.body.decode()),
    )
