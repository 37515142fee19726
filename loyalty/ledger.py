"""The ledger of a member's points: entries that are only added, and the lots that they make and spend. Pure.

The balance is the sum of the entries. Credits are lots; a debit takes from the lot that expires first, then from the
oldest; what it cannot take is a debt, which the next credit repays before it becomes a lot. A lot is dead from its
expiry instant on. Points that paid and come back go to the lots they came from, the last spent first, so that an
account looks as if only the rest had ever been spent; where such a lot has burnt meanwhile they live for some days more.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from loyalty.quote import Lot
from loyalty.sections import Lots, Returns

EntryKind = Literal[
    "earn", "redeem", "return_earn", "return_redeem", "expire", "adjust", "opening", "welcome", "gift", "referral"
]


class Part(NamedTuple):
    """So many points of one lot; without a lot they were borrowed."""

    lot: Lot | None
    points: int


class Entry(NamedTuple):
    """One line of the ledger; `points` is signed.

    A credit makes the lot `lot`, a `return_earn` takes from it first, an `expire` ends it. A `return_redeem` carries the
    parts of its `redeem` and how many of its points had come back `before`; what cannot go back to its own lot makes
    the lot `lot`, which lives until `expires_at`.
    """

    kind: EntryKind
    points: int
    at: datetime
    lot: str = ""
    expires_at: datetime | None = None
    parts: tuple[Part, ...] = ()
    before: int = 0


class Account(NamedTuple):
    """Lots by age, the oldest first, and what is owed. An emptied lot stays until it expires: points may return to it."""

    lots: tuple[Lot, ...] = ()
    debt: int = 0

    @property
    def balance(self) -> int:
        """The sum of all entries so far."""
        return sum(lot.points for lot in self.lots) - self.debt


class Booked(NamedTuple):
    """The account after an entry, and for a debit the parts that it took."""

    account: Account
    parts: tuple[Part, ...] = ()


def is_dead(lot: Lot, at: datetime) -> bool:
    """True from the instant on at which the lot burns."""
    return lot.expires_at is not None and lot.expires_at <= at


def dead(lots: Iterable[Lot], at: datetime) -> int:
    """Return the points that have burnt but still stand in the lots."""
    return sum(lot.points for lot in lots if is_dead(lot, at))


def spend(lots: Sequence[Lot], points: int, at: datetime) -> tuple[tuple[Lot, ...], tuple[Part, ...]]:
    """Return the lots after so many points were spent, and from which they came; what no lot has comes from none."""
    living = [(number, lot) for number, lot in enumerate(lots) if lot.points > 0 and not is_dead(lot, at)]
    taken: dict[int, Part] = {}
    for number, lot in sorted(living, key=lambda each: (each[1].expires_at is None, each[1].expires_at or at, each[0])):
        part = min(lot.points, points)
        if part:
            taken[number] = Part(lot, part)
            points -= part
    parts = (*taken.values(), Part(None, points)) if points else tuple(taken.values())
    return tuple(_less(lot, taken[number].points) if number in taken else lot for number, lot in enumerate(lots)), parts


def due(account: Account, at: datetime) -> tuple[Entry, ...]:
    """Return the entries that burn what is dead at that time, each at its own instant."""
    burnt = [lot for lot in account.lots if is_dead(lot, at)]
    return tuple(Entry("expire", -lot.points, lot.expires_at or at, lot.id) for lot in burnt)


def book(account: Account, entry: Entry) -> Booked:
    """Return the account after an entry. One of no points changes nothing."""
    if not entry.points and entry.kind != "expire":
        return Booked(account)
    if entry.kind == "expire":
        return Booked(account._replace(lots=tuple(lot for lot in account.lots if lot.id != entry.lot)))
    if entry.points < 0:
        return _debit(account, entry)
    if entry.kind == "return_redeem":
        return Booked(_restore(account, entry))
    return Booked(_credit(account, Lot(entry.lot, entry.points, entry.expires_at)))


def expiry(rule: Lots, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when points that are earned at that time burn; None = never. On the calendar of the programme's zone."""
    if rule.lives is None:
        return None
    lives = {unit: int(number) for number, unit in re.findall(r"(\d+)([YMWD])", rule.lives)}
    local = at.astimezone(zone)
    day = _months_later(local.date(), 12 * lives.get("Y", 0) + lives.get("M", 0))
    day += timedelta(weeks=lives.get("W", 0), days=lives.get("D", 0))
    if rule.until == "exact":
        return _normal(datetime.combine(day, local.time(), zone), zone)
    return _normal(datetime.combine(_months_later(day.replace(day=1), 1), time(), zone), zone)


def revived_until(rule: Returns, at: datetime) -> datetime:
    """Return when points burn that come back at that time to a lot which has burnt meanwhile."""
    return at + timedelta(days=rule.revived_lot_days)


def _debit(account: Account, entry: Entry) -> Booked:
    wanted = -entry.points
    own = [lot for lot in account.lots if entry.lot and lot.id == entry.lot and not is_dead(lot, entry.at)]
    first = min(wanted, sum(lot.points for lot in own))
    parts: tuple[Part, ...] = ()
    lots = account.lots
    if first:
        parts = (Part(own[0], first),)
        lots = tuple(_less(lot, first) if lot.id == entry.lot else lot for lot in lots)
    lots, more = spend(lots, wanted - first, entry.at)
    short = sum(part.points for part in more if part.lot is None)
    return Booked(Account(lots, account.debt + short), (*parts, *more))


def _credit(account: Account, lot: Lot) -> Account:
    repaid = min(account.debt, lot.points)
    return Account((*account.lots, _less(lot, repaid)), account.debt - repaid)


def _restore(account: Account, entry: Entry) -> Account:
    skip, wanted = entry.before, entry.points
    for part in reversed(entry.parts):
        skipped = min(skip, part.points)
        points = min(part.points - skipped, wanted)
        skip, wanted = skip - skipped, wanted - points
        repaid = min(account.debt, points)
        account = account._replace(debt=account.debt - repaid)
        if points > repaid:
            account = _give_back(account, part.lot, points - repaid, entry)
    return account


def _give_back(account: Account, lot: Lot | None, points: int, entry: Entry) -> Account:
    living = [each.id for each in account.lots if not is_dead(each, entry.at)]
    target = lot.id if lot is not None and lot.id in living else entry.lot
    if target not in living:
        return account._replace(lots=(*account.lots, Lot(target, points, entry.expires_at)))
    return account._replace(lots=tuple(_less(each, -points) if each.id == target else each for each in account.lots))


def _less(lot: Lot, points: int) -> Lot:
    return Lot(lot.id, lot.points - points, lot.expires_at)


def _months_later(day: date, months: int) -> date:
    """The same day some months later; the last of the month where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _normal(moment: datetime, zone: ZoneInfo) -> datetime:
    """A local time that a change of the clock leaves out is the one as far behind the change."""
    return moment.astimezone(UTC).astimezone(zone)
