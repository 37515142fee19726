"""Reading a file that was set aside: every row and every key that can still be read, and the numbers of those that cannot.

Two ways. Where SQLite still finds the tables, they are read key by key, so that a damaged page costs the rows on it and no
others. Where it does not, the pages are looked through for what has the shape of our rows (`pages`). Either way a row counts
only if its seal, or the chain, says that it is what was written.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from loyalty.chain import GENESIS
from loyalty.wire import SCHEMA
from offline_queue import store
from offline_queue.errors import QueueDamaged
from offline_queue.pages import LostTables, find_rows
from offline_queue.rows import NOTHING, SLACK, StoredRow, damaged, in_place, read, selecting, verified
from offline_queue.sealing import QueueFile

log = logging.getLogger(__name__)

BATCH: Final = 100
_ROW = selecting("SELECT outbox.seq, $row FROM outbox WHERE seq >= ? ORDER BY seq LIMIT ?")
_OLD_ROW = (
    "SELECT seq, id, kind, at, body, schema, hash, 0, NULL, NULL, NULL FROM outbox WHERE seq >= ? ORDER BY seq LIMIT ?"
)
_KEY = (
    "SELECT seq, sale_id, request_hash, receipt, member, answer, sealed_by, job_id FROM sales WHERE seq BETWEEN ? AND ?"
)
_OLD_KEY = "SELECT seq, sale_id, request_hash, receipt, member, answer, 0, job_id FROM sales WHERE seq BETWEEN ? AND ?"


@dataclass(frozen=True)
class SavedKey:
    """A sale's keys as they stand in the file; `number` is that of its row there."""

    number: int
    sale_id: str
    request_hash: str
    receipt: str
    member: str | None
    answer: bytes
    sealed_by: int
    job_id: int | None


@dataclass(frozen=True)
class SavedRow:
    """A row that was not settled, with its epoch and the keys of its sale. A `damaged` one is all that is left of it."""

    epoch: str
    number: int
    row: StoredRow
    key: SavedKey | None


@dataclass(frozen=True)
class Counters:
    """How far the file had come, as far as it says so itself."""

    device: str | None
    epochs: tuple[tuple[str, int], ...]
    """Name and base, the oldest first; empty = unknown."""
    last: int
    last_hash: bytes
    done: int
    """Rows up to this running number were settled, or had been written again."""
    pruned: int


