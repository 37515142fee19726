"""The commit of a sale: one transaction, repeatable, never twice.

The same sale sent again gets its stored answer, whatever happened in between; the same paper receipt under another
sale, or another content under the same sale, is refused as a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from loyalty.wire import ReceiptId, Sale
from offline_queue import outbox, print_jobs
from offline_queue.errors import RowSpoiled
from offline_queue.print_jobs import NewJob
from offline_queue.sealing import PLAIN, Keyring, Spoiled
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
    """What is kept of a committed sale beside its row, for ever."""

    sale_id: str
    request_hash: str
    answer: bytes
    seq: int
    job_id: int | None


_SALE = """
SELECT sale_id, request_hash, answer, sealed_by,
       seq - ifnull((SELECT base FROM epochs WHERE base < sales.seq ORDER BY id DESC LIMIT 1), 0), job_id
FROM sales WHERE """
SALE_BY_ID = _SALE + "sale_id = ?"
SALE_BY_RECEIPT = "SELECT 1 FROM sales WHERE receipt = ?"


def read_sale(values: Sequence[Any], keys: Keyring) -> StoredSale:
    """A sale from what SALE_BY_ID selects. Raises RowSpoiled, QueueSealed."""
    sale_id, request_hash, answer, sealed_by, seq, job_id = values
    try:
        return StoredSale(sale_id, request_hash, keys.open(answer, sealed_by, *place_of_sale(sale_id)), seq, job_id)
    except Spoiled as error:
        raise RowSpoiled(f"the disk has spoiled the answer to sale {sale_id}", sale=sale_id) from error


def place_of_sale(sale_id: str) -> tuple[object, ...]:
    """To what the sealed answer of a sale is bound."""
    return ("sale", sale_id)


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
        """Raises QueueUnclaimed, QueueFull; and RowSpoiled for a stored sale whose answer cannot be read any more."""
        receipt = receipt_key(self.body.receipt)
        known = self._known(transaction, receipt)
        if known is not None:
            return known
        seq = outbox.append(transaction, self.kind, self.at, msgspec.json.encode(self.body))
        job_id = print_jobs.add(transaction, self.print_job) if self.print_job else None
        keep_sale(
            transaction,
            KeptSale(self.sale_id, self.request_hash, receipt, self.body.member, self.answer, job_id),
            seq + transaction.state().base,
        )
        return Committed(self.answer, seq, created=True, job_id=job_id)

    def _known(self, transaction: Transaction, receipt: str) -> Committed | Conflict | None:
        found = transaction.one(SALE_BY_ID, (self.sale_id,))
        if found is not None:
            if found[1] != self.request_hash:
                return Conflict("sale_conflict")
            sale = read_sale(found, transaction.keys)
            return Committed(sale.answer, sale.seq, created=False, job_id=sale.job_id)
        return Conflict("receipt_conflict") if receipt_known(transaction, receipt) else None


@dataclass(frozen=True)
class KeptSale:
    """What stays of a sale when its row is gone: by which it is known again, and what was answered."""

    sale_id: str
    request_hash: str
    receipt: str
    member: str | None
    answer: bytes
    job_id: int | None


def known_sale(transaction: Transaction, sale_id: str) -> bool:
    """Whether the sale is stored, with or without its row."""
    return transaction.one("SELECT 1 FROM sales WHERE sale_id = ?", (sale_id,)) is not None


def receipt_known(transaction: Transaction, receipt: str) -> bool:
    """Whether there is a sale of this paper receipt."""
    plain = transaction.state().sealed_by == PLAIN
    return any(transaction.one(SALE_BY_RECEIPT, (name,)) for name in transaction.keys.idents(receipt, plain=plain))


def keep_sale(transaction: Transaction, sale: KeptSale, number: int) -> None:
    """Store it beside the row with this running number."""
    keys = transaction.keys
    answer = keys.seal(sale.answer, *place_of_sale(sale.sale_id))
    transaction.run(
        "INSERT INTO sales (seq, sale_id, request_hash, receipt, member, answer, sealed_by, job_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            sale.sale_id,
            sale.request_hash,
            keys.ident(sale.receipt),
            None if sale.member is None else keys.ident(sale.member),
            answer.content,
            answer.key,
            sale.job_id,
        ),
    )
