"""The only way in for what happened at a till: batches of rows, each booked once, in order.

One transaction for a batch: lock the device, compare with what is booked, book the rest, move the watermark. A batch may
come again in whole or in part, because a reply may be lost: rows that are booked are told by their hash and answered as
the first time. What does not continue the device's own past (another hash under a booked number, another epoch) is never
taken for a repetition: it is put aside for people, and the device is told to go on under a new epoch. Rows that were
carried over from an earlier epoch name their `origin`, and are not booked again if they are booked there.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select, update

from loyalty.chain import seal
from loyalty.wire import MAX_BATCH, EventReply, Problem, Verdict
from loyalty_server.booking import book_all
from loyalty_server.books import Books
from loyalty_server.carried import Carried, possible
from loyalty_server.devices import Device
from loyalty_server.flags import COLUMNS, flag, line
from loyalty_server.keys import Keys
from loyalty_server.needs import lock_sales
from loyalty_server.problems import problem, refuse
from loyalty_server.sales import Desk, tills_of
from loyalty_server.slips import IncomingRow, Outcome, Slip, plain, read, rejected
from loyalty_server.storage.statements import append, insert_new
from loyalty_server.storage.tables import devices, epochs, flags, quarantine, rows

log = logging.getLogger(__name__)

LATE = timedelta(days=7)

_MOST = 1 << 62
_COLUMNS = (
    "device", "epoch", "seq", "id", "kind", "at", "hash", "verdict", "problem", "received_at", "origin_epoch",
    "origin_seq", "corrects",
)  # fmt: skip


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v1/events."""

    epoch: str
    rows: tuple[IncomingRow, ...]
    after: str = ""


class _Booked(NamedTuple):
    hash: str
    verdict: Verdict


def ingest(connection: Connection, keys: Keys, device: Device, batch: Batch, now: datetime) -> EventReply | Problem:
    """Book the batch. A `gap` or a `fork` comes back as a problem, and what was put aside with it must be committed.

    Raises Refused when the batch cannot be read as one.
    """
    _check_order(batch)
    epoch = _lock(connection, device, batch.epoch)
    if epoch is None:
        return problem("epoch_unknown")
    if epoch.closed_at is not None and not (batch.rows and batch.rows[-1].seq <= (epoch.closes_at or 0)):
        return _fork(connection, device, batch, batch.rows, epoch.last_seq + 1, now)
    if batch.rows and batch.rows[0].seq > epoch.last_seq + 1:
        return problem("gap", expect=epoch.last_seq + 1)
    if batch.after not in ("", epoch.last_hash) and batch.rows and batch.rows[0].seq == epoch.last_seq + 1:
        return _fork(connection, device, batch, batch.rows, epoch.last_seq, now)
    booked = _booked(connection, device, batch, epoch.last_seq)
    strange = [row for row in batch.rows if row.seq in booked and booked[row.seq].hash != plain(row.hash, 64)]
    if strange:
        return _fork(
            connection, device, batch, [row for row in batch.rows if row.seq >= strange[0].seq], epoch.last_seq + 1, now
        )
    fresh = [row for row in batch.rows if row.seq not in booked]
    verdicts = [booked[row.seq].verdict for row in batch.rows if row.seq in booked]
    desk = Desk(Books(connection, now), keys, device, batch.epoch, now)
    outcomes = _book(desk, connection, fresh, epoch.last_hash)
    verdicts += [Verdict(row.seq, said.verdict, said.problem) for row, said in zip(fresh, outcomes, strict=True)]
    watermark = fresh[-1].seq if fresh else epoch.last_seq
    _say(device, batch, verdicts, watermark)
    return EventReply(device.id, batch.epoch, watermark, tuple(verdicts))


def _check_order(batch: Batch) -> None:
    if len(batch.rows) > MAX_BATCH:
        raise refuse("too_large", f"a batch may have {MAX_BATCH} rows")
    first = batch.rows[0].seq if batch.rows else 1
    if not 0 < first < _MOST or any(row.seq != first + place for place, row in enumerate(batch.rows)):
        raise refuse("malformed", "the rows of a batch are numbered from 1 on without a hole")


def _lock(connection: Connection, device: Device, epoch: str) -> Row[tuple[object, ...]] | None:
    connection.execute(select(devices.c.id).where(devices.c.id == device.id).with_for_update())
    return connection.execute(select(epochs).where(epochs.c.device == device.id, epochs.c.epoch == epoch)).one_or_none()


def _booked(connection: Connection, device: Device, batch: Batch, last: int) -> Mapping[int, _Booked]:
    if not batch.rows or batch.rows[0].seq > last:
        return {}
    of_epoch = select(rows).where(rows.c.device == device.id, rows.c.epoch == batch.epoch)
    found = connection.execute(of_epoch.where(rows.c.seq.between(batch.rows[0].seq, batch.rows[-1].seq)))
    return {row.seq: _Booked(row.hash, _again(row)) for row in found}


def _again(row: Row[tuple[object, ...]]) -> Verdict:
    """What is said to a row that is booked: a rejection stays one, anything else is a duplicate now."""
    if row.verdict != "rejected":
        return Verdict(row.seq, "duplicate")
    return Verdict(row.seq, "rejected", msgspec.json.decode(row.problem, type=Problem))


