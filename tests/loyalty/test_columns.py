"""Members by columns: whatever they are like, they come back as they were; what is none of a page is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.columns import pack, unpack
from loyalty.quote import Counters, MemberState
from loyalty.wire import ChangesPage, Column, Included, MemberChange, PackedPage

NAMES = st.text(max_size=4)
COUNTS = st.dictionaries(NAMES, st.integers(0, 1 << 53), max_size=3)
STATES = st.builds(
    MemberState,
    balance=st.integers(-(1 << 53), 1 << 53),
    birthday=st.none() | NAMES,
    tags=st.lists(NAMES, max_size=2).map(tuple),
    consent=st.sampled_from(["given", "withdrawn", "none"]),
    stamps=COUNTS,
    as_of=st.none() | st.just(datetime(2026, 12, 12, 9, tzinfo=UTC)),
    counters=st.builds(Counters, purchases=COUNTS, turnover=COUNTS, on=st.none() | st.dates()),
)
CHANGES = st.builds(
    MemberChange,
    member=NAMES,
    idents=st.none() | st.lists(NAMES, max_size=2).map(tuple),
    greeting=st.none() | NAMES,
    state=st.none() | st.just(MemberState()) | STATES,
)


@given(changes=st.lists(CHANGES, max_size=6).map(tuple), complete=st.booleans())
def test_a_page_comes_back_as_it_was(changes: tuple[MemberChange, ...], *, complete: bool) -> None:
    page = ChangesPage(changes=changes, next="c", complete=complete, includes=Included("e", 7))
    sent = msgspec.json.encode(pack(page))
    assert unpack(msgspec.json.decode(sent, type=PackedPage)) == page


@pytest.mark.parametrize(
    "columns",
    [
        [Column(("member",), ("m",))],
        [Column(("member",), ("m", "n", "o"))],
        [Column((), ("m", "n"))],
        [Column(("greeting",), ("m", "n"))],
        [Column(("member",), (1, 2))],
        [Column(("member",), ("m", "n")), Column(("member", "x"), (1, 2))],
        [Column(("member", "x"), (1, 2)), Column(("member",), ("m", "n"))],
        [Column(("member",), ("m", "n")), Column(("member",), ("m", "n"))],
        [Column(("member",), ("m", "n")), Column(("state", "balance"), ("1", 2))],
    ],
)
def test_what_is_no_page_is_refused(columns: list[Column]) -> None:
    page = PackedPage(count=2, columns=tuple(columns), next="c", complete=True, includes=Included("e", 0))
    with pytest.raises(msgspec.ValidationError):
        unpack(page)


def test_a_field_that_this_release_does_not_know_is_ignored() -> None:
    columns = (Column(("member",), ("m",)), Column(("state", "new", "one"), (1,)), Column(("newer",), ([],)))
    page = PackedPage(count=1, columns=columns, next="c", complete=True, includes=Included("e", 0))
    assert unpack(page).changes == (MemberChange(member="m", state=MemberState()),)


def test_nobody_needs_no_columns() -> None:
    page = PackedPage(count=10**9, columns=(), next="c", complete=True, includes=Included("e", 0))
    assert unpack(page).changes == ()
