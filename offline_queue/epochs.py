"""Epochs: in each of them rows are numbered from 1 on, in one unbroken chain that the server follows.

A claim begins the first one. When the queue has been lost or copied, or an old one was put back, the till begins the next
one by itself and goes on selling in it; the server hears of it (`Handover`) before it gets any row of it. What the old
epoch had not delivered is written again in the new one, each row with its origin.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loyalty.chain import GENESIS, row_hash
from offline_queue.errors import QueueMismatch, QueueUnclaimed
from offline_queue.outbox import stamp
from offline_queue.rows import read, selecting
from offline_queue.tokens import COUNTERS
from offline_queue.transaction import QueueState, Transaction

Reason = Literal["lost", "damaged", "restored", "fork", "pruned", "moved", "claimed"]
"""`lost`, `damaged`: the file; `restored`: an old copy of it was put back; `fork`: the server knows other rows; `pruned`: it
wants rows that are deleted here; `moved`, `claimed`: another PC, or another registration."""


@dataclass(frozen=True)
class Handover:
    """What the server must agree to: `epoch` shall follow `old_epoch`, of which so much is known here."""

    reason: Reason
    old_epoch: str
    last_seq: int | None
    last_hash: bytes | None
    epoch: str
    begun_at: datetime


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
        transaction.run("UPDATE queue_state SET device = ?", (self.device,))
        if state.epoch != self.epoch:
            transaction.run("DELETE FROM epochs")
            transaction.run("DELETE FROM handover")
            _begin(transaction, state, self.epoch)


@dataclass(frozen=True)
class NewEpoch:
    """The present epoch cannot be gone on with: begin a new one. The result is its name.

    What is not settled is written again in it by and by (`reissue`); after `pruned` all that is still here. Token counters
    begin anywhere, because an old copy of the file may not know which of them were used in this hour.
    """

    reason: Reason

    def apply(self, transaction: Transaction) -> str:
        """Raises QueueUnclaimed. While the server has not agreed to the last new one, that one is the answer; what is to be
        written again in it may still become more.
        """
        state = transaction.state()
        if state.epoch is None:
            raise QueueUnclaimed("there is no epoch that another one could follow")
        if transaction.one("SELECT 1 FROM handover"):
            if self.reason == "pruned":
                transaction.run("UPDATE queue_state SET reissued = min(reissued, pruned)")
            return str(state.epoch)
        hand_over(transaction, self.reason, state.epoch, state.last_seq - state.base, state.last_hash)
        epoch = _new_name()
        transaction.run(
            "UPDATE queue_state SET watermark = last_seq, last_hash = ?, next_token = ?, reissued ="
            " CASE WHEN ? THEN min(pruned, last_seq) WHEN reissued < base THEN reissued ELSE watermark END",
            (GENESIS, secrets.randbelow(COUNTERS), self.reason == "pruned"),
        )
        _begin(transaction, state, epoch)
        return epoch


@dataclass(frozen=True)
class EpochAgreed:
    """The server has opened the present epoch, by this name, and for this device if it is another one now."""

    epoch: str
    device: str | None = None

    def apply(self, transaction: Transaction) -> None:
        """Another name than the one proposed means to hash all its rows anew. Raises QueueUnclaimed."""
        state = transaction.state()
        if state.epoch is None:
            raise QueueUnclaimed("there is no epoch to agree to")
        if state.epoch != self.epoch:
            transaction.run("UPDATE epochs SET epoch = ? WHERE epoch = ?", (self.epoch, state.epoch))
            transaction.run(
                "UPDATE queue_state SET epoch = ?, last_hash = ?", (self.epoch, self._chain(transaction, state))
            )
        transaction.run("UPDATE queue_state SET device = ifnull(?, device)", (self.device,))
        transaction.run("DELETE FROM handover")

    def _chain(self, transaction: Transaction, state: QueueState) -> bytes:
        previous = GENESIS
        for number in range(state.base + 1, state.last_seq + 1):
            found = transaction.one(_ROW, (state.base, number))
            if found is None:
                continue
            row = read(found, transaction.keys)
            previous = row_hash(previous, self.epoch, row.seq, row.kind, row.at, row.body)
            transaction.run("UPDATE outbox SET hash = ? WHERE seq = ?", (previous, number))
        return previous


@dataclass(frozen=True)
class FollowClaim:
    """The device is claimed again, under an epoch that is not the present one; the present one is to follow it.

    It does not take that name: a claim whose answer was lost is answered by what it got then, and rows may have had it since.
    """

    epoch: str
    device: str

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""
        transaction.run("DELETE FROM handover")
        hand_over(transaction, "claimed", self.epoch, 0, GENESIS)
        transaction.run("UPDATE queue_state SET device = ?", (self.device,))


_ROW = selecting("SELECT outbox.seq - ?, $row FROM outbox WHERE seq = ?")


def hand_over(
    transaction: Transaction, reason: Reason, old_epoch: str, last_seq: int | None, last_hash: bytes | None
) -> None:
    """Note that the server must agree to the next epoch."""
    transaction.run(
        "INSERT INTO handover (id, reason, old_epoch, last_seq, last_hash, begun_at) VALUES (1, ?, ?, ?, ?, ?)",
        (reason, old_epoch, last_seq, last_hash, stamp(transaction.now)),
    )


def tell_end(transaction: Transaction, old_epoch: str, last_seq: int, last_hash: bytes) -> None:
    """Complete what the server is told of the epoch before, once that is known."""
    transaction.run(
        "UPDATE handover SET last_seq = ?, last_hash = ? WHERE old_epoch = ? AND last_seq IS NULL",
        (last_seq, last_hash, old_epoch),
    )


@dataclass(frozen=True)
class BeginAfter:
    """In an empty file: go on as that device in a new epoch, without knowing how far the old one came.

    Token counters begin anywhere, because nobody knows either which of them have been used in this hour.
    """

    reason: Reason
    device: str
    old_epoch: str

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""
        transaction.run("UPDATE queue_state SET device = ?, next_token = ?", (self.device, secrets.randbelow(COUNTERS)))
        hand_over(transaction, self.reason, self.old_epoch, None, None)
        _begin(transaction, transaction.state(), _new_name())


def _new_name() -> str:
    """A name for an epoch that no other till will ever choose."""
    return uuid.uuid4().hex


def _begin(transaction: Transaction, state: QueueState, epoch: str) -> None:
    transaction.run(
        "INSERT INTO epochs (epoch, base, begun_at) VALUES (?, ?, ?)", (epoch, state.last_seq, stamp(transaction.now))
    )
    transaction.run("UPDATE queue_state SET epoch = ?, base = last_seq", (epoch,))
