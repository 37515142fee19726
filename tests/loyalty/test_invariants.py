"""The invariants of the design (section 3) as properties, over random programmes and receipts of any rules."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.programme import load

from . import worlds
from .answers import answer, ask, numbers
from .worlds import seeded

pytestmark = pytest.mark.no_cover  # traced, they take twice as long and reach no line that others do not

Json = dict[str, Any]
SEEDS = st.integers(0, 2**48)
MANY = settings(max_examples=300, deadline=None)

HEAD: Json = {
    "id": "club", "revision": 1, "engine": 1, "starts_at": "2026-01-01T00:00:00+03:00",
    "timezone": "Europe/Moscow", "currency": "RUB",
}  # fmt: skip
NOON = "2026-12-12T09:00:00+00:00"


def world(seed: int) -> tuple[Json, Json, Json]:
    """A programme, a case that it answers, and the answer."""
    random = seeded(seed)
    document = worlds.programme(random)
    question = worlds.case(random, document) | {"redeem": "max"}
    found = answer(document, question)
    assert "error" not in found, found
    return document, question, found


def unconditional(random: Random, *gives: str) -> Json:
    """A programme whose offers have no conditions and are on every line, which all earn."""
    make = {
        "rate": lambda: {"discount_bp": random.choice((100, 333, 1_000, 5_000, 9_999))},
        "fixed": lambda: {"discount": random.choice((1, 7, 99, 500, 3_000))},
        "units": lambda: {"free_units": {"buy": random.randint(1, 3), "free": random.randint(1, 3)}},
        "points": lambda: {"points": random.randint(0, 9)},
    }
    offers = []
    for number in range(random.randint(0, 5)):
        give = random.choice(gives)
        offer: Json = {"id": f"o{number}", "give": make[give](), "priority": random.randint(0, 3)}
        grouped = give != "points" and random.random() < 0.6
        offers.append(offer | ({"group": random.choice("ab")} if grouped else {}))
    earn = random.choice(({"rate_bp": random.choice((1, 100, 10_000))}, {"step": 777, "points_per_step": 3}))
    tiers = [{"id": "t", "discount_bp": random.choice((0, 300, 5_000))}]
    return {"programme": HEAD, "earn": earn, "tier": tiers, "offer": offers}


def plain_line(random: Random, *, minimums: bool) -> Json:
    total = random.choice((0, 1, 5, 99, 100, 1_000, 3_333, random.randint(0, 5_000)))
    quantity = random.choice((1_000, 1_000, 2_000, 3_000, 500))
    minimum = random.choice((0, total // 2, total)) if minimums else 0
    return {"sku": str(random.randint(1, 5)), "quantity": quantity, "sum": total, "minimum": minimum}


def receipt(document: Json, lines: list[Json], *, member: bool) -> Json:
    known = {"balance": 0, "as_of": NOON} if member else None
    return ask(load(json.dumps(document), "json"), {"at": NOON, "member": known, "basket": {"lines": lines}})


@MANY
@given(SEEDS)
def test_every_kopeck_is_somewhere(seed: int) -> None:
    document, question, found = world(seed)
    lines = question["basket"]["lines"]
    header = load(json.dumps(document), "json").header
    assert found["total"] == sum(line["sum"] for line in lines)
    assert found["discount"] == sum(found["line_discounts"])
    assert found["redeemed"] * header.unit_value == sum(found["line_redeemed"])
    assert found["pay"] + found["discount"] + sum(found["line_redeemed"]) == found["total"]
    assert sum(why.get("money", 0) for why in found["why"]) == -found["discount"]
    assert sum(why.get("points", 0) for why in found["why"]) == found["earned"]
    fiscal = found.get("fiscal_lines")
    if fiscal is not None:
        assert sum(line["sum"] for line in fiscal) == found["pay"]
        assert all(abs(line["price"] * line["quantity"] - line["sum"] * 1_000) <= 1_000 for line in fiscal)
        quantities = [sum(part["quantity"] for part in fiscal if part["line"] == place) for place in range(len(lines))]
        assert quantities == [line["quantity"] for line in lines]


@MANY
@given(SEEDS)
def test_no_line_goes_below_its_minimum_and_none_is_touched_against_law_or_flags(seed: int) -> None:
    document, question, found = world(seed)
    for line, off, points in zip(
        question["basket"]["lines"], found["line_discounts"], found["line_redeemed"], strict=True
    ):
        assert min(off, points) >= 0
        assert line["sum"] - off - points >= min(line["sum"], line["minimum"])
        assert not (off and line.get("no_discount"))
        assert not (points and line.get("no_redeem"))
        if document["programme"]["law"] == "ru" and (not line["categories"] or "tobacco" in line["categories"]):
            assert off == points == 0


@MANY
@given(SEEDS)
def test_the_order_of_lines_changes_no_total(seed: int) -> None:
    random = seeded(seed)
    document = worlds.programme(random)
    question = worlds.case(random, document) | {"redeem": "max"}
    question.pop("returns", None)
    lines = [line | {"sku": f"{place}"} for place, line in enumerate(question["basket"]["lines"])]
    order = list(range(len(lines)))
    random.shuffle(order)
    one = numbers(answer(document, question | {"basket": {"lines": lines}}))
    other = numbers(answer(document, question | {"basket": {"lines": [lines[place] for place in order]}}))
    for name in ("line_discounts", "line_redeemed"):
        assert [one[name][place] for place in order] == other[name]
        del one[name], other[name]
    one.pop("fiscal_lines", None)
    other.pop("fiscal_lines", None)
    assert one == other


@MANY
@given(SEEDS, st.booleans())
def test_a_bigger_basket_never_lowers_what_is_paid_or_earned(seed: int, member: bool) -> None:
    random = seeded(seed)
    gives, minimums = random.choice(
        ((("rate", "fixed", "points"), True), (("rate", "fixed", "units", "points"), False))
    )
    document = unconditional(random, *gives)
    lines = [plain_line(random, minimums=minimums) for _ in range(random.randint(0, 4))]
    more = [*lines, plain_line(random, minimums=minimums)]
    random.shuffle(more)
    small, large = (receipt(document, each, member=member) for each in (lines, more))
    assert large["pay"] >= small["pay"]
    assert large["earned"] >= small["earned"]


@MANY
@given(SEEDS)
def test_an_offer_added_after_the_last_group_never_raises_the_price(seed: int) -> None:
    document, question, before = world(seed)
    random = seeded(seed + 1)
    give = random.choice(({"discount_bp": random.randint(1, 10_000)}, {"discount": random.randint(1, 5_000)}))
    on = random.choice(({}, {"on": {"categories": ["coffee"]}}))
    added = {"id": "zz", "give": give, "priority": 1_000} | on
    after = answer(document | {"offer": [*document["offer"], added]}, question)
    assert after["total"] - after["discount"] <= before["total"] - before["discount"]


@MANY
@given(SEEDS)
def test_an_offer_added_to_the_last_group_never_raises_the_price(seed: int) -> None:
    random = seeded(seed)
    document = unconditional(random, "rate", "fixed")
    for number, offer in enumerate(document["offer"]):
        offer["on"] = {"skus": random.sample("12345", 3)}
        offer["group"] = f"g{number // 2}"
        offer["priority"] = number
    lines = [plain_line(random, minimums=True) for _ in range(4)]
    added = {"id": "zz", "priority": 1_000, "give": random.choice(({"discount_bp": 1_000}, {"discount": 700}))}
    group = {"group": document["offer"][-1]["group"]} if document["offer"] else {}
    before = receipt(document, lines, member=True)
    after = receipt(document | {"offer": [*document["offer"], added | group]}, lines, member=True)
    assert after["discount"] >= before["discount"]


@MANY
@given(SEEDS)
def test_where_all_offers_are_on_all_lines_no_added_offer_raises_the_price(seed: int) -> None:
    """Added: the offer joins groups where they stand, and does not move one by a priority before all of its others."""
    random = seeded(seed)
    document = unconditional(random, "rate", "fixed")
    lines = [plain_line(random, minimums=True) for _ in range(random.randint(1, 4))]
    added: Json = {"id": random.choice("az"), "priority": random.randint(-1, 4)}
    added["give"] = random.choice(
        ({"discount_bp": random.choice((1, 333, 5_000))}, {"discount": random.choice((1, 99))})
    )
    group = random.choice(("a", "b", None))
    rank = min(
        ((each["priority"], each["id"]) for each in document["offer"] if each.get("group") == group), default=None
    )
    if group is not None and (rank is None or rank < (added["priority"], added["id"])):
        added["group"] = group
    before = receipt(document, lines, member=False)
    offers = [*document["offer"]]
    offers.insert(random.randint(0, len(offers)), added)
    after = receipt(document | {"offer": offers}, lines, member=False)
    assert after["discount"] >= before["discount"]


@pytest.mark.parametrize("seed", range(40))
def test_the_same_input_gives_the_same_bytes(seed: int) -> None:
    document, question, found = world(seed)
    assert json.dumps(answer(document, question)) == json.dumps(found)
    shuffled = json.loads(json.dumps(document, sort_keys=True))
    assert json.dumps(answer(shuffled, question)) == json.dumps(found)
