"""One transaction's books: what it needs is read at once, changed in memory, and written at once.

A batch of five hundred rows costs the database a dozen statements instead of thousands. Whoever works with books lets
them fetch what he will ask for, in one order for everybody (tokens, then members, each by their keys), so that two
transactions never wait for each other in a ring. A row's changes stand or fall together: `keep` or `drop` them before the next row.

What another transaction has done meanwhile the database refuses at `write` (a receipt, a row or a token that stands
already): then nothing is written, and the caller begins again with new books, which see it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import partial
from typing import Generic, TypeVar

import msgspec
from sqlalchemy import Connection, Table, func, select

from loyalty.programme import Programme
from loyalty.quote import MemberState
from loyalty.rules import tiers
from loyalty_server import flags, holds, ledger, lots, members, regulars, returned, tokens
from loyalty_server.members import Member
from loyalty_server.programmes import IN_FORCE, of_revisions
from loyalty_server.returned import Booked, Taken
from loyalty_server.slips import Name
from loyalty_server.storage import tables
from loyalty_server.storage.statements import append, matching, within
from loyalty_server.storage.types import UtcTime

K = TypeVar("K", bound="int | str | tuple[object, ...]")
V = TypeVar("V")


Undo = list[Callable[[], object]]
"""How to take back what was done to shelves and piles since the last `Books.keep`, the last first."""


class Shelf(Generic[K, V]):
    """Lines of a table by their keys, as the transaction has left them so far."""

    def __init__(self, undo: Undo, load: Callable[[list[K]], Mapping[K, V]]) -> None:
        self._undo, self._load = undo, load
        self._found: dict[K, V | None] = {}
        self._now: dict[K, V | None] = {}

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
        self._undo.append(partial(self._now.__setitem__, key, self._now[key]))
        self._now[key] = line

    def changes(self) -> Iterator[tuple[K, V, bool]]:
        """Each line that is not as it was found, by its key, and whether it is new."""
        for key in sorted(self._now):
            line = self._now[key]
            if line is not None and line is not self._found[key]:
                yield key, line, self._found[key] is None

    def moves(self) -> Iterator[tuple[V | None, V]]:
        """Each line that is not as it was found: as it was, and as it is."""
        yield from ((self._found[key], line) for key, line, _ in self.changes())

    def values(self) -> Iterator[V]:
        """The lines that were fetched and are there."""
        yield from (line for line in self._now.values() if line is not None)

    def __contains__(self, key: K) -> bool:
        """Tell whether the line, or that there is none, is known here."""
        return key in self._now


class Pile:
    """New lines for a table."""

    def __init__(self, undo: Undo, table: Table, columns: tuple[str, ...]) -> None:
        self._undo, self._table, self._columns = undo, table, columns
        self._lines: list[tuple[object, ...]] = []

    def add(self, *line: object) -> None:
        """One more, its values in the order of the columns."""
        self._undo.append(self._lines.pop)
        self._lines.append(line)

    def write(self, connection: Connection) -> None:
        """Insert them all."""
        append(connection, self._table, self._columns, self._lines)


RECEIPT_COLUMNS = (
    *tables.RECEIPT, "row_id", "device", "epoch", "seq", "at", "received_at", "total", "pay", "earned", "body",
    "body_sha256", "member",
)  # fmt: skip


NOTE_COLUMNS = ("row_id", "kind", "at", "received_at", "device", "till", "member", "body")


class Books:
    """Members and tokens (locked), holds, digests of receipts, row ids, whose cards they are; and piles of what is new.

    `hopeful` books take it that no receipt, row id or token is there yet, as is nearly always so, and ask for none of
    them: the database refuses at `write` what is there. `with_returns` books know of each sale what has come back of it;
    others, what waits for it.
    """

    def __init__(
        self, connection: Connection, now: datetime, *, hopeful: bool = False, with_returns: bool = False
    ) -> None:
        self._connection, self._now = connection, now
        undo: Undo = []
        self._undo = undo
        self.cards: Shelf[str, str] = Shelf(undo, partial(members.of_cards, connection))
        self.members: Shelf[str, Member] = Shelf(undo, partial(members.lock, connection))
        self.holds: Shelf[str, tuple[holds.Held, ...]] = Shelf(undo, partial(holds.of_members, connection))
        self.programmes: Shelf[int, Programme] = Shelf(undo, lambda keys: of_revisions(connection, keys, now))
        self.returned: Shelf[Name, tuple[Taken, ...]] = Shelf(
            undo, partial(returned.load if with_returns else returned.waiting, connection)
        )
        self.sold: Shelf[Name, Booked] = Shelf(undo, partial(returned.sales_of, connection))
        self.coupons: Shelf[tuple[str, str], bool] = Shelf(undo, partial(_coupons, connection))
        self.consented: Shelf[str, datetime] = Shelf(undo, partial(_consented, connection))
        self.burnt: Shelf[str, tuple[tuple[datetime, int], ...]] = Shelf(undo, partial(lots.burnt_of, connection))
        self.shortfalls: Shelf[str, int] = Shelf(undo, partial(flags.shortfalls, connection, now))
        self.tokens: Shelf[str, tokens.TokenLine] = Shelf(undo, _unless(hopeful, partial(tokens.lock, connection)))
        self.receipts: Shelf[Name, str] = Shelf(undo, _unless(hopeful, partial(_receipts, connection)))
        self.row_ids: Shelf[tuple[str, date], bool] = Shelf(undo, _unless(hopeful, partial(_row_ids, connection)))
        self.taken: Shelf[tuple[str, Name], str] = Shelf(undo, _unless(hopeful, partial(_taken, connection)))
        self.taken_ids: Shelf[str, bool] = Shelf(undo, _unless(hopeful, partial(_ids, connection, tables.returns)))
        self.note_ids: Shelf[str, bool] = Shelf(undo, _unless(hopeful, partial(_ids, connection, tables.notes)))
        self.new_receipts = Pile(undo, tables.receipts, RECEIPT_COLUMNS)
        self.entries = Pile(undo, tables.ledger, ledger.ENTRY_COLUMNS)
        self.flags = Pile(undo, tables.flags, flags.COLUMNS)
        self.uses = Pile(undo, tables.coupon_uses, ("member", "code", "row_id", "at"))
        self.notes = Pile(undo, tables.notes, NOTE_COLUMNS)
        self._piles = (self.new_receipts, self.entries, self.flags, self.uses, self.notes)

    def keep(self) -> None:
        """What was done since the last `keep` or `drop` stands."""
        self._undo.clear()

    def drop(self) -> None:
        """What was done since the last `keep` or `drop` falls."""
        while self._undo:
            self._undo.pop()()

    def post(self, member: str, after: MemberState, entries: list[ledger.Entry]) -> None:
        """Append entries of one instant to a member's ledger, after which he is in that state."""
        line = self.members.get(member)
        if line is None:
            raise LookupError(f"there is no member {member}")
        for entry in entries:
            self.entries.add(*ledger.line(entry, self._now))
        self.members.put(member, lots.moved(line, after, entries))

    def write(self) -> None:
        """Insert what is new and bind tokens. Raises what the database refuses; `settle` comes after it."""
        for pile in self._piles:
            pile.write(self._connection)
        tokens.write(self._connection, self.tokens.changes())
        holds.write(self._connection, (each for _, known, _ in self.holds.changes() for each in known))
        returned.write(self._connection, [(before or (), now) for before, now in self.returned.moves()])

    def settle(self, store: str | None = None) -> None:
        """Set the members as they are now, regulars of the store in which this happened. The last thing in a transaction: whoever numbers a change waits for it."""
        changed = {member: line for member, line, _ in self.members.changes()}
        late = {member: line for member, line in changed.items() if line.late}
        if late:
            changed |= lots.made_anew(self._connection, late, self._now)
        if changed:
            programme = self.programmes.get(IN_FORCE)
            tiered = programme if programme is not None and programme.tiers else None
            members.write(self._connection, [(member, _tiered(tiered, line)) for member, line in changed.items()])
            if store is not None:
                regulars.add(self._connection, store, changed)


