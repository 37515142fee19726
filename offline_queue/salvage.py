"""Taking over what is left of a queue file that was set aside, a slice at a time, while the till sells.

First the rows that the server may not have had: each is written again in the present epoch, with its origin; of one that is
spoiled or gone its number is told, as `damaged`. Then the keys of all its sales, the newest first, so that a sale which
was made before is still known when it is sent again. A slice is one transaction with the note how far it came, so it may be
cut off at any moment, and a file may be given twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from loyalty.wire import Origin, Sale
from offline_queue.epochs import tell_end
from offline_queue.outbox import stamp
from offline_queue.reissue import append_salvaged
from offline_queue.sales import known_sale, place_of_sale, receipt_key
from offline_queue.sealing import PLAIN, Keyring, QueueFile, Spoiled
from offline_queue.transaction import Transaction
from offline_queue.wreck import SavedKey, SavedRow, Wreck

ROWS: Final = 40
KEYS: Final = 100

Stage = Literal["rows", "keys", "done"]


class Standing(NamedTuple):
    """How far the salvage of a file has come; `number` is where its stage goes on."""

    stage: Stage = "rows"
    number: int = 0
    rows: int = 0
    lost: int = 0


BEGUN: Final = Standing()


@dataclass(frozen=True)
class TakeOver:
    """Write a slice of a file. The result is how far it has come, with the counts of the whole file."""

    file: str
    rows: tuple[SavedRow, ...]
    keys: tuple[SavedKey, ...]
    stage: Stage
    number: int

    def apply(self, transaction: Transaction) -> Standing:
        """Raises QueueUnclaimed, QueueFull."""
        transaction.need_room()
        taken = [_take(transaction, saved) for saved in self.rows]
        for key in self.keys:
            _keep(transaction, key, None)
        before = standing(transaction, self.file)
        now = Standing(self.stage, self.number, before.rows + taken.count("taken"), before.lost + taken.count("lost"))
        transaction.run(
            "INSERT OR REPLACE INTO salvages (file, state, position, rows, lost, found_at) VALUES (?, ?, ?, ?, ?, ?)",
            (self.file, now.stage, str(now.number), now.rows, now.lost, stamp(transaction.now)),
        )
        return now


@dataclass(frozen=True)
class AskStanding:
    """How far the salvage of a file has come."""

    file: str

    def apply(self, transaction: Transaction) -> Standing:
        """Never refused."""
        return standing(transaction, self.file)


@dataclass(frozen=True)
class TellEnd:
    """How far the old epoch came, for the server, when the file that was set aside says so."""

    epoch: str
    last_seq: int
    last_hash: bytes

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""
        tell_end(transaction, self.epoch, self.last_seq, self.last_hash)


def standing(transaction: Transaction, file: str) -> Standing:
    """From where the next slice goes on."""
    found = transaction.one("SELECT state, position, rows, lost FROM salvages WHERE file = ?", (file,))
    return Standing(found[0], int(found[1]), found[2], found[3]) if found else Standing()


def _take(transaction: Transaction, saved: SavedRow) -> Literal["taken", "lost", "known"]:
    key = saved.key
    if key is not None and known_sale(transaction, key.sale_id):
        return "known"  # this file, or a copy of it, has been salvaged before
    seq = append_salvaged(transaction, saved.row, Origin(saved.epoch, saved.row.seq))
    if seq is None:
        return "known"
    if key is not None:
        _keep(transaction, key, seq + transaction.state().base)
    return "lost" if saved.row.kind == "damaged" else "taken"


def _keep(transaction: Transaction, key: SavedKey, number: int | None) -> None:
    """Keep what a sale is known by; without a row it gets a number that no row has."""
    if number is None:
        (lowest,) = transaction.one("SELECT min(seq) FROM sales") or (0,)
        number = min(lowest or 0, 0) - 1
    if key.sealed_by == PLAIN:
        key = _sealed(transaction.keys, key)
    transaction.run(
        "INSERT OR IGNORE INTO sales (seq, sale_id, request_hash, receipt, member, answer, sealed_by, job_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (number, key.sale_id, key.request_hash, key.receipt, key.member, key.answer, key.sealed_by),
    )


def _sealed(keys: Keyring, key: SavedKey) -> SavedKey:
    answer, sealed_by = keys.seal(key.answer, *place_of_sale(key.sale_id))
    member = None if key.member is None else keys.ident(key.member)
    return replace(key, receipt=keys.ident(key.receipt), member=member, answer=answer, sealed_by=sealed_by)


class Salvage:
    """One file that was set aside, or one of another PC; for one thread."""

    def __init__(self, path: Path, keys: Keyring, epoch: str, own: Keyring | None = None) -> None:
        """`epoch`: what its rows belong to where it does not say so itself; `own`: our keys, where `keys` are another PC's.

        Raises QueueDamaged, QueueSealed, OSError.
        """
        self.name = name_of(path)
        self._keys, self._own = keys, own or keys
        self._wreck = Wreck(QueueFile(path, keys), epoch)
        try:
            self._wreck.check_keys()
        except BaseException:
            self._wreck.close()
            raise

    @property
    def whole(self) -> int:
        """So many numbers must be looked at in all."""
        counters = self._wreck.counters
        return 2 * counters.last - counters.done

    def run(self, write: Callable[[TakeOver], Standing], now: Standing) -> Standing:
        """Take the next slice over."""
        last = self._wreck.counters.last
        if now.stage == "rows":
            found, seen = self._wreck.rows(now.number, ROWS)
            rows = tuple(replace(each, key=self._key_of(each)) for each in found)
            if seen < last:
                return write(TakeOver(self.name, rows, (), "rows", seen))
            return write(TakeOver(self.name, rows, (), "keys", last + 1))
        keys, first = self._wreck.keys(now.number, KEYS)
        ours = tuple(key for key in keys if self._is_ours(key))
        return write(TakeOver(self.name, (), ours, "keys" if first else "done", first))

    def _is_ours(self, key: SavedKey) -> bool:
        """Without our key nobody would find it again."""
        return key.sealed_by in (PLAIN, *self._own.numbers)

    def _key_of(self, saved: SavedRow) -> SavedKey | None:
        """The key of a row's sale, plain where it is sealed for another PC."""
        key = saved.key
        if key is None or self._is_ours(key):
            return key
        try:
            sale = msgspec.json.decode(saved.row.body, type=Sale)
            answer = self._keys.open(key.answer, key.sealed_by, *place_of_sale(key.sale_id))
        except (Spoiled, msgspec.MsgspecError):
            return None
        return replace(key, receipt=receipt_key(sale.receipt), member=sale.member, answer=answer, sealed_by=PLAIN)

    def ended(self) -> TellEnd | None:
        """What to tell the server of the file's last epoch."""
        counters = self._wreck.counters
        if not counters.epochs or len(counters.last_hash) == 0:
            return None
        name, base = counters.epochs[-1]
        return TellEnd(name, counters.last - base, counters.last_hash)

    def seen(self, now: Standing) -> int:
        """Of `whole`, how many numbers have been looked at."""
        if now.stage == "rows":
            return max(now.number - self._wreck.counters.done, 0)
        return self.whole - now.number if now.stage == "keys" else self.whole

    def close(self) -> None:
        """Give the file back."""
        self._wreck.close()


def name_of(path: Path) -> str:
    """By what its salvage is known: one that was set aside has a name of its own, any other might be called queue.db."""
    if ".damaged-" in path.name:
        return path.name
    with path.open("rb") as file:
        return f"{path.name}#{hashlib.sha256(file.read(1 << 16)).hexdigest()[:12]}"
