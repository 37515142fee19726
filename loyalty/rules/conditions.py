"""When an offer holds: each key of `when` becomes one function of what is known about the receipt.

Windows include their start and exclude their end. Hours are the wall clock of the programme's time zone, so both passes
of an hour that is repeated in autumn are inside; a day begins at the first midnight of its date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from loyalty.offers import Around, Dates, Hours, Nth, When
from loyalty.rules.customer import Customer

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions ask about. `bits` are those of any line of the receipt, `gross` its sum before discounts."""

    customer: Customer
    at: datetime
    local: datetime
    store: str
    gross: int
    bits: int


Holds = Callable[[Facts], bool]


def conditions(when: When, bought: int, zone: ZoneInfo) -> tuple[Holds, ...]:
    """Return a function for each condition that is present; `bought` are the bits of the lines that must be there."""
    return (*_about_the_member(when), *_about_the_time(when, zone), *_about_the_receipt(when, bought))


def _about_the_member(when: When) -> Iterator[Holds]:
    if when.member is not None:
        yield _member(when.member)
    if when.tiers is not None:
        yield _tiers(frozenset(when.tiers))
    if when.tags is not None:
        yield _tags(frozenset(when.tags))
    if when.not_tags is not None:
        yield _not_tags(frozenset(when.not_tags))
    if when.first_purchase is not None:
        yield _first_purchase(when.first_purchase)
    if when.nth_purchase is not None:
        yield _nth_purchase(when.nth_purchase)
    if when.coupon is not None:
        yield _coupon(when.coupon)


def _about_the_time(when: When, zone: ZoneInfo) -> Iterator[Holds]:
    if when.dates is not None:
        yield from _dates(when.dates, zone)
    if when.weekdays is not None:
        yield _weekdays(frozenset(when.weekdays))
    if when.local_time is not None:
        yield _local_time(when.local_time)
    if when.birthday is not None:
        yield _birthday(when.birthday)
    if when.anniversary is not None:
        yield _anniversary(when.anniversary)


def _about_the_receipt(when: When, bought: int) -> Iterator[Holds]:
    if when.stores is not None:
        yield _stores(frozenset(when.stores))
    if when.receipt_at_least is not None:
        yield _receipt_at_least(when.receipt_at_least)
    if when.bought is not None:
        yield _bought(bought)


def _member(wanted: bool) -> Holds:
    return lambda facts: facts.customer.card is wanted


def _tiers(wanted: frozenset[str]) -> Holds:
    def holds(facts: Facts) -> bool:
        held = facts.customer.held
        return held is not None and held.id in wanted

    return holds


def _tags(wanted: frozenset[str]) -> Holds:
    return lambda facts: not wanted.isdisjoint(facts.customer.state.tags)


def _not_tags(unwanted: frozenset[str]) -> Holds:
    return lambda facts: unwanted.isdisjoint(facts.customer.state.tags)


def _first_purchase(wanted: bool) -> Holds:
    return lambda facts: facts.customer.known and facts.customer.first_purchase is wanted


def _nth_purchase(nth: Nth) -> Holds:
    def holds(facts: Facts) -> bool:
        before = facts.customer.state.counters.purchases.get(nth.period, 0)
        return facts.customer.known and (before + 1) % nth.every == 0

    return holds


def _coupon(code: str) -> Holds:
    return lambda facts: code in facts.customer.state.coupons


def _stores(wanted: frozenset[str]) -> Holds:
    return lambda facts: facts.store in wanted


def _receipt_at_least(least: int) -> Holds:
    return lambda facts: facts.gross >= least


def _bought(bits: int) -> Holds:
    return lambda facts: bool(facts.bits & bits)


def _dates(dates: Dates, zone: ZoneInfo) -> Iterator[Holds]:
    if dates.start is not None:
        start = _instant(dates.start, zone)
        yield lambda facts: facts.at >= start
    if dates.end is not None:
        end = _instant(dates.end, zone)
        yield lambda facts: facts.at < end


def _instant(moment: date | datetime, zone: ZoneInfo) -> datetime:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC)
    return datetime.combine(moment, time(), zone).astimezone(UTC)


def _weekdays(wanted: frozenset[int]) -> Holds:
    return lambda facts: facts.local.isoweekday() in wanted


def _local_time(hours: Hours) -> Holds:
    start, end = hours.start or time(), hours.end
    if end is None:
        return lambda facts: facts.local.time() >= start
    if start <= end:
        return lambda facts: start <= facts.local.time() < end
    return lambda facts: not end <= facts.local.time() < start


def _birthday(around: bool | Around) -> Holds:
    before, after, wanted = _window(around)

    def holds(facts: Facts) -> bool:
        birthday = facts.customer.state.birthday
        if birthday is None:
            return False
        today = facts.local.date()
        month, day = int(birthday[:2]), int(birthday[3:])
        return _is_near(today, month, day, before, after, earliest=0) is wanted

    return holds


def _anniversary(around: bool | Around) -> Holds:
    before, after, wanted = _window(around)

    def holds(facts: Facts) -> bool:
        if facts.customer.state.joined is None:
            return False
        joined = date.fromisoformat(facts.customer.state.joined)
        today = facts.local.date()
        return _is_near(today, joined.month, joined.day, before, after, earliest=joined.year + 1) is wanted

    return holds


def _window(around: bool | Around) -> tuple[timedelta, timedelta, bool]:
    if isinstance(around, bool):
        return timedelta(), timedelta(), around
    return around.days_before * _DAY, around.days_after * _DAY, True


def _is_near(today: date, month: int, day: int, before: timedelta, after: timedelta, *, earliest: int) -> bool:
    """True if that day of last, this or next year has today in its window; 29 February is 28 in common years."""
    for year in range(max(earliest, today.year - 1), today.year + 2):
        of_year = _in_year(year, month, day)
        if of_year - before <= today <= of_year + after:
            return True
    return False


def _in_year(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, month, day - 1)