def _tiered(programme: Programme | None, line: Member) -> Member:
    """The tier follows from the counters, whoever's receipts made them."""
    state = line.state
    held = None if programme is None else tiers.held(programme, state, state.counters.on or date.min)
    return line if held is None else line._replace(state=msgspec.structs.replace(state, tier=held.id))


def _unless(hopeful: bool, load: Callable[[list[K]], Mapping[K, V]]) -> Callable[[list[K]], Mapping[K, V]]:
    return (lambda _: {}) if hopeful else load


def _receipts(connection: Connection, names: Collection[Name]) -> Mapping[Name, str]:
    key = [tables.receipts.c[part] for part in tables.RECEIPT]
    days = tables.receipts.c.business_day.in_({name[0] for name in names})
    found = select(*key, tables.receipts.c.body_sha256).where(days, matching(connection, key, names))
    return {tuple(row[:-1]): row[-1] for row in connection.execute(found)}


def _row_ids(connection: Connection, keys: Collection[tuple[str, date]]) -> Mapping[tuple[str, date], bool]:
    key = [tables.receipts.c.row_id, tables.receipts.c.business_day]
    days = tables.receipts.c.business_day.in_({day for _, day in keys})
    found = select(*key).where(days, matching(connection, key, keys))
    return {(row[0], row[1]): True for row in connection.execute(found)}


def _taken(connection: Connection, keys: Collection[tuple[str, Name]]) -> Mapping[tuple[str, Name], str]:
    key = [tables.returns.c.kind, *(tables.returns.c[part] for part in tables.RECEIPT)]
    flat = [(kind, *name) for kind, name in keys]
    found = connection.execute(select(*key, tables.returns.c.body_sha256).where(matching(connection, key, flat)))
    return {(row[0], tuple(row[1:-1])): row[-1] for row in found}


def _ids(connection: Connection, table: Table, ids: Collection[str]) -> Mapping[str, bool]:
    found = select(table.c.row_id).where(within(connection, table.c.row_id, ids))
    return dict.fromkeys(connection.execute(found).scalars(), True)


def _coupons(connection: Connection, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
    key = [tables.coupon_uses.c.member, tables.coupon_uses.c.code]
    found = connection.execute(select(*key).where(matching(connection, key, keys)))
    return {(row[0], row[1]): True for row in found}


def _consented(connection: Connection, ids: Collection[str]) -> Mapping[str, datetime]:
    """When each of these members has last said something about his consent."""
    of, at = tables.notes.c.member, func.max(tables.notes.c.at, type_=UtcTime)
    said = select(of, at).where(tables.notes.c.kind == "consent", within(connection, of, ids)).group_by(of)
    return {row[0]: row[1] for row in connection.execute(said)}
