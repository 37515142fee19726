"""Rows on their way to the server: numbered without a hole, bound by a hash chain, settled up to a watermark.

A settled row costs no write of its own; only a rejected one is noted, with the server's reason. In the tables a row has
a running number that never restarts; in its epoch, and everywhere outside of this package, it has the number behind the
epoch's base.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from loyalty.chain import row_hash
from loyalty.wire import SCHEMA, Origin, Problem, Verdict
from offline_queue.errors import QueueMismatch, QueueUnclaimed, UnknownRow
from offline_queue.rows import Kind, StoredRow, place, read, selecting
from offline_queue.transaction import Transaction


def stamp(at: datetime) -> str:
    """A moment as it is stored, hashed and sent: RFC 3339 with offset."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return at.isoformat()


def new_id() -> str:
    """A random UUID (RFC 9562, version 4). `uuid.uuid4` takes longer than writing the row."""
    digits = os.urandom(16).hex()
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(digits[16], 16) % 4]}{digits[17:20]}-{digits[20:]}"
    )


class NewRow(NamedTuple):
    """A row before it has its number. `id` "" = a new one."""

    kind: Kind
    at: str
    body: bytes
    id: str = ""
    schema: int = SCHEMA
    origin: Origin | None = None
    corrects: int | None = None


def append(transaction: Transaction, kind: Kind, at: datetime, body: bytes) -> int:
    """Write the next row of the chain and return its seq. Raises QueueUnclaimed, QueueFull."""
    return append_row(transaction, NewRow(kind, stamp(at), body))


def append_row(transaction: Transaction, row: NewRow) -> int:
    """Write the next row of the chain and return its seq. Raises QueueUnclaimed, QueueFull."""
    transaction.need_room()
    state = transaction.state()
    if state.epoch is None:
        raise QueueUnclaimed("the device is not claimed yet: nothing can be queued")
    number = state.last_seq + 1
    seq, row_id, origin = number - state.base, row.id or new_id(), row.origin
    digest = row_hash(state.last_hash, state.epoch, seq, row.kind, row.at, row.body)
    sealed = transaction.keys.seal(row.body, place(row.kind, row.at, row_id, row.schema, origin, row.corrects))
    transaction.run(
        "INSERT INTO outbox (seq, id, kind, at, body, schema, hash, sealed_by, origin_epoch, origin_seq, corrects)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, row_id, row.kind, row.at, sealed.content, row.schema, digest, sealed.key,
            origin.epoch if origin else None, origin.seq if origin else None, row.corrects,
        ),
    )  # fmt: skip
    transaction.append(number, digest)
    return seq


@dataclass(frozen=True)
class SettleRows:
    """Take over what the server decided: rows up to `watermark` are done, rejected ones are kept with their reason."""

    epoch: str
    watermark: int
    verdicts: tuple[Verdict, ...]

    def apply(self, transaction: Transaction) -> None:
        """Raises QueueMismatch for another epoch, or for rows that were never queued here."""
        state = transaction.state()
        settled = self.watermark + state.base
        if state.epoch != self.epoch or settled > state.last_seq:
            raise QueueMismatch(
                f"verdicts up to {self.watermark} of {self.epoch} do not fit a queue at {state.last_seq - state.base}"
                f" of {state.epoch}",
                found=str(state.epoch),
                expected=self.epoch,
            )
        rejected = sum(
            keep_rejected(transaction, verdict.seq + state.base, verdict.problem)
            for verdict in self.verdicts
            if verdict.verdict == "rejected"
        )
        transaction.run(
            "UPDATE queue_state SET watermark = max(watermark, ?), rejected = rejected + ?", (settled, rejected)
        )
        if settled > state.watermark:
            transaction.run("DELETE FROM delivery")


_NO_REASON = Problem(
    type="about:blank", title="rejected without a reason", status=422, code="no_reason", retryable=False
)


def keep_rejected(transaction: Transaction, number: int, problem: Problem | None) -> int:
    """1 when the row was not known as rejected before."""
    known = transaction.one("SELECT 1 FROM rejected WHERE seq = ?", (number,))
    if known is None:
        reason = msgspec.json.encode(problem or _NO_REASON)
        transaction.run("INSERT INTO rejected (seq, problem) VALUES (?, ?)", (number, reason))
    return 0 if known else 1


@dataclass(frozen=True)
class RejectedRow:
    """A row that the server will not book, and why. `number` is how `RetryRow` finds it; `row.seq` counts in its epoch."""

    row: StoredRow
    problem: Problem
    number: int


_REJECTED = selecting("""
SELECT outbox.seq, $row FROM outbox JOIN rejected USING (seq) WHERE outbox.seq = ? AND corrected IS NULL
""")


@dataclass(frozen=True)
class RetryRow:
    """A person wants a rejected row to be tried again: the same once more, as a new row. The result is its seq."""

    number: int

    def apply(self, transaction: Transaction) -> int:
        """Raises UnknownRow, QueueFull."""
        found = transaction.one(_REJECTED, (self.number,))
        row = read(found, transaction.keys) if found else None
        if row is None or row.kind == "damaged":
            raise UnknownRow(f"there is no rejected row {self.number} that could be sent again", seq=self.number)
        base = transaction.state().base
        corrects = self.number - base if self.number > base else None
        seq = append_row(transaction, NewRow(row.kind, row.at, row.body, schema=row.schema, corrects=corrects))
        transaction.run("UPDATE rejected SET corrected = ? WHERE seq = ?", (seq + base, self.number))
        transaction.run("UPDATE sales SET seq = ? WHERE seq = ?", (seq + base, self.number))
        transaction.run("UPDATE queue_state SET rejected = rejected - 1")
        return seq


@dataclass(frozen=True)
class MarkDamaged:
    """Note that the disk has spoiled a row of the present epoch; it travels as `damaged`. The result: news or not."""

    seq: int
    reason: str

    def apply(self, transaction: Transaction) -> bool:
        """Raises UnknownRow."""
        return mark_damaged(transaction, self.seq + transaction.state().base, self.reason)


def mark_damaged(transaction: Transaction, number: int, reason: str) -> bool:
    """Whether that was not known of the row with this running number."""
    found = transaction.one("SELECT kind FROM outbox WHERE seq = ?", (number,))
    if found is None:
        raise UnknownRow(f"there is no row {number}", seq=number)
    if found[0] == "damaged" or transaction.one("SELECT 1 FROM damaged WHERE seq = ?", (number,)):
        return False
    transaction.run(
        "INSERT INTO damaged (seq, reason, found_at) VALUES (?, ?, ?)", (number, reason, stamp(transaction.now))
    )
    transaction.run("UPDATE queue_state SET damaged = damaged + 1")
    return True


@dataclass(frozen=True)
class Quarantine:
    """The server cannot even record this row: it stays here with the reason, and only its place in the chain travels."""

    seq: int
    problem: Problem

    def apply(self, transaction: Transaction) -> None:
        """Raises UnknownRow."""
        number = self.seq + transaction.state().base
        mark_damaged(transaction, number, self.problem.code)
        if keep_rejected(transaction, number, self.problem):
            transaction.run("UPDATE queue_state SET rejected = rejected + 1")
