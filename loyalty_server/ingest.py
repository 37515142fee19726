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
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import OperationalError, StatementError

from loyalty.chain import row_hash
from loyalty.wire import MAX_BATCH, EventReply, Problem, Verdict
from loyalty_server.devices import Device
from loyalty_server.flags import flag
from loyalty_server.keys import Keys
from loyalty_server.problems import problem, refuse
from loyalty_server.sales import DUPLICATE, Desk, IncomingRow, Outcome, book_row, rejected
from loyalty_server.storage.statements import insert_new
from loyalty_server.storage.tables import devices, epochs, quarantine, rows

log = logging.getLogger(__name__)


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v1/events."""

    epoch: str
    rows: tuple[IncomingRow, ...]


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
        return _fork(connection, device, batch, batch.rows, now)
    if batch.rows and batch.rows[0].seq > epoch.last_seq + 1:
        return problem("gap", expect=epoch.last_seq + 1)
    booked = _booked(connection, device, batch)
    strange = [row for row in batch.rows if row.seq in booked and booked[row.seq].hash != _plain(row.hash, 64)]
    if strange:
        return _fork(connection, device, batch, [row for row in batch.rows if row.seq >= strange[0].seq], now)
    fresh = [row for row in batch.rows if row.seq not in booked]
    verdicts = [booked[row.seq].verdict for row in batch.rows if row.seq in booked]
    desk = Desk(connection, keys, device, batch.epoch, now)
    verdicts += _book(desk, fresh, bytes.fromhex(epoch.last_hash))
    watermark = fresh[-1].seq if fresh else epoch.last_seq
    _say(device, batch, verdicts, watermark)
    return EventReply(device.id, batch.epoch, watermark, tuple(verdicts))


def _check_order(batch: Batch) -> None:
    if len(batch.rows) > MAX_BATCH:
        raise refuse("too_large", f"a batch may have {MAX_BATCH} rows")
    first = batch.rows[0].seq if batch.rows else 1
    if first < 1 or any(row.seq != first + place for place, row in enumerate(batch.rows)):
        raise refuse("malformed", "the rows of a batch are numbered from 1 on without a hole")


def _lock(connection: Connection, device: Device, epoch: str) -> Row[tuple[object, ...]] | None:
    connection.execute(select(devices.c.id).where(devices.c.id == device.id).with_for_update())
    return connection.execute(select(epochs).where(epochs.c.device == device.id, epochs.c.epoch == epoch)).one_or_none()


def _booked(connection: Connection, device: Device, batch: Batch) -> Mapping[int, _Booked]:
    if not batch.rows:
        return {}
    of_epoch = select(rows).where(rows.c.device == device.id, rows.c.epoch == batch.epoch)
    found = connection.execute(of_epoch.where(rows.c.seq.between(batch.rows[0].seq, batch.rows[-1].seq)))
    return {row.seq: _Booked(row.hash, _again(row)) for row in found}


def _again(row: Row[tuple[object, ...]]) -> Verdict:
    """What is said to a row that is booked: a rejection stays one, anything else is a duplicate now."""
    if row.verdict != "rejected":
        return Verdict(row.seq, "duplicate")
    return Verdict(row.seq, "rejected", msgspec.json.decode(row.problem, type=Problem))


def _book(desk: Desk, fresh: list[IncomingRow], previous: bytes) -> list[Verdict]:
    verdicts = []
    for row in fresh:
        expected = row_hash(previous, desk.epoch, row.seq, row.kind, row.at, row.body.encode())
        fits = row.hash == expected.hex() or row.kind == "damaged"
        outcome = (_carried(desk, row) or _one(desk, row)) if fits else rejected("row_hash")
        previous = _claimed_hash(row, expected)
        _keep(desk, row, outcome)
        verdicts.append(Verdict(row.seq, outcome.verdict, outcome.problem))
    if fresh:
        here = update(epochs).where(epochs.c.device == desk.device.id, epochs.c.epoch == desk.epoch)
        desk.connection.execute(here.values(last_seq=fresh[-1].seq, last_hash=previous.hex()))
    return verdicts


def _carried(desk: Desk, row: IncomingRow) -> Outcome | None:
    """What was said to a row when it came before it was carried over; None = it never came.

    Two rows may have stood under one number of an old epoch (that is what a fork is), so the row's id must be the same.
    """
    if row.origin is None:
        return None
    origin = row.origin
    of_other = select(devices.c.id, devices.c.store).join(epochs, epochs.c.device == devices.c.id)
    other = desk.connection.execute(of_other.where(epochs.c.epoch == origin.epoch)).first()
    if other is not None and other.store != desk.device.store:
        return rejected("foreign_epoch")
    same = select(rows).where(rows.c.id == row.id)
    again = same.where(rows.c.origin_epoch == origin.epoch, rows.c.origin_seq == origin.seq)
    found = desk.connection.execute(again).first()
    if other is not None and found is None:
        there = same.where(rows.c.device == other.id, rows.c.epoch == origin.epoch, rows.c.seq == origin.seq)
        found = desk.connection.execute(there).first()
    if found is None or (found.verdict == "rejected" and row.kind != "damaged"):
        return None
    said = None if found.problem is None else msgspec.json.decode(found.problem, type=Problem)
    return Outcome("rejected", said) if found.verdict == "rejected" else DUPLICATE


def _one(desk: Desk, row: IncomingRow) -> Outcome:
    """Book a row in a savepoint: what the database refuses is undone and rejected, and its neighbours stand."""
    savepoint = desk.connection.begin_nested()
    try:
        outcome = book_row(desk, row)
    except OperationalError:  # the database itself failed: not this row's fault
        raise
    except (StatementError, LookupError, ArithmeticError, TypeError, ValueError) as error:
        log.exception("row=not_booked device=%s seq=%d", desk.device.id, row.seq)
        outcome = rejected("row_not_booked", type(error).__name__)
    if outcome.verdict == "rejected":
        savepoint.rollback()
    else:
        savepoint.commit()
    return outcome


def _claimed_hash(row: IncomingRow, expected: bytes) -> bytes:
    """A damaged row keeps its place in the chain by the hash it came with, so that the rows after it still fit."""
    try:
        claimed = bytes.fromhex(row.hash)
    except ValueError:
        return expected
    return claimed if len(claimed) == len(expected) and claimed.hex() == row.hash else expected


def _keep(desk: Desk, row: IncomingRow, outcome: Outcome) -> None:
    origin = row.origin
    said = None if outcome.problem is None else msgspec.json.encode(outcome.problem).decode()
    desk.connection.execute(
        insert(rows).values(
            device=desk.device.id,
            epoch=desk.epoch,
            seq=row.seq,
            id=_plain(row.id, 64),
            kind=_plain(row.kind, 32),
            at=_plain(row.at, 64),
            hash=_plain(row.hash, 64),
            verdict=outcome.verdict,
            problem=said,
            received_at=desk.now,
            origin_epoch=None if origin is None else _plain(origin.epoch, 64),
            origin_seq=None if origin is None else _number(origin.seq),
            corrects=_number(row.corrects),
        )
    )
    if outcome.problem is not None:
        _set_aside(desk.connection, desk.device, desk.epoch, row, outcome.problem.code, desk.now)
        flag(desk.connection, "rejected", desk.now, desk.device, row_id=_plain(row.id, 64), detail=outcome.problem.code)


def _fork(
    connection: Connection,
    device: Device,
    batch: Batch,
    strange: tuple[IncomingRow, ...] | list[IncomingRow],
    now: datetime,
) -> Problem:
    epoch = _plain(batch.epoch, 64)
    kept = [row for row in strange if _set_aside(connection, device, epoch, row, "fork", now)]
    if kept:
        flag(
            connection,
            "fork",
            now,
            device,
            row_id=_plain(kept[0].id, 64),
            detail=f"rows={len(kept)} first={kept[0].seq}",
        )
    log.error("fork device=%s epoch=%r rows=%d", device.id, epoch, len(strange))
    return problem("fork", "the rows were put aside; this queue must begin a new epoch")


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
            "hash": _plain(row.hash, 64),
            "row_id": _plain(row.id, 64),
            "kind": _plain(row.kind, 32),
            "at": _plain(row.at, 64),
            "body": _plain(row.body),
            "reason": reason,
            "received_at": now,
        },
    )


def _plain(text: str, most: int | None = None) -> str:
    """Text of a row that nobody has checked, as any database takes it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]


def _number(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < 1 << 62 else None


def _say(device: Device, batch: Batch, verdicts: list[Verdict], watermark: int) -> None:
    counts = Counter(verdict.verdict for verdict in verdicts)
    said = " ".join(f"{verdict}={count}" for verdict, count in sorted(counts.items()))
    log.info("batch device=%s rows=%d watermark=%d %s", device.id, len(batch.rows), watermark, said)
