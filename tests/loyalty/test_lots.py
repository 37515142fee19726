"""Lots from postings: the same in any order, moved on one by one or made anew, and never more or less than the sum."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest

from loyalty.ledger import Account, EntryKind
from loyalty.lots import NEVER, Posting, lot_of, post, replay, standing
from loyalty.quote import Lot

from .worlds import seeded

AT = datetime(2027, 1, 10, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def life(random: Random) -> list[Posting]:
    """Some weeks of a member: sales, returns of parts of them, adjustments, points that never burn."""
    postings: list[Posting] = []
    sales: list[tuple[str, datetime, int, int, datetime | None]] = []
    for number in range(random.randint(1, 25)):
        at = AT + timedelta(hours=random.randint(0, 60 * 24))
        burns = random.choice([None, AT + random.randint(1, 70) * DAY])
        if sales and random.random() < 0.4:
            postings += _return(random, f"r{number}", at, random.choice(sales))
            continue
        earned, paid = random.randint(0, 50), random.choice([0, 0, random.randint(1, 60)])
        sale = f"s{number}"
        postings += _booked("redeem", -paid, at, sale, sale, None) + _booked("earn", earned, at, sale, sale, burns)
        sales.append((sale, at, earned, paid, burns))
    return postings


def _return(
    random: Random, name: str, at: datetime, sale: tuple[str, datetime, int, int, datetime | None]
) -> list[Posting]:
    of, sold, earned, paid, burns = sale
    revived = None if burns is None else at + 14 * DAY
    return [
        *_booked("return_redeem", random.randint(0, paid), at, name, of, revived),
        *_booked("return_earn", -random.randint(0, earned), at, name, of, burns),
        *_booked("adjust", random.choice([0, 0, -3, 4]), sold, name, of, burns),
    ]


def _booked(
    kind: EntryKind, points: int, at: datetime, name: str, sale: str, expires_at: datetime | None
) -> list[Posting]:
    return [Posting(kind, points, at, (name,), sale, expires_at)] if points else []


@pytest.mark.parametrize("part", range(4))
def test_any_order_makes_the_same_lots(part: int, size: Callable[[int, int], int]) -> None:
    for seed in range(part, size(400, 20_000), 4):
        random = seeded(seed)
        postings = life(random)
        account = replay(postings)
        assert account.balance == sum(posting.points for posting in postings), f"seed {seed}"
        assert account.debt >= 0 <= min((lot.points for lot in account.lots), default=0), f"seed {seed}"
        random.shuffle(postings)
        assert replay(postings) == account, f"seed {seed}"


def test_one_after_another_is_as_good_as_all_anew(size: Callable[[int, int], int]) -> None:
    for seed in range(size(400, 20_000)):
        postings = [each for each in life(seeded(seed)) if each.kind not in ("adjust", "return_redeem")]
        account = Account()
        for posting in sorted(postings, key=lambda each: (each.at, each.name, each.kind == "earn")):
            account = post(account._replace(lots=standing(account)), posting)
        anew = replay(postings)
        assert (standing(account), account.debt) == (standing(anew), anew.debt), f"seed {seed}"


def test_what_burnt_needs_no_entry_to_be_known() -> None:
    """A ledger that came late is replayed with and without its expiry runs."""
    earned = Posting("earn", 30, AT, ("s1",), "s1", AT + DAY)
    assert replay([earned, Posting("expire", -30, AT + DAY, ("x",))]) == replay([earned])


def test_points_that_burn_together_are_one_lot_whatever_the_zone() -> None:
    moscow = (AT + DAY).astimezone(timezone(timedelta(hours=3)))
    account = replay([Posting("earn", 5, AT, ("a",), "a", AT + DAY), Posting("earn", 7, AT, ("b",), "b", moscow)])
    assert standing(account) == (Lot(lot_of(AT + DAY), 12, AT + DAY),)
    assert lot_of(moscow) == lot_of(AT + DAY) != NEVER


def test_a_return_takes_from_the_lot_of_its_sale_first() -> None:
    soon, late = AT + DAY, AT + 9 * DAY
    postings = [Posting("earn", 10, AT, ("a",), "a", soon), Posting("earn", 10, AT, ("b",), "b", late)]
    postings.append(Posting("return_earn", -4, AT + DAY / 2, ("r",), "b", late))
    assert [lot.points for lot in standing(replay(postings))] == [10, 6]


def test_more_points_back_than_were_paid_are_new_ones() -> None:
    postings = [Posting("opening", 10, AT, ("o",)), Posting("redeem", -10, AT + DAY, ("a",), "a")]
    back = [Posting("return_redeem", 8, AT + each * DAY, (str(each),), "a") for each in (2, 3)]
    account = replay([*postings, *back])
    assert (account.balance, standing(account)) == (16, (Lot(NEVER, 16, None),))
