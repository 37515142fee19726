"""Looking for our rows in the pages of a file that SQLite cannot open any more.

A leaf page of a table says what lies on it, so the rows on every sound page can be read without the pages that lead to them:
the first page, the schema, the inner pages. Pages of the log count as well; behind those of its present round lie older ones
(with another salt), which the file has had since. A page that has been given up may still show rows that were deleted; they
are told by their number, and the server knows them as delivered.

The format: sqlite.org/fileformat2.html, sections 1.6, 2.1 and 4.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import filterfalse
from pathlib import Path
from typing import Any, Final, NamedTuple

PAGE: Final = 4096
_LEAF: Final = 0x0D
_FRAME: Final = 24
_LOG_HEADER: Final = 32
_SALT: Final = 8
_MOST_LOCAL: Final = PAGE - 35
_LEAST_LOCAL: Final = (PAGE - 12) * 32 // 255 - 23
_LONGEST: Final = 16 << 20
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


PageOf = Callable[[int], bytes]
"""The page of that number. Raises ValueError."""


class State(NamedTuple):
    """The counters of the queue, as they once stood."""

    device: str | None
    epoch: str | None
    last: int
    last_hash: bytes
    watermark: int
    base: int = 0
    pruned: int = 0
    reissued: int = 0


@dataclass
class LostTables:
    """What was found: rows and keys by running number, as a SELECT would give them, and how far the file had come."""

    rows: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    keys: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    epochs: dict[int, tuple[str, int]] = field(default_factory=dict)
    state: State | None = None

    def take(self, record: Record) -> None:
        """Sort it in by its shape."""
        if (row := _as_row(record)) is not None:
            self.rows[record.rowid] = row
        elif (key := _as_key(record)) is not None:
            self.keys[record.rowid] = key
        elif (epoch := _as_epoch(record)) is not None:
            self.epochs[record.rowid] = epoch
        elif (state := _as_state(record)) is not None:
            self._keep_state(state)

    def _keep_state(self, state: State) -> None:
        if self.state is None or state.last >= self.state.last:
            self.state = state


class Record(NamedTuple):
    """A record of some table."""

    rowid: int
    values: tuple[Any, ...]


def find_rows(path: Path) -> LostTables:
    """Look through the file and its log. Raises OSError."""
    found = LostTables()
    with _mapped(path) as content, _mapped(path.with_name(path.name + "-wal")) as log:

        def page_of(number: int) -> bytes:
            if not 0 < number <= len(content) // PAGE:
                raise ValueError("no such page")
            return content[(number - 1) * PAGE : number * PAGE]

        def is_old(start: int) -> bool:
            return log[start + _SALT - _FRAME : start + 2 * _SALT - _FRAME] != log[2 * _SALT : 3 * _SALT]

        frames = range(_LOG_HEADER + _FRAME, len(log) - PAGE + 1, _FRAME + PAGE)
        for start in filter(is_old, frames):  # the oldest first: what is found later counts
            _take(found, log[start : start + PAGE], 0, page_of)
        for number in range(1, len(content) // PAGE + 1):
            _take(found, page_of(number), 100 if number == 1 else 0, page_of)
        for start in filterfalse(is_old, frames):
            _take(found, log[start : start + PAGE], 0, page_of)
    return found


@contextmanager
def _mapped(path: Path) -> Iterator[bytes | mmap.mmap]:
    if not path.exists() or path.stat().st_size == 0:
        yield b""
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def _take(found: LostTables, page: bytes, header: int, page_of: PageOf) -> None:
    for record in _records(page, header, page_of):
        found.take(record)


def _as_row(record: Record) -> tuple[Any, ...] | None:
    values = record.values
    if len(values) not in (7, 11) or not _are(values[1:7], (str, str, str, bytes, int, bytes)):
        return None
    return (record.rowid, *values[1:7], *(values[7:] or (0, None, None, None)))


def _as_key(record: Record) -> tuple[Any, ...] | None:
    values = record.values
    if len(values) not in (7, 8) or not _are(values[1:6], (str, str, str, str | None, bytes)):
        return None
    sealed_by = values[7] if len(values) > 7 else 0
    return (record.rowid, *values[1:6], sealed_by, values[6]) if isinstance(sealed_by, int) else None


def _as_epoch(record: Record) -> tuple[str, int] | None:
    values = record.values
    return (values[1], values[2]) if len(values) == 4 and _are(values[1:], (str, int, str)) else None


def _as_state(record: Record) -> State | None:
    values = record.values
    if len(values) < 8 or not _are(values[1:6], (str | None, str | None, int, bytes, int)) or len(values[4]) != 32:
        return None
    device, epoch, last, last_hash, watermark = values[1:6]
    base, pruned, _, reissued = values[8:12] if len(values) >= 12 else (0, 0, b"", 0)
    if not _are((base, pruned, reissued), (int, int, int)):
        return None
    return State(device, epoch, last, last_hash, watermark, base, pruned, reissued)


def _are(values: tuple[Any, ...], kinds: tuple[Any, ...]) -> bool:
    return all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=True))


def _records(page: bytes, header: int, page_of: PageOf) -> Iterator[Record]:
    """The records on a leaf page of a table; nothing for any other page, and without those that make no sense."""
    if len(page) < PAGE or page[header] != _LEAF:
        return
    for place in range(int.from_bytes(page[header + 3 : header + 5])):
        pointer = header + 8 + 2 * place
        try:
            yield _record(page, int.from_bytes(page[pointer : pointer + 2]), page_of)
        except (IndexError, ValueError):
            continue


def _record(page: bytes, start: int, page_of: PageOf) -> Record:
    """Raises IndexError or ValueError for what is no record."""
    size, start = _varint(page, start)
    rowid, start = _varint(page, start)
    if size > _LONGEST:
        raise ValueError("longer than any row of ours")
    return Record(rowid, tuple(_values(_payload(page, start, size, page_of))))


def _payload(page: bytes, start: int, size: int, page_of: PageOf) -> bytes:
    """The content of a cell, with what lies on overflow pages."""
    if size <= _MOST_LOCAL:
        return _exactly(page, start, size)
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE - 4)
    local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    content = _exactly(page, start, local)
    following = int.from_bytes(_exactly(page, start + local, 4))
    while len(content) < size:
        over = page_of(following)
        content += over[4 : 4 + size - len(content)]
        following = int.from_bytes(over[:4])
    return content


def _values(payload: bytes) -> Iterator[Any]:
    end, place = _varint(payload, 0)
    start = end
    while place < end:
        kind, place = _varint(payload, place)
        value, start = _value(payload, start, kind)
        yield value
    if place != end:
        raise ValueError("a header that does not end where it says")


def _value(payload: bytes, start: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, start
    if kind in (8, 9):
        return kind - 8, start
    if kind in _INTEGERS:
        size = _INTEGERS[kind]
        return int.from_bytes(_exactly(payload, start, size), signed=True), start + size
    if kind < 12:
        raise ValueError("no such kind of value here")
    size = (kind - 12) // 2
    content = _exactly(payload, start, size)
    return (content.decode(errors="replace") if kind % 2 else content), start + size


def _exactly(content: bytes, start: int, size: int) -> bytes:
    found = content[start : start + size]
    if len(found) != size:
        raise ValueError("it ends too early")
    return found


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """The number there, and where it ends. Numbers of ours are small, so eight bytes are enough."""
    number = 0
    for step in range(8):
        byte = content[place + step]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, place + step + 1
    raise ValueError("a number that is none of ours")
