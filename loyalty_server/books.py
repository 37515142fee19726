"""One transaction's books: what it needs is read at once, changed in memory, and written at once.

A batch of five hundred rows costs the database a dozen statements instead of thousands. Whoever works with books lets
them fetch what he will ask for, in one order for everybody (tokens, then members, each by their keys), so that two
transactions never wait for each other in a ring. A row's changes stand or fall together: `keep` or `drop` them before the next row.

What another transaction has done meanwhile the database refuses at `write` (a receipt, a row or a token that stands
already): then nothing is written, and the caller begins again with new books, which see it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection, Table, select

from loyalty.quote import MemberState
from loyalty_server import flags, holds, ledger, members, tokens
from loyalty_server.slips import Name
from loyalty_server.storage import tables
from loyalty_server.storage.statements import append, matching

K = TypeVar("K", bound="str | tuple[object, ...]")
V = TypeVar("V")


class Shelf(Generic[K, V]):
    """Lines of a table by their keys, as the transaction has left them so far."""

    def __init__(self, load: Callable[[list[K]], Mapping[K, V]]) -> None:
        self._load = load
        self._found: dict[K, V | None] = {}
        self._now: dict[K, V | None] = {}
        self._before: dict[K, V | None] = {}

    def fetch(self, keys: Iterable[K]) -> None:
        """Read what is not here yet, in the order of the keys."""
        missing = sorted({key for key in keys if key not in self._now})
        if missing:
            found = self._load(missing)
            for key in missing:
                self._found[key] = self._now[key] = found.get(key)

    def get(self, key: K) -> V | None:
        """The line; None = there is none."""
        if key not in self._now:
            self.fetch([key])
        return self._now[key]

    def put(self, key: K, line: V) -> None:
        """Change or add a line that was asked for before."""
        self._before.setdefault(key, self._now[key])
        self._now[key] = line

    def keep(self) -> None:
        """The changes stand."""
        self._before.clear()

    def drop(self) -> None:
        """The changes since `keep` fall."""
        self._now.update(self._before)
        self._before.clear()

    def changes(self) -> Iterator[tuple[K, V, bool]]:
        """Each line that is not as it was found, by its key, and whether it is new."""
        for key in sorted(self._now):
            line = self._now[key]
            if line is not None and line is not self._found[key]:
                yield key, line, self._found[key] is None


class Pile:
    """New lines for a table."""

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        self._table, self._columns = table, columns
        self._lines: list[tuple[object, ...]] = []
        self._kept = 0

    def add(self, *line: object) -> None:
        """One more, its values in the order of the columns."""
        self._lines.append(line)

    def keep(self) -> None:
        """The lines stand."""
        self._kept = len(self._lines)

    def drop(self) -> None:
        """The lines since `keep` fall."""
        del self._lines[self._kept :]

    def write(self, connection: Connection) -> None:
        """Insert them all."""
        append(connection, self._table, self._columns, self._lines)


RECEIPT_COLUMNS = (
    *tables.RECEIPT, "row_id", "device", "epoch", "seq", "at", "received_at", "total", "pay", "earned", "body",
    "body_sha256", "member",
)  # fmt: skip


class _Part(Protocol):
    def keep(self) -> None: ...

    def drop(self) -> None: ...


class Books:
    """Members and tokens (locked), holds, digests of receipts, row ids, whose cards they are; and piles of what is new.

    `hopeful` books take it that no receipt, row id or token is there yet, as is nearly always so, and ask for none of
    them: the database refuses at `write` what is there.
    """

    def __init__(self, connection: Connection, *, hopeful: bool = False) -> None:
        self._connection = connection
        self._hopeful = hopeful
        self.cards: Shelf[str, str] = Shelf(lambda keys: members.of_cards(connection, keys))
        self.members: Shelf[str, MemberState] = Shelf(lambda keys: members.lock(connection, keys))
        self.holds: Shelf[str, tuple[holds.Held, ...]] = Shelf(lambda keys: holds.of_members(connection, keys))
        self.tokens: Shelf[str, tokens.TokenLine] = Shelf(lambda keys: {} if hopeful else tokens.lock(connection, keys))
        self.receipts: Shelf[Name, str] = Shelf(self._receipts)
        self.row_ids: Shelf[tuple[str, date], bool] = Shelf(self._row_ids)
        self.new_receipts = Pile(tables.receipts, RECEIPT_COLUMNS)
        self.entries = Pile(tables.ledger, ledger.ENTRY_COLUMNS)
        self.flags = Pile(tables.flags, flags.COLUMNS)

    def keep(self) -> None:
        """What was done since the last `keep` or `drop` stands."""
        for part in self._parts():
            part.keep()

    def drop(self) -> None:
        """What was done since the last `keep` or `drop` falls."""
        for part in self._parts():
            part.drop()

    def write(self) -> None:
        """Insert what is new and bind tokens. Raises what the database refuses; `settle` comes after it."""
        for pile in (self.new_receipts, self.entries, self.flags):
            pile.write(self._connection)
        tokens.write(self._connection, self.tokens.changes())
        holds.write(self._connection, (each for _, known, _ in self.holds.changes() for each in known))

    def settle(self) -> None:
        """Set the members as they are now. The last thing in a transaction: whoever numbers a change waits for it."""
        members.write(self._connection, [(member, state) for member, state, _ in self.members.changes()])

    def _parts(self) -> Iterator[_Part]:
        yield from (self.members, self.holds, self.tokens, self.receipts, self.row_ids)
        yield from (self.new_receipts, self.entries, self.flags)

    def _receipts(self, names: Collection[Name]) -> Mapping[Name, str]:
        if self._hopeful:
            return {}
        key = [tables.receipts.c[part] for part in tables.RECEIPT]
        days = tables.receipts.c.business_day.in_({name[0] for name in names})
        found = select(*key, tables.receipts.c.body_sha256).where(days, matching(self._connection, key, names))
        return {tuple(row[:-1]): row[-1] for row in self._connection.execute(found)}

    def _row_ids(self, keys: Collection[tuple[str, date]]) -> Mapping[tuple[str, date], bool]:
        if self._hopeful:
            return {}
        key = [tables.receipts.c.row_id, tables.receipts.c.business_day]
        days = tables.receipts.c.business_day.in_({day for _, day in keys})
        found = select(*key).where(days, matching(self._connection, key, keys))
        return {(row[0], row[1]): True for row in self._connection.execute(found)}