class Wreck:
    """A file that was set aside; for one thread."""

    def __init__(self, file: QueueFile, epoch: str) -> None:
        """`epoch` is what its rows belong to where the file does not say so. Raises QueueDamaged for no database at all."""
        self._file = file
        self._connection = store.connect_reader(file.path)
        self._lost: LostTables | None = None
        self._old = False
        found = self._counters()
        if found is None:
            self._connection.close()
            self._lost = find_rows(file.path)
            if not self._lost.rows and self._lost.state is None:
                raise QueueDamaged(
                    f"{file.path.name}: there is nothing of a queue in it", file=file.path.name, reason="nothing"
                )
            found = _from_pages(self._lost)
        self.counters = found
        self._certain = bool(found.epochs)
        """Whether the chain can be followed, because it is known which epoch a row belongs to."""
        self._epochs = found.epochs or ((epoch, 0),)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def check_keys(self) -> None:
        """Raises QueueSealed where the keys are not here, so that it is no use to go on."""
        for number in range(self.counters.last, max(self.counters.done, self.counters.last - BATCH), -1):
            found = self._rows(number, number)
            if found:
                read(found[0], self._file.keys)
                return

    def rows(self, after: int, most: int) -> tuple[list[SavedRow], int]:
        """Unsettled rows behind a running number, and up to which number they have been looked for."""
        after = max(after, self.counters.done)
        last = min(after + most, self.counters.last)
        if last <= after:
            return [], self.counters.last
        name, base, end = self._epoch_of(after + 1)
        last = min(last, end)
        found = {row.seq + base: row for row in self._placed(name, base, after, last)}
        return [self._saved(name, number, good) for number, good in self._judge(found, name, base, after, last)], last

    def keys(self, before: int, most: int) -> tuple[list[SavedKey], int]:
        """Keys of sales before a running number, and down to which number they have been looked for; 0 = all."""
        first = max(before - most, 1)
        return [SavedKey(*row) for row in self._keys(first, before - 1)], first if first > 1 else 0

    def _placed(self, epoch: str, base: int, after: int, last: int) -> list[StoredRow]:
        """The rows behind `after` up to `last`, with some on either side."""
        begin = max(after - SLACK, 0)
        stored = [self._read(row, base) for row in self._rows(begin, last + SLACK)]
        if not self._certain:
            return stored
        begin = max(begin, 1)
        return in_place(stored, epoch, begin - base, GENESIS if begin == base + 1 else None)

    def _judge(
        self, found: dict[int, StoredRow], epoch: str, base: int, after: int, last: int
    ) -> Iterator[tuple[int, StoredRow]]:
        previous = GENESIS if after == base else found[after].hash if after in found else None
        wanted = [row for number, row in sorted(found.items()) if after < number <= last]
        behind: StoredRow | bytes | None = found.get(last + 1)
        if last == self.counters.last:
            behind = self.counters.last_hash
        good = verified(wanted, epoch, previous, behind) if self._certain else wanted
        judged = {row.seq + base: row for row in good}
        for number in range(after + 1, last + 1):
            yield number, judged.get(number) or _gone(number - base)

    def _saved(self, epoch: str, number: int, row: StoredRow) -> SavedRow:
        keys = self._keys(number, number) if row.kind == "sale" else []
        return SavedRow(epoch, number, row, SavedKey(*keys[0]) if keys else None)

    def _epoch_of(self, number: int) -> tuple[str, int, int]:
        ends = [base for _, base in self._epochs[1:]] + [self.counters.last]
        spans = [(name, base, end) for (name, base), end in zip(self._epochs, ends, strict=True) if end >= number]
        return spans[0]

    def _read(self, row: Sequence[Any], base: int) -> StoredRow:
        number, *values = row
        found = read((number - base, *values), self._file.keys)
        return found if not self._is_marked(number) else damaged(found)

    def _is_marked(self, number: int) -> bool:
        with suppress(sqlite3.Error, QueueDamaged):
            return bool(self._ask("SELECT 1 FROM damaged WHERE seq = ?", (number,)))
        return False

    def _rows(self, first: int, last: int) -> list[tuple[Any, ...]]:
        if self._lost is not None:
            return [self._lost.rows[number] for number in range(first, last + 1) if number in self._lost.rows]
        statement = _OLD_ROW if self._old else _ROW
        return self._walk(lambda begin, end: self._ask(statement, (begin, end - begin + 1)), first, last)

    def _keys(self, first: int, last: int) -> list[tuple[Any, ...]]:
        if self._lost is not None:
            return [self._lost.keys[number] for number in range(first, last + 1) if number in self._lost.keys]
        statement = _OLD_KEY if self._old else _KEY
        return self._walk(lambda begin, end: self._ask(statement, (begin, end)), first, last)

    def _walk(self, ask: Callable[[int, int], list[tuple[Any, ...]]], first: int, last: int) -> list[tuple[Any, ...]]:
        """All at once, and one by one where that meets a damaged page."""
        try:
            return ask(first, last)
        except (sqlite3.Error, QueueDamaged):
            found = []
            for number in range(first, last + 1):
                with suppress(sqlite3.Error, QueueDamaged):
                    found += [row for row in ask(number, number) if row[0] == number]
            return found

    def _ask(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with store.translated(self._file.path):
            return self._connection.execute(statement, values).fetchall()

    def _counters(self) -> Counters | None:
        """None where the tables cannot be found any more."""
        for ask in (self._newest, self._first_release, self._without_state):
            with suppress(sqlite3.Error, QueueDamaged, ValueError, TypeError):
                found = ask()
                self._old = ask == self._first_release
                return found
        return None

    def _newest(self) -> Counters:
        ((device, last, last_hash, done, pruned),) = self._ask(
            "SELECT device, last_seq, last_hash, CASE WHEN reissued < base THEN reissued ELSE watermark END, pruned"
            " FROM queue_state"
        )
        epochs = tuple((str(name), int(base)) for name, base in self._ask("SELECT epoch, base FROM epochs ORDER BY id"))
        return Counters(device, epochs, int(last), bytes(last_hash), max(done, min(pruned, last)), pruned)

    def _first_release(self) -> Counters:
        ((device, epoch, last, last_hash, done),) = self._ask(
            "SELECT device, epoch, last_seq, last_hash, watermark FROM queue_state"
        )
        self._ask("SELECT seq FROM outbox LIMIT 0")
        return Counters(device, ((epoch, 0),) if epoch else (), int(last), bytes(last_hash), int(done), 0)

    def _without_state(self) -> Counters:
        """The counters are gone: every row counts as not settled."""
        ((last,),) = self._ask("SELECT max(seq) FROM outbox")
        return Counters(None, (), int(last or 0), b"", 0, 0)


def _from_pages(lost: LostTables) -> Counters:
    epochs = tuple(lost.epochs[each] for each in sorted(lost.epochs))
    state, last = lost.state, max(lost.rows, default=0)
    if state is None:
        return Counters(None, epochs, last, b"", 0, 0)
    done = state.reissued if state.reissued < state.base else state.watermark
    if not epochs and state.epoch is not None:
        epochs = ((state.epoch, state.base),)
    last_hash = state.last_hash if state.last >= last else b""
    return Counters(state.device, epochs, max(last, state.last), last_hash, max(done, state.pruned), state.pruned)


def _gone(seq: int) -> StoredRow:
    return StoredRow(seq, "", "damaged", "", NOTHING, SCHEMA, GENESIS)
