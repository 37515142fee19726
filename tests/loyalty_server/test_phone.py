"""Phone numbers as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_server.enrolment.phone import masked, parse_phone


@pytest.mark.parametrize(
    "typed",
    [
        "+79161234567", "89161234567", "79161234567", "9161234567", "8 (916) 123-45-67", "+7 916 123 45 67",
        " 8-916-123-45-67 ", "8.916.123.45.67", "8\u00a0916\u00a0123\u201145\u201167", "０８９１６１２３４５６７"[1:],
        "+7 (916) 123\u201345\u201367", "0079161234567",
    ],
)  # fmt: skip
def test_one_number_in_many_forms(typed: str) -> None:
    assert parse_phone(typed) == "+79161234567"


@pytest.mark.parametrize(
    ("typed", "number"),
    [("+49 30 901820", "+4930901820"), ("+1 (212) 555-0100", "+12125550100"), ("0044 20 7946 0958", "+442079460958")],
)
def test_numbers_of_other_countries_need_their_code(typed: str, number: str) -> None:
    assert parse_phone(typed) == number


@pytest.mark.parametrize(
    "typed",
    ["", "8", "8916123456", "+7916123456", "891612345678", "phone", "8916123456a", "++79161234567", "+79161234567+",
     "+0 123 456 789", "+71234567890", "1" * 40, "89161234567\n89161234567"],
)  # fmt: skip
def test_what_is_no_number(typed: str) -> None:
    assert parse_phone(typed) is None


@given(st.text())
def test_whatever_is_typed_has_an_answer(typed: str) -> None:
    number = parse_phone(typed)
    assert number is None or (number[0] == "+" and number[1:].isdecimal() and number.isascii())


@given(st.from_regex(r"\+[1-9][0-9]{9,14}", fullmatch=True))
def test_a_mask_hides_the_middle(number: str) -> None:
    assert masked(number) == number[:2] + "***" + number[-4:]
    assert number[2:-4] not in masked(number) or len(number[2:-4]) < 2
