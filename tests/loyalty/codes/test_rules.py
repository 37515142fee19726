"""The rules of a site: patterns, regexes, labels of scales, and mistakes in them."""

from __future__ import annotations

import pytest

from loyalty.codes import CodeRules, Invalid, MeasureRule, MemberCard, ProductPrice, ProductWeight, Rule
from loyalty.strict import Mistakes, structure


def ask(rule: Rule, code: str) -> object:
    found = CodeRules(member_card=(rule,)).book.ask(code, payment_card=False)
    return found and found.code


@pytest.mark.parametrize(
    ("pattern", "code", "found"),
    [
        ("29xxxxxxxxxxC", "2900000000018", MemberCard("2900000000018")),
        ("29xxxxxxxxxxC", "2900000000019", Invalid("check_digit")),
        ("29xxxxxxxxxxC", "2800000000011", None),
        ("29xxxxxxxxxxC", "29000000000180", None),
        ("29xxxxxxxxxxC", "290000000001\u0668", None),  # Arabic 8
        ("xxxxx", "12345", MemberCard("12345")),
        ("7770001", "7770001", MemberCard("7770001")),
    ],
)
def test_a_pattern_stands_for_the_whole_code(pattern: str, code: str, found: object) -> None:
    assert ask(Rule(pattern=pattern), code) == found


def test_an_ean_13_that_lost_its_leading_zero_is_the_same_card() -> None:
    rule = Rule(pattern="042xxxxxxxxxC")
    assert ask(rule, "042000000017") is None
    assert ask(rule, "420000000013") == ask(rule, "0420000000013") == MemberCard("0420000000013")


def test_a_regex_matches_the_whole_code() -> None:
    rule = Rule(regex=r"CARD-\d{4}")
    assert ask(rule, "CARD-0042") == MemberCard("CARD-0042")
    assert ask(rule, "CARD-00421") is None
    assert ask(rule, "xCARD-0042") is None
    assert ask(rule, "CARD-004\u0662") is None


def test_labels_are_asked_in_their_order_and_weights_before_prices() -> None:
    rules = CodeRules(
        weight=(MeasureRule("21PPPPPWWWWWC"), MeasureRule("2PPPPPPWWWWWC", 2)),
        price=(MeasureRule("2PPPPPPWWWWWC"), MeasureRule("WWWW")),
    )
    asked = {
        code: rules.book.ask(code, payment_card=False)
        for code in ("2112345012506", "2212345012503", "1234", "2212345012504")
    }
    assert [each and each.place for each in asked.values()] == ["weight[0]", "weight[1]", "price[1]", "weight[1]"]
    assert [each and each.code for each in asked.values()] == [
        ProductWeight("12345", "1.250", "1.250"),
        ProductWeight("212345", "12.50", "12.50"),
        ProductPrice(None, "12.34"),
        Invalid("check_digit"),
    ]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "either"),
        ({"pattern": "29x", "regex": "29."}, "either"),
        ({"pattern": "29yyC"}, "only digits, x"),
        ({"pattern": "29xCx"}, "one C"),
        ({"pattern": "29xCC"}, "one C"),
        ({"pattern": "\u0662xx"}, "only digits"),
        ({"regex": "29("}, "regex"),
        ({"regex": "a{99999999999}"}, "regex"),
    ],
)
def test_a_wrong_rule_is_refused_when_it_is_read(fields: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Rule(**fields)


@pytest.mark.parametrize(
    ("table", "path", "why"),
    [
        ({"weight": [{"pattern": "22PPPPPC"}]}, "weight[0]", "W"),
        ({"weight": [{"pattern": "22PPPPPWWWWWCx"}]}, "weight[0]", "W"),
        ({"price": [{"pattern": "22WWWW", "measure_check": "GS1 price-verifier 4"}]}, "price[0]", "one V"),
        ({"price": [{"pattern": "22WWWWV", "measure_check": "GS1 price-verifier 5"}]}, "price[0]", "5 W"),
        ({"price": [{"pattern": "22WWWWV", "measure_check": "mod 11"}]}, "price[0].measure_check", "must be one of"),
        ({"price": [{"pattern": "22WWWW", "decimals": 7}]}, "price[0].decimals", "from 0 to 6"),
        ({"wallet_template": "{id}{totp_value_0}"}, "", "go together"),
        ({"key_hex": "00"}, "", "go together"),
        ({"wallet_template": "{totp_value_0}", "key_hex": "00"}, "", "{id} once"),
        ({"key_hex": "0"}, "key_hex", "hexadecimal"),
        ({"digits": 3}, "digits", "from 4 to 10"),
        ({"period_s": 0}, "period_s", "from 1"),
        ({"window_s": -1}, "window_s", "from 0"),
        ({"region": "US"}, "region", "must be one of"),
        ({"fallback_encoding": "hex"}, "fallback_encoding", "code page"),
    ],
)
def test_a_mistake_in_the_config_is_named_with_its_place(table: dict[str, object], path: str, why: str) -> None:
    with pytest.raises(Mistakes) as caught:
        structure(table, CodeRules)
    (mistake,) = caught.value.mistakes
    assert mistake.path == path
    assert why in mistake.text


def test_the_key_is_in_no_log() -> None:
    assert "c0ffee" not in repr(CodeRules(wallet_template="{id}{totp_value_0}", key_hex="c0ffee"))


def test_the_rules_are_made_ready_once() -> None:
    rules = CodeRules(member_card=(Rule(pattern="29x"),))
    assert rules.book is rules.book
