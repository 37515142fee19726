"""The rules that the design settled by counter-example (its starred sentences): each example is a test.

Where a wider rule was thought of and is false, the test shows that it is.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from loyalty.programme import load

from .answers import answer, ask, numbers

Json = dict[str, Any]
NOON = "2026-12-12T12:00:00+03:00"
HEAD: Json = {
    "id": "club", "revision": 1, "engine": 1, "starts_at": "2026-01-01T00:00:00+03:00",
    "timezone": "Europe/Moscow", "currency": "RUB",
}  # fmt: skip


def line(total: int, category: str = "coffee", **more: object) -> Json:
    return {"sku": category, "categories": [category], "sum": total} | more


def member(**more: object) -> Json:
    return {"balance": 0, "as_of": NOON} | more


def offer(name: str, give: Json, **more: object) -> Json:
    return {"id": name, "give": give} | more


def quoted(rules: Json, *lines: Json, who: Json | None = None, **more: object) -> Json:
    case = {"at": NOON, "member": who, "basket": {"lines": list(lines)}} | more
    return numbers(answer({"programme": HEAD} | rules, case))


def test_equal_lines_share_by_smaller_key_and_then_by_place() -> None:
    rules = {"offer": [offer("d", {"discount": 100})]}
    assert quoted(rules, line(500), line(500), line(500))["line_discounts"] == [34, 33, 33]
    assert quoted(rules, line(500, "b"), line(500, "a"), line(500, "c"))["line_discounts"] == [33, 34, 33]
    flags = (line(500, promo=True), line(500), line(500, no_earn=True))
    assert quoted(rules, *flags)["line_discounts"] == [33, 34, 33]


def test_thresholds_compare_the_gross_sum() -> None:
    """After 10 % off the receipt of 1 000.00 is below the threshold of 1 000.00, and still both hold."""
    rules = {
        "tier": [{"id": "t", "discount_bp": 1_000}],
        "redeem": {"minimum_receipt": 100_000},
        "offer": [offer("d", {"discount": 500}, when={"receipt_at_least": 100_000})],
    }
    assert (found := quoted(rules, line(100_000), who=member(balance=7)))["max_redeem"] == 7
    assert found["discount"] == 10_500
    below = quoted(rules, line(99_999), who=member(balance=7))
    assert (below["max_redeem"], below["discount"]) == (0, 10_000)


def test_a_rate_and_a_step_together_are_refused() -> None:
    rules = {"earn": {"rate_bp": 100, "step": 10_000, "points_per_step": 5}}
    assert quoted(rules, line(1))["error"] == {"code": "programme", "at": "earn"}


def test_steps_are_counted_on_the_receipt_not_by_line() -> None:
    rules = {"earn": {"step": 10_000, "points_per_step": 5}}
    assert quoted(rules, line(6_000), line(6_000), who=member())["earned"] == 5


def test_a_group_holds_one_kind() -> None:
    """100 points or 50.00 off: which is best for the member, nobody can say."""
    rules = {"offer": [offer("a", {"points": 100}, group="g"), offer("b", {"discount": 5_000}, group="g")]}
    assert quoted(rules, line(1))["error"] == {"code": "programme", "at": "offer[1].group"}


def test_a_coupon_is_used_only_when_its_offer_won() -> None:
    rules = {
        "offer": [
            offer("coupon", {"discount_bp": 500}, group="g", when={"coupon": "LATTE-7"}),
            offer("better", {"discount_bp": 1_000}, group="g", when={"receipt_at_least": 1_000}),
        ]
    }
    who = member(coupons=["LATTE-7"])
    assert quoted(rules, line(1_000), who=who)["coupons_used"] == []
    assert quoted(rules, line(999), who=who)["coupons_used"] == ["LATTE-7"]
    assert quoted(rules, line(999, minimum=999), who=who)["coupons_used"] == []  # nothing could come off


def test_a_percentage_at_a_minimum_price_is_lost_and_a_fixed_discount_moves() -> None:
    lines = (line(1_000, minimum=1_000), line(1_000, "milk"))
    assert quoted({"offer": [offer("d", {"discount_bp": 1_000})]}, *lines)["line_discounts"] == [0, 100]
    assert quoted({"offer": [offer("d", {"discount": 200})]}, *lines)["line_discounts"] == [0, 200]


def test_money_counts_twice_before_steps_are_counted() -> None:
    """60.00 twice is 120.00 and a full step of 100.00; two times the zero steps of 60.00 would be nothing."""
    rules = {"earn": {"step": 10_000, "points_per_step": 5}, "offer": [offer("x2", {"multiply_bp": 20_000})]}
    assert quoted(rules, line(6_000), who=member())["earned"] == 5
    by_rate = {"earn": {"rate_bp": 100}, "offer": [offer("x2", {"multiply_bp": 20_000})]}
    assert quoted(by_rate, line(5_000), who=member())["earned"] == 1  # 0.5 twice; 0 twice if rounded first


def test_only_the_best_multiplier_of_a_line_counts() -> None:
    rules = {
        "earn": {"rate_bp": 1_000},
        "offer": [
            offer("x2", {"multiply_bp": 20_000}),
            offer("x3", {"multiply_bp": 30_000}, on={"categories": ["coffee"]}),
        ],
    }
    assert quoted(rules, line(1_000), line(1_000, "milk"), who=member())["earned"] == 3 + 2


def test_the_free_units_are_the_cheapest_of_the_dearest() -> None:
    """2 + 1 with 100, 90, 80, 10: the free one is 80. The cheapest of all would make the offer worthless: 10."""
    rules = {"offer": [offer("n", {"free_units": {"buy": 2, "free": 1}})]}
    found = quoted(rules, line(10, "d"), line(90, "b"), line(80, "c"), line(100, "a"))
    assert (found["line_discounts"], found["free_units"]) == ([0, 0, 80, 0], {"n": 1})


def test_a_gift_is_given_only_when_its_units_are_in_the_receipt() -> None:
    rules = {"stamp_card": [{"id": "spa", "buy": 5, "free": 1, "on": {"categories": ["spa"]}}]}
    five = quoted(rules, line(1_000, "spa"), who=member(stamps={"spa": 4}))
    assert (five["free_units"], five["stamps_after"]) == ({}, {"spa": 5})
    without = quoted(rules, line(1_000, "tea"), who=member(stamps={"spa": 5}))
    assert (without["free_units"], without["stamps_after"]) == ({}, {"spa": 5})
    sixth = quoted(rules, line(1_000, "spa"), who=member(stamps={"spa": 5}))
    assert (sixth["discount"], sixth["free_units"], sixth["stamps_after"]) == (1_000, {"spa": 1}, {"spa": 0})


def test_points_go_back_by_the_receipt_and_not_by_the_line() -> None:
    """Three lines of 0.33 + 0.33 + 0.34 paid with one point: by line every floor is 0 and the point is lost."""
    rules = {"redeem": {}}
    case = {"redeem": 1, "returns": [{"lines": [0]}, {"lines": [1]}, {"lines": [2]}]}
    found = quoted(rules, line(50), line(50), line(50), who=member(balance=1), **case)
    assert sorted(found["line_redeemed"]) == [33, 33, 34]
    assert [each["points_back"] for each in found["returns"]] == [0, 0, 1]
    assert found["returns"][-1]["balance_after"] == 1


class TestWiderInvariantsAreFalse:
    """Where the rules of section 3 stop."""

    def test_a_bigger_basket_may_cost_less_where_an_offer_has_a_threshold(self) -> None:
        rules = {"offer": [offer("d", {"discount_bp": 1_000}, when={"receipt_at_least": 1_000})]}
        assert (quoted(rules, line(999))["pay"], quoted(rules, line(999), line(1))["pay"]) == (999, 900)

    def test_a_bigger_basket_may_cost_less_where_points_pay(self) -> None:
        rules = {"redeem": {"minimum_receipt": 1_000}}
        pays = [
            quoted(rules, *lines, who=member(balance=5), redeem="max")["pay"] for lines in ([line(999)], [line(1_000)])
        ]
        assert pays == [999, 500]

    def test_a_bigger_basket_may_cost_less_where_a_free_unit_stands_at_its_minimum(self) -> None:
        """1 + 1: of 100 and 90 the 90 is free, but at its minimum; a bag for nothing makes a second pair, and 50 free."""
        rules = {"offer": [offer("n", {"free_units": {"buy": 1, "free": 1}})]}
        lines = [line(100, "a"), line(90, "b", minimum=90), line(50, "c")]
        assert (quoted(rules, *lines)["pay"], quoted(rules, *lines, line(0, "bag"))["pay"]) == (240, 190)

    def test_a_bigger_basket_may_earn_less_where_a_line_does_not_earn(self) -> None:
        """1 + 1: a dear toy, which does not earn, makes the coffee the free one."""
        rules = {"earn": {"rate_bp": 10_000}, "offer": [offer("n", {"free_units": {"buy": 1, "free": 1}})]}
        lines = [line(1_000), line(500, "milk")]
        toy = line(9_000, "toy", no_earn=True)
        assert quoted(rules, *lines, who=member())["earned"] == 10
        assert quoted(rules, *lines, toy, who=member())["earned"] == 5

    def test_a_bigger_basket_may_earn_less_where_multipliers_compete(self) -> None:
        """More coffee turns the group from bread to coffee, which the second group multiplies better anyway."""
        rules = {
            "earn": {"rate_bp": 10_000},
            "offer": [
                offer("bread", {"multiply_bp": 20_000}, group="a", on={"categories": ["bread"]}),
                offer("coffee", {"multiply_bp": 20_000}, group="a", on={"categories": ["coffee"]}),
                offer("later", {"multiply_bp": 30_000}, priority=1, on={"categories": ["coffee"]}),
            ],
        }
        small = quoted(rules, line(1_000, "bread"), line(900), who=member())
        large = quoted(rules, line(1_000, "bread"), line(1_100), who=member())
        assert (small["earned"], large["earned"]) == (20 + 27, 10 + 33)

    def test_an_added_offer_may_raise_the_price_before_an_offer_on_some_lines(self) -> None:
        """The better offer of the first group leaves less coffee for the second: this pair `check` warns of."""
        first = [offer("all", {"discount_bp": 1_000}, group="a")]
        better = offer("coffee", {"discount": 50}, group="a", on={"categories": ["coffee"]})
        second = offer("half", {"discount_bp": 5_000}, priority=1, on={"categories": ["coffee"]})
        lines = (line(100), line(300, "bread"))
        before, after = (quoted({"offer": [*group, second]}, *lines)["pay"] for group in (first, [*first, better]))
        assert (before, after) == (315, 325)

    def test_an_added_offer_may_raise_the_price_by_moving_its_group(self) -> None:
        """Half off before 7 off is less than 7 off before half off; the new offer itself is not even the best."""
        rules = [
            offer("seven", {"discount": 700}, priority=2, group="a"),
            offer("half", {"discount_bp": 5_000}, priority=1),
        ]
        early = offer("one", {"discount": 100}, priority=0, group="a")
        before, after = (quoted({"offer": offers}, line(2_000))["pay"] for offers in (rules, [*rules, early]))
        assert (before, after) == (300, 650)


@pytest.mark.parametrize("law", ["none", "ru"])
def test_every_line_is_also_one_without_a_category(law: str) -> None:
    document = {"programme": HEAD | {"law": law}, "offer": [offer("d", {"discount": 5}, on={"categories": ["*"]})]}
    found = ask(load(json.dumps(document), "json"), {"at": NOON, "basket": {"lines": [{"sum": 100}]}})
    assert found["discount"] == (5 if law == "none" else 0)
