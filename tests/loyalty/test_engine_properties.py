"""What must hold for every receipt, whatever the programme, the member and the day."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.engine import quote
from loyalty.member import apply
from loyalty.programme import Programme, load
from loyalty.quote import Basket, Counters, Line, MemberState, Quote, Refusal
from loyalty.wire import ReceiptId, Sale

pytestmark = pytest.mark.no_cover  # traced, they take twice as long and reach no line that others do not

NOON = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)
HEAD = """
[programme]
id = "club"
revision = 7
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
"""
TIERS = """
[[tier]]
id = "basic"
discount_bp = {discount}
[[tier]]
id = "silver"
discount_bp = {discount}
any_of = [{{ counter = "purchases", period = "month", at_least = 5 }}, {{ counter = "turnover", period = "lifetime", at_least = 1000000 }}]
"""

RATES = st.integers(0, 10_000)
SUMS = st.integers(0, 100_000)


@st.composite
def programmes(draw: st.DrawFn, law: Literal["ru", "none"] | None = None, *, plain: bool = False) -> Programme:
    """Any programme that the document can say; a plain one excludes nothing and has no conditions on earning."""
    value, decimals = draw(st.sampled_from([(1, 0), (33, 0), (100, 0), (250, 0), (100, 2), (300, 2)]))
    head = f"point_value = {value}\npoint_decimals = {decimals}\n"
    head += f'law = "{law or draw(st.sampled_from(["ru", "none"]))}"\n'
    by_rate = f"rate_bp = {draw(RATES)}"
    by_steps = f"step = {draw(st.integers(1, 50_000))}\npoints_per_step = {draw(st.integers(0, 20))}"
    text = f"[earn]\n{draw(st.sampled_from([by_rate, by_steps]))}\n"
    if not plain:
        text += f"minimum_paid = {draw(SUMS)}\nexclude = {{ categories = ['coffee'], promo = true }}\n"
    text += f"[redeem]\ncap_bp = {draw(RATES)}\nstep = {draw(st.integers(1, 50))}\n"
    text += f"minimum_balance = {draw(st.integers(0, 300))}\nminimum_receipt = {draw(SUMS)}\n"
    text += "[redeem.offline]\npolicy = 'capped'\nmax_points_per_receipt = 200\nmax_points_per_day = 400\n"
    return load(HEAD + head + text + TIERS.format(discount=draw(RATES)), "toml")


FLAGS = st.booleans()
LINES = st.builds(
    Line,
    sku=st.sampled_from(["", "1", "2"]),
    categories=st.lists(st.sampled_from(["coffee", "food", "tobacco"]), max_size=2).map(tuple),
    quantity=st.integers(1, 5_000),
    sum=SUMS,
    minimum=SUMS,
    promo=FLAGS,
    no_earn=FLAGS,
    no_redeem=FLAGS,
    no_discount=FLAGS,
)
BASKETS = st.lists(LINES, max_size=6).map(lambda lines: Basket(tuple(lines)))
VALUES = st.dictionaries(st.sampled_from(["lifetime", "year", "month", "day"]), st.integers(0, 2_000_000))
MEMBERS = st.none() | st.builds(
    MemberState,
    balance=st.integers(-500, 5_000),
    consent=st.sampled_from(["given", "withdrawn", "none"]),
    as_of=st.sampled_from([None, NOON, NOON - timedelta(hours=30)]),
    counters=st.builds(
        Counters,
        purchases=VALUES,
        turnover=VALUES,
        redeemed=VALUES,
        on=st.sampled_from([None, NOON.date(), NOON.date() - timedelta(days=1)]),
    ),
)


def ask(
    programme: Programme,
    member: MemberState | None,
    basket: Basket,
    *,
    redeem: int | Literal["max"] = "max",
    offline: bool = False,
) -> Quote:
    answer = quote(programme, member, basket, NOON, redeem, offline)
    assert isinstance(answer, Quote)
    return answer


@given(programmes(), MEMBERS, BASKETS, st.booleans())
def test_the_money_adds_up_on_the_receipt_and_on_each_line(
    programme: Programme, member: MemberState | None, basket: Basket, offline: bool
) -> None:
    answer = ask(programme, member, basket, offline=offline)
    by_points = answer.redeemed * programme.header.unit_value
    assert answer.pay + answer.discount + by_points == answer.total == sum(line.sum for line in basket.lines)
    assert sum(answer.line_discounts) == answer.discount
    assert sum(answer.line_redeemed) == by_points
    assert answer.redeemed == answer.max_redeem >= 0
    assert answer.balance_after == (member.balance - answer.redeemed + answer.earned if member else 0)


@given(programmes(), MEMBERS, BASKETS)
def test_no_line_goes_below_its_minimum_price_and_none_is_touched_against_its_flags(
    programme: Programme, member: MemberState | None, basket: Basket
) -> None:
    answer = ask(programme, member, basket)
    for line, discount, redeemed in zip(basket.lines, answer.line_discounts, answer.line_redeemed, strict=True):
        assert discount >= 0
        assert redeemed >= 0
        assert line.sum - discount - redeemed >= min(line.sum, line.minimum)
        assert not (discount and line.no_discount)
        assert not (redeemed and line.no_redeem)
        if programme.header.law == "ru" and (not line.categories or "tobacco" in line.categories):
            assert discount == redeemed == 0


@given(programmes("ru"), MEMBERS, BASKETS)
def test_under_the_law_tobacco_changes_nothing_that_is_given(
    programme: Programme, member: MemberState | None, basket: Basket
) -> None:
    smoke = Line(sum=50_000, categories=("tobacco",))
    without, with_ = (ask(programme, member, Basket(lines)) for lines in (basket.lines, (*basket.lines, smoke)))
    counts_paid = programme.earn is not None and programme.earn.minimum_paid > 0  # tobacco is money paid as well
    if programme.redeem is not None and without.total >= programme.redeem.minimum_receipt and not counts_paid:
        assert (with_.earned, with_.redeemed, with_.discount) == (without.earned, without.redeemed, without.discount)
        assert with_.pay == without.pay + smoke.sum


@given(programmes(), MEMBERS, BASKETS, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_total(
    programme: Programme, member: MemberState | None, basket: Basket, random: Random
) -> None:
    lines = list(basket.lines)
    random.shuffle(lines)
    one, other = ask(programme, member, basket), ask(programme, member, Basket(tuple(lines)))
    lists = {"line_discounts": (), "line_redeemed": ()}
    assert msgspec.structs.replace(one, **lists) == msgspec.structs.replace(other, **lists)


@given(programmes(), MEMBERS, BASKETS, st.randoms(use_true_random=False))
def test_the_order_of_different_goods_changes_no_share(
    programme: Programme, member: MemberState | None, basket: Basket, random: Random
) -> None:
    basket = Basket(tuple(msgspec.structs.replace(line, sku=str(place)) for place, line in enumerate(basket.lines)))
    lines = list(basket.lines)
    random.shuffle(lines)
    one, other = ask(programme, member, basket), ask(programme, member, Basket(tuple(lines)))
    shares = zip(basket.lines, one.line_discounts, one.line_redeemed, strict=True)
    shuffled = zip(lines, other.line_discounts, other.line_redeemed, strict=True)
    key = msgspec.json.encode
    assert sorted(map(key, shares)) == sorted(map(key, shuffled))


@given(programmes(), MEMBERS, BASKETS)
def test_the_same_question_has_the_same_bytes_as_answer(
    programme: Programme, member: MemberState | None, basket: Basket
) -> None:
    first, second = (msgspec.json.encode(ask(programme, member, basket)) for _ in range(2))
    assert first == second
    assert msgspec.json.encode(msgspec.json.decode(first, type=Quote)) == first


@given(programmes(), MEMBERS, BASKETS, st.booleans(), st.integers(0, 6_000))
def test_every_number_of_points_up_to_the_most_is_taken_and_none_above(
    programme: Programme, member: MemberState | None, basket: Basket, offline: bool, asked: int
) -> None:
    most = ask(programme, member, basket, offline=offline).max_redeem
    answer = quote(programme, member, basket, NOON, asked, offline)
    step = programme.redeem.step if programme.redeem else 1
    if asked <= most and asked % step == 0:
        assert isinstance(answer, Quote)
        assert (answer.redeemed, answer.max_redeem) == (asked, most)
    else:
        assert isinstance(answer, Refusal)
        assert answer.most == most


@given(programmes("none", plain=True), MEMBERS, st.lists(SUMS, max_size=6), SUMS)
def test_a_bigger_basket_never_lowers_what_is_paid_or_earned(
    programme: Programme, member: MemberState | None, sums: list[int], more: int
) -> None:
    lines = tuple(Line(sum=each) for each in sums)
    small = ask(programme, member, Basket(lines), redeem=0)
    large = ask(programme, member, Basket((*lines, Line(sum=more))), redeem=0)
    assert large.pay >= small.pay
    assert large.earned >= small.earned


@given(programmes(), MEMBERS, BASKETS)
def test_online_never_allows_less_than_offline(
    programme: Programme, member: MemberState | None, basket: Basket
) -> None:
    online, offline = (ask(programme, member, basket, offline=each) for each in (False, True))
    assert online.max_redeem >= offline.max_redeem
    assert offline.max_redeem <= 200


@given(programmes(), MEMBERS, BASKETS)
def test_what_is_booked_is_what_the_quote_promised(
    programme: Programme, member: MemberState | None, basket: Basket
) -> None:
    answer = ask(programme, member, basket)
    receipt = ReceiptId(store="S1", till="1", business_day=programme.day(NOON), shift="1", number="1")
    state = member or MemberState()
    after = apply(state, Sale(receipt=receipt, basket=basket, quote=answer, offline=False, member_state=member))
    if member is not None:
        assert after.balance == answer.balance_after
    if member is not None and member.as_of is not None:
        assert ask(programme, after, Basket(()), redeem=0).tier == answer.tier_after == after.tier


NUMBERS = st.integers(-(10**20), 10**20)
ANY_LINE = st.builds(
    Line, sku=st.text(), categories=st.lists(st.text()).map(tuple), quantity=NUMBERS, sum=NUMBERS, minimum=NUMBERS
)
ANY_MEMBER = st.builds(
    MemberState,
    balance=NUMBERS,
    membership=st.none() | st.text(max_size=12) | st.dates().map(str),
    as_of=st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    counters=st.builds(Counters, purchases=st.dictionaries(st.text(max_size=9), NUMBERS), on=st.none() | st.dates()),
)


@given(
    programmes(),
    st.none() | ANY_MEMBER,
    st.lists(ANY_LINE, max_size=3).map(lambda lines: Basket(tuple(lines))),
    st.datetimes() | st.datetimes(timezones=st.timezones()),
    NUMBERS | st.just("max"),
    st.booleans(),
)
def test_there_is_always_an_answer(
    programme: Programme,
    member: MemberState | None,
    basket: Basket,
    at: datetime,
    redeem: int | Literal["max"],
    offline: bool,
) -> None:
    assert isinstance(quote(programme, member, basket, at, redeem, offline), Quote | Refusal)


ONE_QUOTE = """
import msgspec
from datetime import UTC, datetime
from importlib import resources
from loyalty.engine import quote
from loyalty.programme import load, to_json
from loyalty.quote import *
programme = load(resources.files("agent").joinpath("demo", "programme.toml").read_bytes(), "toml")
at = datetime(2026, 12, 12, 9, tzinfo=UTC)
member = MemberState(balance=300, as_of=at, counters=Counters(purchases={"lifetime": 4}))
lines = [Line(sku=str(n), sum=3333 + n, categories=("food", "tea", "new", f"c{n}"), minimum=n) for n in range(20)]
print(to_json(programme).hex(), msgspec.json.encode(quote(programme, member, Basket(tuple(lines)), at, "max", True)).hex())
"""


def test_the_answer_does_not_depend_on_the_process(tmp_path: Path) -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-P", "-c", ONE_QUOTE],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            cwd=tmp_path,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed, zone in (("0", "UTC"), ("1", "Asia/Tokyo"), ("4711", "America/New_York"))
    }
    assert len(answers) == 1
    assert len(answers.pop()) > 1_000


def test_a_receipt_of_many_lines_is_quoted(club: Callable[..., Programme], ask: Callable[..., Quote]) -> None:
    """A thousand lines with minimum prices, where the shares of each round fill another line."""
    lines = [Line(sum=1_000 + number, minimum=1_000 - number % 1_000) for number in range(1_000)]
    member = MemberState(balance=10_000, as_of=NOON)
    answer = ask(club("[redeem]"), *lines, member=member, redeem="max")
    assert sum(answer.line_redeemed) == answer.redeemed * 100