def _book(desk: Desk, connection: Connection, fresh: list[IncomingRow], last: str) -> list[Outcome]:
    """Book new rows, of which the first follows the hash `last`."""
    if not fresh:
        return []
    entries, last = _entries(desk, connection, fresh, last)
    lock_sales(connection, desk.device.store, entries)
    desk = replace(desk, tills=tills_of(connection, desk.device.store))
    books, outcomes = book_all(connection, desk, entries)
    _flag_late(desk, connection, entries)
    _keep(desk, connection, list(zip(fresh, outcomes, strict=True)))
    here = update(epochs).where(epochs.c.device == desk.device.id, epochs.c.epoch == desk.epoch)
    connection.execute(here.values(last_seq=fresh[-1].seq, last_hash=last))
    books.settle(desk.device.store)
    return outcomes


def _flag_late(desk: Desk, connection: Connection, entries: list[Slip | Outcome]) -> None:
    """One flag for all receipts of a batch that were long under way."""
    late = [entry.at for entry in entries if isinstance(entry, Slip) and entry.at < desk.now - LATE]
    if late:
        flag(connection, "late", desk.now, desk.device, detail=f"rows={len(late)} oldest={min(late).isoformat()}")


def _entries(
    desk: Desk, connection: Connection, fresh: list[IncomingRow], last: str
) -> tuple[list[Slip | Outcome], str]:
    """What can be booked of each row, or what is said to it without; and the hash that the next row follows."""
    entries: list[Slip | Outcome] = []
    carried = Carried(connection, desk.device.store, fresh)
    previous = bytes.fromhex(last)
    for row in fresh:
        digest = sha256(row.body.encode())
        expected = seal(previous, desk.epoch, row.seq, row.kind, row.at, digest.digest())
        fits = row.hash == expected.hex()
        previous = expected if fits else _claimed_hash(row, expected)
        if not fits and row.kind != "damaged":
            entries.append(rejected("row_hash"))
        else:
            entries.append(carried.said(row) or read(row, digest.hexdigest(), desk.device.store))
    return entries, previous.hex()


def _claimed_hash(row: IncomingRow, expected: bytes) -> bytes:
    """A damaged row keeps its place in the chain by the hash it came with, so that the rows after it still fit."""
    try:
        claimed = bytes.fromhex(row.hash)
    except ValueError:
        return expected
    return claimed if len(claimed) == len(expected) and claimed.hex() == row.hash else expected


def _keep(desk: Desk, connection: Connection, said: list[tuple[IncomingRow, Outcome]]) -> None:
    """Write down what came and what was said to it; what was not booked is put aside."""
    append(connection, rows, _COLUMNS, [_line(desk, row, outcome) for row, outcome in said])
    for row, outcome in said:
        if outcome.problem is not None:
            _set_aside(connection, desk.device, desk.epoch, row, outcome.problem.code, desk.now)
    refused = [(row, outcome.problem.code) for row, outcome in said if outcome.problem is not None]
    lines = [line("rejected", desk.now, desk.device, row_id=plain(row.id, 64), detail=code) for row, code in refused]
    append(connection, flags, COLUMNS, lines)


def _line(desk: Desk, row: IncomingRow, outcome: Outcome) -> tuple[object, ...]:
    origin = row.origin
    said = None if outcome.problem is None else msgspec.json.encode(outcome.problem).decode()
    texts = (plain(row.id, 64), plain(row.kind, 32), plain(row.at, 64), plain(row.hash, 64))
    carried = (None, None) if origin is None else (plain(origin.epoch, 64), possible(origin.seq))
    return (
        desk.device.id, desk.epoch, row.seq, *texts, outcome.verdict, said, desk.now, *carried, possible(row.corrects),
    )  # fmt: skip


def _fork(
    connection: Connection,
    device: Device,
    batch: Batch,
    strange: tuple[IncomingRow, ...] | list[IncomingRow],
    expect: int,
    now: datetime,
) -> Problem:
    epoch = plain(batch.epoch, 64)
    kept = [row for row in strange if _set_aside(connection, device, epoch, row, "fork", now)]
    if kept:
        detail = f"rows={len(kept)} first={kept[0].seq}"
        flag(connection, "fork", now, device, row_id=plain(kept[0].id, 64), detail=detail)
    log.error("fork device=%s epoch=%r rows=%d", device.id, epoch, len(strange))
    return problem("fork", "the rows were put aside; this queue must begin a new epoch", expect=expect)


def _set_aside(
    connection: Connection, device: Device, epoch: str, row: IncomingRow, reason: str, now: datetime
) -> bool:
    return insert_new(
        connection,
        quarantine,
        {
            "device": device.id,
            "epoch": epoch,
            "seq": row.seq,
            "hash": plain(row.hash, 64),
            "row_id": plain(row.id, 64),
            "kind": plain(row.kind, 32),
            "at": plain(row.at, 64),
            "body": plain(row.body),
            "reason": reason,
            "received_at": now,
        },
    )


def _say(device: Device, batch: Batch, verdicts: list[Verdict], watermark: int) -> None:
    counts = Counter(verdict.verdict for verdict in verdicts)
    said = " ".join(f"{verdict}={count}" for verdict, count in sorted(counts.items()))
    log.info("batch device=%s rows=%d watermark=%d %s", device.id, len(batch.rows), watermark, said)
