"""Lots and the ledger against a slow model in which every single point is a thing of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from loyalty.ledger import Account, Entry, Part, book, dead, due, expiry, is_dead, revived_until, spend
from loyalty.quote import Lot
from loyalty.sections import Lots, Returns

from .model import lot_expiry
from .worlds import seeded

AT = datetime(2026, 12, 12, 9, tzinfo=UTC)
DAY = timedelta(days=1)
MOSCOW = ZoneInfo("Europe/Moscow")


class OnePointAtATime:
    """Each point knows its lot; a debt is counted in points that are not there."""

    def __init__(self) -> None:
        self.lots: dict[str, datetime | None] = {}
        self.points: list[str] = []
        self.debt = 0
        self.spent: dict[int, list[str | None]] = {}

    def living(self, at: datetime) -> list[str]:
        return [lot for lot, expires in self.lots.items() if expires is None or expires > at]

    def burn(self, at: datetime) -> int:
        burnt = [point for point in self.points if point not in self.living(at)]
        self.points = [point for point in self.points if point not in burnt]
        self.lots = {lot: self.lots[lot] for lot in self.living(at)}
        return len(burnt)

    def credit(self, lot: str, points: int, expires: datetime | None) -> None:
        self.lots.setdefault(lot, expires)
        for _ in range(points):
            if self.debt:
                self.debt -= 1
            else:
                self.points.append(lot)

    def debit(self, points: int, at: datetime, first: str = "") -> list[str | None]:
        taken: list[str | None] = []
        names = list(self.lots)
        for _ in range(points):
            there = [lot for lot in self.living(at) if lot in self.points]
            if not there:
                self.debt += 1
                taken.append(None)
                continue
            last = datetime.max.replace(tzinfo=UTC)
            lot = min(there, key=lambda lot: (lot != first, self.lots[lot] or last, names.index(lot)))
            self.points.remove(lot)
            taken.append(lot)
        return taken

    def restore(self, spent: list[str | None], points: int, at: datetime, lot: str, expires: datetime) -> None:
        for _ in range(points):
            home = spent.pop()
            if self.debt:
                self.debt -= 1
            elif home in self.living(at):
                self.points.append(str(home))
            else:
                self.lots.setdefault(lot, expires)
                self.points.append(lot)

    def state(self) -> tuple[dict[str, int], int]:
        return {lot: self.points.count(lot) for lot in self.lots}, self.debt


def one_life(random: Random) -> None:
    account, model, at, total = Account(), OnePointAtATime(), AT, 0
    redeemed: list[tuple[tuple[Part, ...], list[str | None], int]] = []
    for number in range(random.randint(1, 25)):
        at += random.choice((timedelta(0), timedelta(hours=5), DAY, 3 * DAY))
        for entry in due(account, at):
            account, total = book(account, entry).account, total + entry.points
        model.burn(at)
        kind = random.choice(("earn", "earn", "opening", "redeem", "redeem", "return_earn", "return_redeem", "adjust"))
        points, expires = random.randint(0, 12), random.choice((None, at + DAY, at + 4 * DAY, at + 9 * DAY))
        if kind in ("earn", "opening"):
            entry = Entry(kind, points, at, f"lot{number}", expires)
            model.credit(entry.lot, points, expires)
        elif kind == "return_redeem":
            if not redeemed:
                continue
            place = random.randrange(len(redeemed))
            parts, tokens, before = redeemed[place]
            points = random.randint(0, len(tokens))
            entry = Entry("return_redeem", points, at, f"back{number}", at + 2 * DAY, parts, before)
            model.restore(tokens, points, at, entry.lot, at + 2 * DAY)
            redeemed[place] = (parts, tokens, before + points)
        else:
            first = random.choice([lot.id for lot in account.lots] or [""]) if kind == "return_earn" else ""
            entry = Entry(kind, -points, at, first)
            tokens = model.debit(points, at, first)
            if kind == "redeem":
                redeemed.append((book(account, entry).parts, tokens, 0))
        account, total = book(account, entry).account, total + entry.points
        lots, debt = model.state()
        assert {lot.id: lot.points for lot in account.lots if lot.points} == {k: v for k, v in lots.items() if v}
        assert (account.debt, account.balance) == (debt, total)
        assert account.balance == sum(lots.values()) - debt
        assert debt == 0 or not any(lots.values())


@pytest.mark.no_cover  # traced, it takes twice as long and reaches no line that others do not
@pytest.mark.timeout(900)
def test_lots_equal_the_slow_model(size: Callable[[int, int], int]) -> None:
    for seed in range(size(1_500, 20_000)):
        try:
            one_life(seeded(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def lot(name: str, points: int, days: int | None = None) -> Lot:
    return Lot(name, points, None if days is None else AT + days * DAY)


@pytest.mark.parametrize(
    ("lots", "points", "after", "taken"),
    [
        ([lot("a", 5)], 0, {"a": 5}, []),
        ([lot("a", 5)], 3, {"a": 2}, [("a", 3)]),
        ([lot("a", 5), lot("b", 5, 9)], 6, {"a": 4, "b": 0}, [("b", 5), ("a", 1)]),  # what burns first goes first
        ([lot("a", 5, 9), lot("b", 5, 9)], 6, {"a": 0, "b": 4}, [("a", 5), ("b", 1)]),  # then the oldest
        ([lot("a", 5, 9), lot("b", 5, 8)], 6, {"a": 4, "b": 0}, [("b", 5), ("a", 1)]),
        ([lot("a", 5, 0), lot("b", 5)], 6, {"a": 5, "b": 0}, [("b", 5), (None, 1)]),  # a is dead, one is borrowed
        ([], 2, {}, [(None, 2)]),
    ],
)
def test_spending(lots: list[Lot], points: int, after: dict[str, int], taken: list[tuple[str | None, int]]) -> None:
    left, parts = spend(lots, points, AT)
    assert {each.id: each.points for each in left} == after
    assert [(part.lot.id if part.lot else None, part.points) for part in parts] == taken


def test_a_lot_is_dead_from_its_expiry_instant_on() -> None:
    second = timedelta(seconds=1)
    assert [is_dead(lot("a", 5, 1), AT + DAY + late) for late in (-second, second * 0, second)] == [False, True, True]
    assert not is_dead(lot("a", 5), AT + 999_999 * DAY)
    assert dead([lot("a", 5, 0), lot("b", 3, 1), lot("c", 1)], AT) == 5


def test_what_is_due_burns_at_its_own_instant() -> None:
    account = Account((lot("a", 5, 1), lot("b", 3, 2), lot("c", 1)))
    entries = due(account, AT + 2 * DAY)
    assert [(each.kind, each.points, each.at, each.lot) for each in entries] == [
        ("expire", -5, AT + DAY, "a"),
        ("expire", -3, AT + 2 * DAY, "b"),
    ]
    for entry in entries:
        account = book(account, entry).account
    assert account == Account((lot("c", 1),))


def test_a_debt_is_repaid_before_a_credit_becomes_a_lot() -> None:
    account = book(Account(), Entry("redeem", -7, AT)).account
    assert (account.balance, account.debt) == (-7, 7)
    account = book(account, Entry("earn", 10, AT, "e", AT + DAY)).account
    assert account == Account((lot("e", 3, 1),), 0)


def test_points_return_to_their_lots_the_last_spent_first() -> None:
    account = Account((lot("a", 5, 1), lot("b", 5, 2)))
    spent = book(account, Entry("redeem", -7, AT))
    back = Entry("return_redeem", 3, AT, "r", AT + 14 * DAY, spent.parts)
    once = book(spent.account, back).account
    assert once == Account((lot("a", 1, 1), lot("b", 5, 2)))  # as if only four had been spent
    assert book(once, back._replace(points=4, before=3)).account == account


def test_points_of_a_burnt_lot_live_some_days_more() -> None:
    spent = book(Account((lot("a", 5, 1),)), Entry("redeem", -5, AT))
    account, late = spent.account, AT + 2 * DAY
    for entry in due(account, late):
        account = book(account, entry).account
    back = Entry("return_redeem", 2, late, "r", revived_until(Returns(), late), spent.parts)
    account = book(account, back).account
    assert account == Account((Lot("r", 2, late + 14 * DAY),))
    account = book(account, back._replace(points=3, before=2)).account
    assert account == Account((Lot("r", 5, late + 14 * DAY),))


def test_what_a_receipt_earned_is_taken_from_its_own_lot_first() -> None:
    account = Account((lot("old", 5, 1), lot("sale", 4, 9)))
    account = book(account, Entry("return_earn", -6, AT, "sale")).account
    assert account == Account((lot("old", 3, 1), lot("sale", 0, 9)))


LIVES = ["P1M", "P12M", "P1Y", "P14D", "P2W", "P1Y2M3D", "P90D", "P6M1W"]
WHEN = [
    "2026-01-31T12:00:00+03:00",
    "2028-02-29T23:59:59+03:00",
    "2026-11-30T21:00:00+00:00",
    "2026-03-27T02:30:00+02:00",
]


@pytest.mark.parametrize("zone", ["Europe/Moscow", "America/New_York", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("until", ["exact", "end_of_month"])
@pytest.mark.parametrize("lives", LIVES)
def test_when_points_burn_equals_the_slow_model(lives: str, until: str, zone: str) -> None:
    for at in WHEN:
        programme = {"programme": {"timezone": zone}, "lots": {"lives": lives, "until": until}}
        rule = Lots(lives=lives, until=until)  # type: ignore[arg-type]
        found = expiry(rule, datetime.fromisoformat(at), ZoneInfo(zone))
        expected = lot_expiry(programme, at)
        assert found is not None
        assert expected is not None
        assert found.astimezone(UTC) == expected.astimezone(UTC), at


def test_points_of_a_programme_without_lives_never_burn() -> None:
    assert expiry(Lots(), AT, MOSCOW) is None


@pytest.mark.parametrize(
    ("at", "until", "burns"),
    [
        ("2027-01-31T12:00:00+03:00", "exact", "2027-02-28T12:00:00+03:00"),
        ("2028-01-31T12:00:00+03:00", "exact", "2028-02-29T12:00:00+03:00"),
        ("2026-12-12T12:00:00+03:00", "end_of_month", "2027-02-01T00:00:00+03:00"),
        ("2026-12-31T23:59:59+03:00", "end_of_month", "2027-02-01T00:00:00+03:00"),
        ("2027-01-01T00:00:00+03:00", "end_of_month", "2027-03-01T00:00:00+03:00"),
    ],
)
def test_a_month_later(at: str, until: str, burns: str) -> None:
    rule = Lots(lives="P1M", until=until)  # type: ignore[arg-type]
    found = expiry(rule, datetime.fromisoformat(at), MOSCOW)
    assert found is not None
    assert found.isoformat() == burns


def test_an_hour_that_the_clock_leaves_out_is_the_one_behind_it() -> None:
    found = expiry(
        Lots(lives="P1D"), datetime(2026, 3, 28, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), ZoneInfo("Europe/Berlin")
    )
    assert found is not None
    assert found.isoformat() == "2026-03-29T03:30:00+02:00"
