"""Rows on their way to the server: numbered without a hole, bound by a hash chain, settled up to a watermark.

The chain is the checksum of each row as well: hash = SHA-256(previous hash, epoch, seq, kind, at, SHA-256(body)).
A settled row costs no write of its own; only a rejected one is noted, with the server's reason.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from loyalty.chain import GENESIS, row_hash
from loyalty.wire import SCHEMA, Problem, Row, Verdict
from offline_queue.errors import QueueMismatch, QueueUnclaimed
from offline_queue.transaction import Transaction

Kind = Literal["sale", "enrolment"]


@dataclass(frozen=True)
class StoredRow:
    """A row as it lies in the file. `body` is the stored JSON, byte for byte."""

    seq: int
    id: str
    kind: Kind
    at: str
    body: bytes
    schema: int
    hash: bytes

    def to_wire(self) -> Row:
        """The row as it travels."""
        return Row(
            seq=self.seq,
            id=self.id,
            kind=self.kind,
            at=self.at,
            body=self.body.decode(),
            schema=self.schema,
            hash=self.hash.hex(),
        )


def first_broken(rows: Iterable[StoredRow], epoch: str, previous: bytes = GENESIS) -> int | None:
    """The seq of the first row whose stored hash does not follow from its content and the hash before it."""
    for row in rows:
        if row_hash(previous, epoch, row.seq, row.kind, row.at, row.body) != row.hash:
            return row.seq
        previous = row.hash
    return None


def stamp(at: datetime) -> str:
    """A moment as it is stored, hashed and sent: RFC 3339 with offset."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return at.isoformat()


def append(transaction: Transaction, kind: Kind, at: datetime, body: bytes) -> int:
    """Write the next row of the chain and return its seq. Raises QueueUnclaimed."""
    state = transaction.state()
    if state.epoch is None:
        raise QueueUnclaimed("the device is not claimed yet: nothing can be queued")
    seq, moment = state.last_seq + 1, stamp(at)
    digest = row_hash(state.last_hash, state.epoch, seq, kind, moment, body)
    transaction.run(
        "INSERT INTO outbox (seq, id, kind, at, body, schema, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (seq, str(uuid.uuid4()), kind, moment, body, SCHEMA, digest),
    )
    transaction.run("UPDATE queue_state SET last_seq = ?, last_hash = ?", (seq, digest))
    return seq


@dataclass(frozen=True)
class BeginEpoch:
    """Number rows as this device in this epoch from now on: once in the life of a file, repeatable while it is empty."""

    device: str
    epoch: str

    def apply(self, transaction: Transaction) -> None:
        """Raises QueueMismatch when the file already holds rows of another epoch."""
        state = transaction.state()
        if state.epoch != self.epoch and state.last_seq > 0:
            raise QueueMismatch(
                f"the queue holds {state.last_seq} rows of epoch {state.epoch}: it cannot go on as epoch {self.epoch}",
                found=str(state.epoch),
                expected=self.epoch,
            )
        transaction.run("UPDATE queue_state SET device = ?, epoch = ?", (self.device, self.epoch))


@dataclass(frozen=True)
class SettleRows:
    """Take over what the server decided: rows up to `watermark` are done, rejected ones are kept with their reason."""

    epoch: str
    watermark: int
    verdicts: tuple[Verdict, ...]

    def apply(self, transaction: Transaction) -> None:
        """Raises QueueMismatch for another epoch, or for rows that were never queued here."""
        state = transaction.state()
        if state.epoch != self.epoch or self.watermark > state.last_seq:
            raise QueueMismatch(
                f"verdicts up to {self.watermark} of {self.epoch} do not fit a queue at {state.last_seq} of {state.epoch}",
                found=str(state.epoch),
                expected=self.epoch,
            )
        rejected = sum(
            _keep_rejected(transaction, verdict) for verdict in self.verdicts if verdict.verdict == "rejected"
        )
        transaction.run(
            "UPDATE queue_state SET watermark = max(watermark, ?), rejected = rejected + ?", (self.watermark, rejected)
        )


_NO_REASON = Problem(
    type="about:blank", title="rejected without a reason", status=422, code="no_reason", retryable=False
)


def _keep_rejected(transaction: Transaction, verdict: Verdict) -> int:
    """1 when the row was not known as rejected before."""
    known = transaction.one("SELECT 1 FROM rejected WHERE seq = ?", (verdict.seq,))
    if known is None:
        problem = msgspec.json.encode(verdict.problem or _NO_REASON)
        transaction.run("INSERT INTO rejected (seq, problem) VALUES (?, ?)", (verdict.seq, problem))
    return 0 if known else 1


@dataclass(frozen=True)
class RejectedRow:
    """A row that the server will not book, and why."""

    row: StoredRow
    problem: Problem
