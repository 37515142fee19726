"""What a sale does to a member, and how his counters follow the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.counters import Receipt, counted, rolled
from loyalty.member import apply
from loyalty.member import rolled as member_rolled
from loyalty.quote import Basket, Counters, Line, MemberState, Quote
from loyalty.wire import ReceiptId, Sale

AS_OF = datetime(2026, 12, 11, 9, 0, tzinfo=UTC)
FRIDAY, SATURDAY = date(2026, 12, 11), date(2026, 12, 12)
FULL = Counters(
    purchases={"lifetime": 9, "year": 7, "month": 3, "day": 1},
    turnover={"lifetime": 90, "year": 70, "month": 30, "day": 10},
    earnings={"day": 1},
    redemptions={"day": 1},
    redeemed={"day": 5},
    on=FRIDAY,
)


def sale(
    before: MemberState | None,
    *,
    pay: int = 1_000,
    earned: int = 10,
    redeemed: int = 0,
    day: date = SATURDAY,
    used: tuple[str, ...] = (),
    stamps: dict[str, int] | None = None,
) -> Sale:
    quote = Quote(
        total=pay, discount=0, line_discounts=(0,), max_redeem=0, redeemed=redeemed, line_redeemed=(0,), pay=pay,
        earned=earned, balance_after=0, tier="basic", tier_after="silver", to_next_tier=None,
        stamps_after=stamps or {}, free_units={}, gifts=(), slips=(),
        coupons_used=used, why=(), prompt={}, programme_revision=7, engine=1,
    )  # fmt: skip
    receipt = ReceiptId(store="S1", till="1", business_day=day, shift="1", number="1")
    return Sale(
        receipt=receipt, basket=Basket((Line(sum=pay),)), quote=quote, offline=True, member="m", member_state=before
    )


@pytest.mark.parametrize(
    ("day", "periods"),
    [
        (FRIDAY, ["lifetime", "year", "month", "day"]),
        (date(2026, 12, 10), ["lifetime", "year", "month", "day"]),  # a clock behind the server opens nothing again
        (SATURDAY, ["lifetime", "year", "month"]),
        (date(2027, 1, 11), ["lifetime"]),
        (date(2027, 12, 11), ["lifetime"]),
    ],
)
def test_periods_that_are_over_begin_anew(day: date, periods: list[str]) -> None:
    after = rolled(FULL, day)
    assert list(after.purchases) == list(after.turnover) == periods
    assert bool(after.redeemed) == bool(after.earnings) == bool(after.redemptions) == ("day" in periods)
    assert after.on == max(day, FRIDAY)


def test_a_month_ends_and_the_year_goes_on() -> None:
    november = msgspec.structs.replace(FULL, on=date(2026, 11, 30))
    assert list(rolled(november, date(2026, 12, 1)).purchases) == ["lifetime", "year"]


def test_counters_without_a_day_are_those_of_the_day_asked_for() -> None:
    assert rolled(msgspec.structs.replace(FULL, on=None), SATURDAY) == msgspec.structs.replace(FULL, on=SATURDAY)


def test_a_receipt_counts_in_every_period() -> None:
    after = counted(FULL, FRIDAY, Receipt(pay=100, earned=3, redeemed=2))
    assert after.purchases == {"lifetime": 10, "year": 8, "month": 4, "day": 2}
    assert after.turnover == {"lifetime": 190, "year": 170, "month": 130, "day": 110}
    assert (after.earnings, after.redemptions, after.redeemed) == ({"day": 2}, {"day": 2}, {"day": 7})


def test_a_receipt_without_points_is_no_earning_and_no_redemption() -> None:
    after = counted(Counters(), FRIDAY, Receipt(pay=0, earned=0, redeemed=0))
    every = {"lifetime": 1, "year": 1, "month": 1, "day": 1}
    assert after == Counters(purchases=every, on=FRIDAY)


def test_a_late_receipt_counts_only_in_periods_that_still_run() -> None:
    after = counted(FULL, date(2026, 12, 1), Receipt(pay=100, earned=3, redeemed=2))
    assert after.purchases == {"lifetime": 10, "year": 8, "month": 4, "day": 1}
    assert (after.turnover["day"], after.earnings, after.redeemed, after.on) == (10, {"day": 1}, {"day": 5}, FRIDAY)
    assert counted(FULL, date(2025, 12, 11), Receipt(1, 0, 0)).purchases["year"] == 7


@given(st.lists(st.tuples(st.dates(date(2025, 11, 1), date(2027, 2, 1)), st.integers(0, 100)), max_size=20))
def test_counting_receipt_by_receipt_is_counting_those_of_each_period(receipts: list[tuple[date, int]]) -> None:
    counters, days = Counters(), sorted(receipts)
    for day, pay in days:
        counters = counted(counters, day, Receipt(pay, 0, 0))
    if days:
        last = days[-1][0]
        assert counters.turnover.get("lifetime", 0) == sum(pay for _, pay in days)
        assert counters.turnover.get("year", 0) == sum(pay for day, pay in days if day.year == last.year)
        in_month = [pay for day, pay in days if (day.year, day.month) == (last.year, last.month)]
        assert (counters.turnover.get("month", 0), counters.purchases["month"]) == (sum(in_month), len(in_month))
        assert counters.purchases["day"] == len([day for day, _ in days if day == last])


def test_a_sale_books_the_printed_numbers() -> None:
    state = MemberState(balance=100, as_of=AS_OF, tier="basic", counters=FULL, tags=("vip",))
    after = apply(state, sale(state, earned=10, redeemed=30))
    assert (after.balance, after.tier, after.as_of, after.tags) == (80, "silver", AS_OF, ("vip",))
    assert after.counters == counted(FULL, SATURDAY, Receipt(1_000, 10, 30))


def test_printed_is_printed_even_into_a_debt_or_after_a_withdrawal() -> None:
    state = MemberState(balance=10, as_of=AS_OF, consent="withdrawn")
    assert apply(state, sale(MemberState(as_of=AS_OF), earned=1, redeemed=50)).balance == -39


def test_a_sale_under_a_withdrawn_consent_is_counted_like_any_other() -> None:
    before = MemberState(balance=10, as_of=AS_OF, consent="withdrawn", counters=FULL)
    after = apply(before, sale(before, earned=0))
    assert (after.counters, after.balance) == (counted(FULL, SATURDAY, Receipt(1_000, 0, 0)), 10)


@pytest.mark.parametrize("before", [None, MemberState()], ids=["without a card", "card only"])
def test_a_sale_to_somebody_unknown_says_nothing_about_his_tier(before: MemberState | None) -> None:
    after = apply(MemberState(balance=5, as_of=AS_OF, tier="gold"), sale(before))
    assert (after.balance, after.tier, after.counters.purchases["lifetime"]) == (15, "gold", 1)


def test_stamps_and_used_coupons_follow_the_quote() -> None:
    state = MemberState(as_of=AS_OF, coupons=("A", "B"), stamps={"spa": 1, "tea": 2})
    after = apply(state, sale(state, used=("A",), stamps={"spa": 2}))
    assert (after.coupons, after.stamps) == (("B",), {"spa": 2, "tea": 2})


def test_stamps_of_two_tills_that_did_not_see_each_other_add_up() -> None:
    state = MemberState(as_of=AS_OF, stamps={"spa": 4})
    one, other = sale(state, stamps={"spa": 5}), sale(state, stamps={"spa": 0})
    assert apply(apply(state, one), other).stamps == apply(apply(state, other), one).stamps == {"spa": 1}
    assert apply(state, sale(None, stamps={})).stamps == {"spa": 4}


@pytest.mark.parametrize(
    ("on", "business_day", "counts_on"),
    [
        (SATURDAY, FRIDAY, SATURDAY),  # after midnight, in the shift of the evening
        (FRIDAY, SATURDAY, SATURDAY),  # a replica of yesterday that nobody rolled
        (None, SATURDAY, SATURDAY),
    ],
)
def test_the_day_of_a_sale_is_its_local_day(on: date | None, business_day: date, counts_on: date) -> None:
    before = MemberState(as_of=AS_OF, counters=Counters(on=on))
    assert apply(MemberState(as_of=AS_OF), sale(before, day=business_day)).counters.on == counts_on


def test_rolling_a_member_keeps_his_age() -> None:
    state = MemberState(balance=5, as_of=AS_OF, counters=FULL)
    after = member_rolled(state, SATURDAY)
    assert (after.balance, after.as_of, after.counters) == (5, AS_OF, rolled(FULL, SATURDAY))


def test_a_member_and_a_sale_survive_the_wire() -> None:
    state = MemberState(balance=5, as_of=AS_OF, counters=FULL)
    sent = sale(state)
    assert msgspec.json.decode(msgspec.json.encode(sent), type=Sale) == sent
