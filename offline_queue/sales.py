"""The commit of a sale: one transaction, repeatable, never twice.

The same sale sent again gets its stored answer, whatever happened in between; the same paper receipt under another
sale, or another content under the same sale, is refused as a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from loyalty.wire import ReceiptId, Sale
from offline_queue import outbox, print_jobs
from offline_queue.print_jobs import NewJob
from offline_queue.transaction import Transaction


@dataclass(frozen=True)
class Committed:
    """The sale is on the disk. `created` is false when it already was; `answer` is what was said the first time."""

    answer: bytes
    seq: int
    created: bool
    job_id: int | None


@dataclass(frozen=True)
class Conflict:
    """Nothing was written: the sale exists with another content, or the receipt belongs to another sale."""

    code: Literal["receipt_conflict", "sale_conflict"]


@dataclass(frozen=True)
class StoredSale:
    """What is kept of a committed sale beside its row; the fields stand in the order of the statements below."""

    sale_id: str
    request_hash: str
    answer: bytes
    seq: int
    job_id: int | None


SALE_BY_ID = "SELECT sale_id, request_hash, answer, seq, job_id FROM sales WHERE sale_id = ?"
SALE_BY_RECEIPT = "SELECT sale_id, request_hash, answer, seq, job_id FROM sales WHERE receipt = ?"


def receipt_key(receipt: ReceiptId) -> str:
    """A paper receipt's identity as one text."""
    parts = (receipt.store, receipt.till, receipt.business_day.isoformat(), receipt.shift, receipt.number)
    return msgspec.json.encode(parts).decode()


@dataclass(frozen=True)
class CommitSale:
    """Write sale, outbox row and print job together, or find that they are already there."""

    sale_id: str
    request_hash: str
    kind: Literal["sale"]
    at: datetime
    body: Sale
    answer: bytes
    print_job: NewJob | None = None

    def apply(self, transaction: Transaction) -> Committed | Conflict:
        """Raises QueueUnclaimed."""
        known = self._known(transaction)
        if known is not None:
            return known
        seq = outbox.append(transaction, self.kind, self.at, msgspec.json.encode(self.body))
        job_id = print_jobs.add(transaction, self.print_job) if self.print_job else None
        transaction.run(
            "INSERT INTO sales (seq, sale_id, request_hash, receipt, member, answer, job_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                seq,
                self.sale_id,
                self.request_hash,
                receipt_key(self.body.receipt),
                self.body.member,
                self.answer,
                job_id,
            ),
        )
        return Committed(self.answer, seq, created=True, job_id=job_id)

    def _known(self, transaction: Transaction) -> Committed | Conflict | None:
        found = transaction.one(SALE_BY_ID, (self.sale_id,))
        if found is not None:
            sale = StoredSale(*found)
            if sale.request_hash != self.request_hash:
                return Conflict("sale_conflict")
            return Committed(sale.answer, sale.seq, created=False, job_id=sale.job_id)
        if transaction.one(SALE_BY_RECEIPT, (receipt_key(self.body.receipt),)):
            return Conflict("receipt_conflict")
        return None
