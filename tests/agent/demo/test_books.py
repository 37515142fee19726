"""The comparison on which the demo's claims stand."""

from __future__ import annotations

import pytest

from agent.demo.books import compare
from agent.demo.pos import Receipt
from agent.views import Sold


def receipts(*numbers: str) -> list[Receipt]:
    sold = Sold(sale_id="S", seq=1, earned=0, redeemed=0, balance_after=None, job=None, token=None)
    return [Receipt(number, sold) for number in numbers]


def rows(*booked: tuple[str, str]) -> list[dict[str, str]]:
    return [{"number": number, "row_id": row} for number, row in booked]


def test_entries_of_one_row_are_one_receipt_and_openings_none() -> None:
    books = compare(rows(("", "o"), ("0001", "a"), ("0001", "a"), ("0002", "b")), receipts("0001", "0002"))
    assert (books.agree, books.booked, books.acknowledged) == (True, 2, 2)


@pytest.mark.parametrize(
    ("booked", "missing", "surplus"),
    [
        ([("0001", "a")], ("0002",), ()),
        ([("0001", "a"), ("0002", "b"), ("0002", "c")], (), ("0002",)),
        ([("0001", "a"), ("0002", "b"), ("0003", "c")], (), ("0003",)),
        ([("0001", "a"), ("0003", "c")], ("0002",), ("0003",)),
    ],
    ids=["lost", "doubled", "never sold", "both"],
)
def test_what_does_not_agree_is_named(
    booked: list[tuple[str, str]], missing: tuple[str, ...], surplus: tuple[str, ...]
) -> None:
    books = compare(rows(*booked), receipts("0001", "0002"))
    assert (books.agree, books.missing, books.surplus) == (False, missing, surplus)
