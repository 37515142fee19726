"""Sealing what lies in the file plain, or sealed with an older key: a slice at a time, table by table.

A new file is sealed from its first row on; this is for one that is older than its key, and for a key that was replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from offline_queue.print_jobs import place_of_job, selecting_job
from offline_queue.rows import place, read, selecting
from offline_queue.sales import place_of_sale
from offline_queue.sealing import PLAIN, Spoiled
from offline_queue.transaction import Transaction

SLICE: Final = 50

Table = Literal["outbox", "sales", "print_jobs"]
TABLES: Final[tuple[Table, ...]] = ("outbox", "sales", "print_jobs")


class Sealing(NamedTuple):
    """Where the next slice begins: behind that number of the table."""

    table: int
    after: int


_LOWEST: Final = -(1 << 62)
BEGIN: Final = Sealing(0, _LOWEST)


_ROWS = selecting("SELECT outbox.seq, $row FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?")
_SALES = "SELECT seq, sale_id, receipt, member, answer, sealed_by FROM sales WHERE seq > ? ORDER BY seq LIMIT ?"
_JOBS = selecting_job("SELECT $job FROM print_jobs WHERE id > ? ORDER BY id LIMIT ?")


@dataclass(frozen=True)
class SealSlice:
    """Seal the next slice. The result is where the one after it begins; None = everything is sealed."""

    begin: Sealing = BEGIN

    def apply(self, transaction: Transaction) -> Sealing | None:
        """Raises QueueSealed when an older key is not here."""
        present = transaction.keys.present
        if present == PLAIN or transaction.state().sealed_by == present:
            return None
        transaction.run("PRAGMA secure_delete = ON")  # what is replaced shall be gone
        last = (_seal_rows, _seal_sales, _seal_jobs)[self.begin.table](transaction, self.begin.after)
        transaction.run("PRAGMA secure_delete = OFF")
        if last is not None:
            return Sealing(self.begin.table, last)
        if self.begin.table + 1 < len(TABLES):
            return Sealing(self.begin.table + 1, _LOWEST)
        transaction.run("UPDATE queue_state SET sealed_by = ?", (present,))
        transaction.cut_log = True
        return None


def _seal_rows(transaction: Transaction, after: int) -> int | None:
    keys = transaction.keys
    found = transaction.connection.execute(_ROWS, (after, SLICE)).fetchall()
    for values in found:
        row = read(values, keys)
        if values[7] == keys.present or row.kind != values[2]:  # a spoiled one stays as it is
            continue
        sealed = keys.seal(row.body, place(row.kind, row.at, row.id, row.schema, row.origin, row.corrects))
        transaction.run("UPDATE outbox SET body = ?, sealed_by = ? WHERE seq = ?", (*sealed, values[0]))
    return int(found[-1][0]) if found else None


def _seal_sales(transaction: Transaction, after: int) -> int | None:
    keys = transaction.keys
    found = transaction.connection.execute(_SALES, (after, SLICE)).fetchall()
    for seq, sale_id, receipt, member, answer, sealed_by in found:
        if sealed_by == keys.present:
            continue
        try:
            sealed = keys.seal(keys.open(answer, sealed_by, *place_of_sale(sale_id)), *place_of_sale(sale_id))
        except Spoiled:
            continue
        if sealed_by == PLAIN:
            receipt, member = keys.ident(receipt), None if member is None else keys.ident(member)
        transaction.run(
            "UPDATE sales SET receipt = ?, member = ?, answer = ?, sealed_by = ? WHERE seq = ?",
            (receipt, member, *sealed, seq),
        )
    return int(found[-1][0]) if found else None


def _seal_jobs(transaction: Transaction, after: int) -> int | None:
    keys = transaction.keys
    found = transaction.connection.execute(_JOBS, (after, SLICE)).fetchall()
    for job, printer, document, sealed_by, *_, created_at, _changed_at in found:
        if sealed_by == keys.present:
            continue
        try:
            bound = place_of_job(printer, created_at)
            sealed = keys.seal(keys.open(document, sealed_by, *bound), *bound)
        except Spoiled:
            continue
        transaction.run("UPDATE print_jobs SET document = ?, sealed_by = ? WHERE id = ?", (*sealed, job))
    return int(found[-1][0]) if found else None
