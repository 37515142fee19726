import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loyalty.codes import Code, CodeRules, MemberCard, Product, Rule, Unknown, classify

RULES = CodeRules(
    member_card=(Rule(pattern="29xxxxxxxxxxC"), Rule(pattern="042xxxxxxxxxC"), Rule(regex=r"CLUB-[0-9]{6}"))
)
NO_RULES = CodeRules()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"2900000000018", MemberCard("2900000000018")),
        (b"]E02900000000018", MemberCard("2900000000018", "]E0")),
        (b"420000000013", MemberCard("0420000000013")),
        (b"]C0CLUB-000042", MemberCard("CLUB-000042", "]C0")),
        (b"2900000000019", Unknown("wrong_check_digit")),
        # products: the examples of the GS1 General Specifications and of the symbologies' own pages
        (b"]E04006381333931", Product("04006381333931", "EAN-13", aim="]E0")),
        (b"5901234123457", Product("05901234123457", "EAN-13")),
        (b"]E496385074", Product("00000096385074", "EAN-8", aim="]E4")),
        (b"036000291452", Product("00036000291452", "UPC-A")),
        (b"]I110614141000415", Product("10614141000415", "ITF-14", aim="]I1")),
        (b"2800000000011", Product("02800000000011", "EAN-13", restricted=True)),
        (b"20000004", Product("00000020000004", "EAN-8", restricted=True)),
        (b"4006381333932", Unknown("wrong_check_digit")),
        # neither
        (b"", Unknown("empty")),
        (b"]E0", Unknown("empty", "]E0")),
        (b"\xff\xfe", Unknown("not_text")),
        (b"123456", Unknown("no_rule")),
        (b" 2900000000018", Unknown("no_rule")),
        (b"2900000000018\x1d", Unknown("no_rule")),
        ("290000000001\u0668".encode(), Unknown("no_rule")),
        (b"]", Unknown("no_rule")),
        (b"]]E02900000000018", Unknown("no_rule")),
        (b"http://example.org/2900000000018", Unknown("no_rule")),
    ],
)
def test_what_is_it(data: bytes, code: Code) -> None:
    assert classify(data, RULES) == code


def test_nobody_is_a_member_without_a_rule() -> None:
    assert classify(b"2900000000018", NO_RULES) == Product("02900000000018", "EAN-13", restricted=True)


def test_a_later_rule_may_take_what_an_earlier_one_refused() -> None:
    rules = CodeRules(member_card=(Rule(pattern="29xxxxxxxxxxC"), Rule(pattern="29xxxxxxxxxxx")))
    assert classify(b"2900000000019", rules) == MemberCard("2900000000019")


@given(
    st.binary(max_size=300)
    | st.text(max_size=60).map(str.encode)
    | st.from_regex(rb"(\][A-Za-z][0-9])?[0-9]{1,15}", fullmatch=True)
)
@example(b"]J0")
@example("\ufeff".encode())
def test_it_is_total_and_finds_no_member_without_a_rule(data: bytes) -> None:
    assert isinstance(classify(data, RULES), Code)
    assert not isinstance(classify(data, NO_RULES), MemberCard)


@given(st.integers(0, 10**10 - 1), st.integers(0, 12), st.integers(1, 9))
def test_a_misread_digit_is_never_a_member(number: int, place: int, shift: int) -> None:
    body = f"29{number:010}"
    card = next(
        f"{body}{last}" for last in range(10) if isinstance(classify(f"{body}{last}".encode(), RULES), MemberCard)
    )
    misread = card[:place] + str((int(card[place]) + shift) % 10) + card[place + 1 :]
    assert not isinstance(classify(misread.encode(), RULES), MemberCard)
