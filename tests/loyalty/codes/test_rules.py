import pytest

from loyalty.codes import Rule
from loyalty.codes.rules import match


@pytest.mark.parametrize(
    ("pattern", "code", "verdict"),
    [
        ("29xxxxxxxxxxC", "2900000000018", ("match", "2900000000018")),
        ("29xxxxxxxxxxC", "2900000000019", ("wrong_check_digit", "2900000000019")),
        ("29xxxxxxxxxxC", "2800000000011", ("no_match", "2800000000011")),
        ("29xxxxxxxxxxC", "29000000000180", ("no_match", "29000000000180")),
        ("29xxxxxxxxxxC", "290000000001\u0668", ("no_match", "290000000001\u0668")),  # Arabic 8
        ("xxxxx", "12345", ("match", "12345")),
        ("7770001", "7770001", ("match", "7770001")),
    ],
)
def test_a_pattern_stands_for_the_whole_code(pattern: str, code: str, verdict: tuple[str, str]) -> None:
    assert match(Rule(pattern=pattern), code) == verdict


def test_an_ean_13_that_lost_its_leading_zero_is_the_same_card() -> None:
    rule = Rule(pattern="042xxxxxxxxxC")
    assert match(rule, "042000000017") == ("no_match", "042000000017")
    assert match(rule, "420000000013") == match(rule, "0420000000013") == ("match", "0420000000013")


def test_a_regex_matches_the_whole_code() -> None:
    rule = Rule(regex=r"CARD-\d{4}")
    assert match(rule, "CARD-0042") == ("match", "CARD-0042")
    assert match(rule, "CARD-00421")[0] == "no_match"
    assert match(rule, "xCARD-0042")[0] == "no_match"
    assert match(rule, "CARD-004\u0662")[0] == "no_match"


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
    ],
)
def test_a_wrong_rule_is_refused_when_it_is_read(fields: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Rule(**fields)
