from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loyalty.enrolment_token import BadToken, TokenId, genuine, hour_of, mint, read, url

KEY = bytes(range(32))
NUMBERS = st.tuples(
    st.integers(0, 2**28 - 1), st.integers(0, 255), st.integers(0, 2**20 - 1), st.integers(0, 2**24 - 1)
)
LARGEST = (2**28 - 1, 255, 2**20 - 1, 2**24 - 1)


@given(NUMBERS)
@example(LARGEST)
@example((0, 0, 0, 0))
def test_a_token_says_what_was_minted_and_its_key_knows_it(numbers: tuple[int, int, int, int]) -> None:
    token = mint(KEY, *numbers)
    assert re.fullmatch("[A-Z2-7]{32}", token)
    assert read(token) == TokenId(*numbers)
    assert genuine(token, KEY)


def test_a_token_never_changes_between_versions() -> None:
    assert mint(KEY, 1, 2, 493_000, 4) == "AAAAAEBHQXEAAAAEE4MWDNAQTXSPYCGG"


def test_case_does_not_matter_to_a_reader() -> None:
    token = mint(KEY, 1, 2, 3, 4)
    assert read(token.lower()) == read(token.swapcase()) == TokenId(1, 2, 3, 4)
    assert genuine(token.lower(), KEY)


@given(NUMBERS, st.integers(0, 31), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_any_other_letter_anywhere_is_a_forgery(numbers: tuple[int, int, int, int], place: int, letter: str) -> None:
    token = mint(KEY, *numbers)
    forged = token[:place] + letter + token[place + 1 :]
    assert genuine(forged, KEY) == (forged == token)


def test_another_key_is_a_forgery() -> None:
    assert not genuine(mint(KEY, 1, 2, 3, 4), bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A" * 31,
        "A" * 33,
        "A" * 31 + "1",
        "A" * 31 + "=",
        "A" * 31 + " ",
        "A" * 31 + "ı",
        "А" * 32,
        "A" * 24 + "=" * 8,
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        read(text)
    assert not genuine(text, KEY)


@given(st.text(max_size=40))
def test_reading_only_ever_refuses(text: str) -> None:
    try:
        read(text)
    except BadToken as error:
        assert error.key == "error.bad_token"  # noqa: PT017 - both outcomes are fine, another error is not


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("beyond", [-1, 1])
def test_a_number_that_does_not_fit_is_refused(place: int, beyond: int) -> None:
    numbers = [0, 0, 0, 0]
    numbers[place] = -1 if beyond < 0 else LARGEST[place] + 1
    with pytest.raises(ValueError, match=TokenId._fields[place]):
        mint(KEY, *numbers)


def test_the_address_is_all_upper_case_for_the_qr_code() -> None:
    token = mint(KEY, 1, 2, 3, 4)
    assert url("https://club.example.org", token) == f"HTTPS://CLUB.EXAMPLE.ORG/E/{token}"
    assert url("http://127.0.0.1:8080/", token.lower()) == f"HTTP://127.0.0.1:8080/E/{token}"


@pytest.mark.parametrize(
    ("at", "hour"),
    [
        (datetime(1970, 1, 1, 0, 59, 59, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 1, tzinfo=UTC), 1),
        (datetime(1970, 1, 1, 4, 30, tzinfo=timezone(timedelta(hours=3))), 1),
        (datetime(2026, 3, 29, 5, 59, 59, 999999, tzinfo=UTC), 492_989),
        (datetime(2089, 8, 14, tzinfo=UTC), 1_048_560),
    ],
)
def test_hours_are_counted_from_1970_and_fit_until_2089(at: datetime, hour: int) -> None:
    assert hour_of(at) == hour < 2**20
