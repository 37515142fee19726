"""What `programme check` says of rules that can be counted with and make no sense; and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loyalty.inspection import inspect
from loyalty.programme import Programme, load

Club = Callable[..., Programme]

TIERS = '[[tier]]\nid = "basic"\n[[tier]]\nid = "gold"\nmembership = true\n'


def found(programme: Programme) -> list[tuple[str, str, str]]:
    for each in inspect(programme):
        assert each.say("ru")
        assert each.say("en")
    return [(each.severity, each.path, each.key) for each in inspect(programme)]


def offer(text: str, name: str = "x") -> str:
    return f'[[offer]]\nid = "{name}"\n{text}\n'


FIVE = "give = { discount = 5 }"


@pytest.mark.parametrize(
    ("text", "path", "key"),
    [
        ("[earn]\nmax_receipts_per_day = 0", "earn.max_receipts_per_day", "no_earning"),
        ("[redeem]\ncap_bp = 0", "redeem.cap_bp", "no_redemption"),
        ("[redeem]\nmax_points_per_receipt = 0", "redeem.max_points_per_receipt", "no_redemption"),
        ("[redeem]\nmax_redemptions_per_day = 0", "redeem.max_redemptions_per_day", "no_redemption"),
        ("[redeem]\nstep = 11\nmax_points_per_receipt = 10", "redeem.step", "step_above_most"),
        (offer("give = { discount = 0 }"), "offer[0].give.discount", "nothing"),
        (offer("give = { discount_bp = 0 }"), "offer[0].give.discount_bp", "nothing"),
        (offer("give = { points = 0 }"), "offer[0].give.points", "nothing"),
        (offer("give = { prompt = true }"), "offer[0].give.prompt", "no_words"),
        (
            "[earn]\nrate_bp = 1\n" + offer("give = { multiply_bp = 10000 }"),
            "offer[0].give.multiply_bp",
            "no_multiplier",
        ),
        (offer("give = { multiply_bp = 20000 }"), "offer[0].give.multiply_bp", "nothing_to_multiply"),
        (offer('give = { coupon = { offer = "y" } }'), "offer[0].give.coupon.offer", "no_coupon_offer"),
        (offer('give = { coupon = { offer = "x" } }'), "offer[0].give.coupon.offer", "no_coupon_offer"),
        (offer(f'{FIVE}\non = {{ categories = ["Tobacco", "nicotine"] }}'), "offer[0].on", "law"),
        ('[[stamp_card]]\nid = "s"\nbuy = 1\nfree = 1\non = { categories = ["tobacco"] }', "stamp_card[0].on", "law"),
        (
            '[discount]\nexclude = { categories = ["alcohol", "tea"] }\n'
            + offer(f'{FIVE}\non = {{ categories = ["tea"] }}'),
            "offer[0].on",
            "excluded",
        ),
        (
            '[earn]\nexclude = { categories = ["tea"] }\n'
            + offer('give = { points = 5 }\non = { categories = ["tea"] }'),
            "offer[0].on",
            "excluded",
        ),
        (TIERS + offer(f'{FIVE}\nwhen = {{ tiers = ["goldd"] }}'), "offer[0].when.tiers[0]", "no_tier_near"),
        (TIERS + offer(f'{FIVE}\nwhen = {{ tiers = ["gold", "xyz"] }}'), "offer[0].when.tiers[1]", "no_tier"),
        (offer(f'{FIVE}\nwhen = {{ tags = ["a"], not_tags = ["b", "a"] }}'), "offer[0].when.tags", "tags_unwanted"),
        (
            offer(f'{FIVE}\nwhen = {{ first_purchase = true, nth_purchase = {{ every = 2, period = "day" }} }}'),
            "offer[0].when.nth_purchase",
            "first_is_not_nth",
        ),
        (offer(f'{FIVE}\nwhen = {{ member = false, coupon = "A" }}'), "offer[0].when.coupon", "needs_member"),
        (
            offer(f'{FIVE}\nwhen = {{ local_time = {{ from = "10:00:00", to = "10:00:00" }} }}'),
            "offer[0].when.local_time",
            "empty_window",
        ),
        (offer(f'{FIVE}\nwhen = {{ local_time = {{ to = "00:00:00" }} }}'), "offer[0].when.local_time", "empty_window"),
        (
            offer(f"{FIVE}\nwhen = {{ dates = {{ from = 2026-12-02, to = 2026-12-02 }} }}"),
            "offer[0].when.dates",
            "empty_window",
        ),
        (offer(f"{FIVE}\nwhen = {{ dates = {{ to = 2026-01-01 }} }}"), "offer[0].when.dates.to", "over_before"),
        (
            offer(f"{FIVE}\nwhen = {{ dates = {{ to = 2026-01-01T00:00:00+03:00 }} }}"),
            "offer[0].when.dates.to",
            "over_before",
        ),
    ],
)
def test_rules_that_can_never_hold(club: Club, text: str, path: str, key: str) -> None:
    assert found(club(text, head='law = "ru"')) == [("never", path, key)]


def tier(name: str, *conditions: str, membership: bool = False) -> str:
    listed = ", ".join(conditions)
    member = "membership = true\n" if membership else ""
    return f'[[tier]]\nid = "{name}"\n{member}any_of = [{listed}]\n'


def at_least(value: int, counter: str = "turnover", period: str = "year") -> str:
    return f'{{ counter = "{counter}", period = "{period}", at_least = {value} }}'


@pytest.mark.parametrize(
    ("lower", "upper", "covered"),
    [
        (tier("b", at_least(10)), tier("c", at_least(10)), True),
        (tier("b", at_least(10)), tier("c", at_least(11)), False),
        (tier("b", at_least(10)), tier("c", at_least(9), at_least(5, "purchases")), True),
        (tier("b", at_least(10), at_least(5, "purchases")), tier("c", at_least(9)), False),
        (tier("b", at_least(10, period="month")), tier("c", at_least(9)), False),
        (tier("b", at_least(10)), tier("c", at_least(9), membership=True), False),
        (tier("b", at_least(10), membership=True), tier("c", at_least(9), membership=True), True),
        (tier("b", at_least(10), membership=True), tier("c", membership=True), True),
        (tier("b", membership=True), tier("c", at_least(9), membership=True), False),
    ],
)
def test_a_tier_that_a_later_one_covers_is_never_held(club: Club, lower: str, upper: str, covered: bool) -> None:
    programme = club('[[tier]]\nid = "a"\n' + lower + upper)
    assert found(programme) == ([("never", "tier[1]", "tier_covered")] if covered else [])


ALL = 'on = { categories = ["*"] }'
SOME = 'on = { categories = ["tea"] }'


@pytest.mark.parametrize(
    ("offers", "warned"),
    [
        ([("a", 1, ""), ("a", 1, ""), (None, 2, SOME)], ["offer[2]"]),
        ([("a", 1, ""), ("a", 1, ""), (None, 2, ""), (None, 3, ALL)], []),
        ([("a", 2, ""), ("a", 2, ""), (None, 1, SOME)], []),  # before the group
        ([("a", 1, ""), (None, 2, SOME)], []),  # a group of one excludes nothing
        ([("a", 1, SOME), ("a", 1, SOME)], []),  # inside of the group
        ([("a", 1, ""), ("a", 1, ""), ("b", 2, ""), ("b", 2, SOME)], ["offer[3]"]),
        (
            [("a", 1, ""), ("a", 1, ""), ("b", 2, SOME), ("b", 2, ""), (None, 3, SOME)],
            ["offer[2]", "offer[4]", "offer[4]"],
        ),
    ],
)
def test_an_offer_on_some_lines_behind_an_exclusive_group(
    club: Club, offers: list[tuple[str | None, int, str]], warned: list[str]
) -> None:
    text = ""
    for number, (group, priority, on) in enumerate(offers):
        grouped = f'group = "{group}"\n' if group else ""
        text += offer(f"priority = {priority}\n{grouped}{on}\n{FIVE}", f"o{number}")
    assert found(club(text)) == [("warning", path, "after_group") for path in warned]


def test_points_and_things_are_not_warned_of(club: Club) -> None:
    groups = "".join(offer(f'group = "g"\ngive = {{ points = {n} }}', f"p{n}") for n in (1, 2))
    assert found(club(groups + offer(f"priority = 9\n{SOME}\ngive = {{ points = 3 }}"))) == []


def test_a_sound_programme_is_left_alone(club: Club) -> None:
    demo = Path(__file__).parents[2] / "agent/demo/programme.toml"
    assert found(load(demo.read_bytes(), "toml")) == []
    coupons = offer('give = { coupon = { offer = "y" } }') + offer(f'{FIVE}\nwhen = {{ coupon = "Y" }}', "y")
    windows = offer(f'{FIVE}\nwhen = {{ local_time = {{ from = "22:00:00" }}, dates = {{ from = 2026-12-02 }} }}', "z")
    tags = offer(f'{FIVE}\nwhen = {{ tags = ["a", "c"], not_tags = ["a"], member = true, tiers = ["gold"] }}', "t")
    skus = offer(f'{FIVE}\non = {{ categories = ["tobacco"], skus = ["1"] }}', "s")
    assert found(club("[redeem]\n" + TIERS + coupons + windows + tags + skus, head='law = "ru"')) == []
