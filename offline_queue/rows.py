"""A row of the queue, and how it is told whether the disk still says what was written.

The chain is the checksum of each row: hash = SHA-256(previous hash, epoch, seq, kind, at, SHA-256(body)). Where a row does not
fit its own hash, the row behind it tells which of both the disk has spoiled: it follows either the stored hash, or the one
that the content gives. So a spoiled hash is put right in passing, and a spoiled content becomes a row of kind `damaged`
that keeps its place and its hash. A spoiled number is put right, too: the row still stands where it was written, and its hash
fits the number that belongs there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

from loyalty.chain import GENESIS, row_hash
from loyalty.wire import Origin, Row
from offline_queue.sealing import PLAIN, Keyring, Spoiled

Kind = Literal["sale", "enrolment", "damaged"]

NOTHING: Final = b"{}"
"""The body of a damaged row."""


class StoredRow(NamedTuple):
    """A row with its plain body, byte for byte as it travels; `seq` is its number in its epoch."""

    seq: int
    id: str
    kind: Kind
    at: str
    body: bytes
    schema: int
    hash: bytes
    origin: Origin | None = None
    corrects: int | None = None

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
            origin=self.origin,
            corrects=self.corrects,
        )


_COLUMNS: Final = (
    "outbox.id, outbox.kind, outbox.at, outbox.body, outbox.schema, outbox.hash, outbox.sealed_by,"
    " outbox.origin_epoch, outbox.origin_seq, outbox.corrects"
)


def selecting(statement: str) -> str:
    """The statement over `outbox`, with all that makes a row behind its number in place of $row."""
    return statement.replace("$row", _COLUMNS)


HASH: Final = 32


_TYPES: Final = (int, str, str, str, bytes, int, bytes, int)
"""Of a row's columns, up to those that may be NULL."""
_NULLS: Final = (None, None, None)
_NULLABLE: Final = (str | None, int | None, int | None)


def place(kind: str, at: str, row_id: str, schema: int, origin: Origin | None, corrects: int | None) -> str:
    """To what the sealed body of a row is bound."""
    epoch, seq = (origin.epoch, origin.seq) if origin else ("", "")
    return f"row\x1f{kind}\x1f{at}\x1f{row_id}\x1f{schema}\x1f{epoch}\x1f{seq}\x1f{corrects or ''}"


def read(values: Sequence[Any], keys: Keyring) -> StoredRow:
    """A row from its number in the epoch and $row. What cannot be what was written makes a damaged row.

    Raises QueueSealed when the key is not here.
    """
    seq, row_id, kind, at, body, schema, digest, sealed_by, origin_epoch, origin_seq, corrects = values
    if not _plausible(values):
        return StoredRow(seq, str(row_id), "damaged", str(at), NOTHING, 0, _bytes(digest).ljust(HASH, b"\0")[:HASH])
    origin = None if origin_epoch is None else Origin(origin_epoch, origin_seq)
    if sealed_by != PLAIN:
        try:
            body = keys.open(body, sealed_by, place(kind, at, row_id, schema, origin, corrects))
        except Spoiled:
            kind, body = "damaged", NOTHING
    return StoredRow(seq, row_id, kind, at, body, schema, digest, origin, corrects)


def _plausible(values: Sequence[Any]) -> bool:
    """Whether the types are those of the table; the disk may have spoiled them as well."""
    if tuple(map(type, values[:8])) != _TYPES or len(values[6]) != HASH:
        return False
    rest = tuple(values[8:])
    return rest == _NULLS or ((rest[0] is None) == (rest[1] is None) and all(map(isinstance, rest, _NULLABLE)))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def hash_at(connection: sqlite3.Connection, number: int, base: int) -> bytes | None:
    """The stored hash of the row with this running number, that of nothing before the first row of its epoch; None = unknown."""
    if number <= base:
        return GENESIS
    found = (
        connection.execute("SELECT hash FROM outbox WHERE seq = ?", (number,)).fetchone()
        or connection.execute("SELECT pruned_hash FROM queue_state WHERE pruned = ?", (number,)).fetchone()
    )
    return found[0] if found and isinstance(found[0], bytes) and len(found[0]) == HASH else None


SLACK: Final = 8
"""Rows that are read on either side of those that are wanted: a spoiled number on a page leads SQLite to a row beside the
one that is looked for."""


def in_place(rows: Iterable[StoredRow], epoch: str, number: int, previous: bytes | None) -> list[StoredRow]:
    """The rows as they stand in the file, each with its own number where the disk has spoiled that.

    `number` is what the first one should have, `previous` the hash that it follows, where that is known. One that cannot
    have the number that it bears, and of which nobody knows the right one, is left out.
    """
    stored, found = list(rows), list[StoredRow]()
    if [row.seq for row in stored] == list(range(number, number + len(stored))):
        return stored
    for row in stored:
        if number == 1:
            previous = GENESIS
        found.append(row if row.seq == number else _moved(row, epoch, number, previous))
        number, previous = found[-1].seq + 1, row.hash
    return [row for row, after in pairwise(found) if row.seq < after.seq] + found[-1:]


def _moved(row: StoredRow, epoch: str, number: int, previous: bytes | None) -> StoredRow:
    """The row under another number, if its hash says that this is the one that it was written with."""
    moved = row._replace(seq=number)
    return moved if previous is not None and _hash(previous, epoch, moved) == row.hash else row


def damaged(row: StoredRow) -> StoredRow:
    """What is left of a row whose content is not what was written: its place in the chain."""
    return row._replace(kind="damaged", body=NOTHING)


def first_broken(rows: Iterable[StoredRow], epoch: str, previous: bytes = GENESIS) -> int | None:
    """The seq of the first row whose stored hash does not follow from its content and the hash before it.

    Damaged rows are known to be broken and are passed over.
    """
    for row in rows:
        if row.kind != "damaged" and _hash(previous, epoch, row) != row.hash:
            return row.seq
        previous = row.hash
    return None


def verified(
    rows: Sequence[StoredRow], epoch: str, previous: bytes | None, behind: StoredRow | bytes | None
) -> Iterator[StoredRow]:
    """The rows as they may be sent. `behind` is the row after the last one, or the hash that is known of the last one.

    Nothing is known of what a row behind a hole must follow, or the first one without `previous`: it is taken as it is.
    """
    last = rows[0].seq - 1 if rows else 0
    for row, after in zip(rows, [*rows[1:], behind], strict=False):  # without rows there is nothing behind them
        good = row if previous is None or row.seq != last + 1 else _judge(row, epoch, previous, after)
        yield good
        previous, last = good.hash, good.seq


def _judge(row: StoredRow, epoch: str, previous: bytes, after: StoredRow | bytes | None) -> StoredRow:
    if row.kind == "damaged" and row.origin is None:
        return row
    digest = _hash(previous, epoch, row)
    if digest == row.hash:
        return row
    vouched = (
        after == digest if isinstance(after, bytes) else after is not None and _hash(digest, epoch, after) == after.hash
    )
    return row._replace(hash=digest) if vouched else damaged(row)


def _hash(previous: bytes, epoch: str, row: StoredRow) -> bytes:
    return row_hash(previous, epoch, row.seq, row.kind, row.at, row.body)
