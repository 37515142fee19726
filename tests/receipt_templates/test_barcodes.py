"""Barcodes that scan, on the narrowest paper."""

import pytest

from receipt_templates.barcodes import MODULES_LIMIT, BarcodeKind, check, in_pairs, modules


@pytest.mark.parametrize(
    ("kind", "payload", "width"),
    [
        ("ean13", "4600000000008", 95),
        ("ean8", "96385074", 67),
        ("upca", "036000291452", 95),
        ("itf", "12345678901231", 135),
        ("itf", "12" * 10, 189),
        ("code39", "AZ-9 $/+%.", 191),
        ("code128", "a~ 4 }|", 112),
        ("code128", "A" * 14, 189),
        ("code128", "12" * 14, 189),
        ("code128", "123", 68),
    ],
)
def test_what_scans_on_58_mm_paper(kind: BarcodeKind, payload: str, width: int) -> None:
    check(kind, payload)
    assert modules(kind, payload) == width <= MODULES_LIMIT


@pytest.mark.parametrize(
    ("kind", "payload", "why"),
    [
        ("ean13", "4600000000009", "check digit 8"),
        ("ean8", "96385075", "check digit 4"),
        ("upca", "036000291453", "check digit 2"),
        ("ean13", "460000000000", "holds 13 digits"),
        ("ean13", "460000000000\u0668", "holds 13 digits"),
        ("itf", "123", "even number"),
        ("itf", "12" * 11, "too long"),
        ("code39", "abc", "capital Latin"),
        ("code39", "A" * 11, "too long"),
        ("code128", "Кофе", "Latin letters"),
        ("code128", "", "Latin letters"),
        ("code128", "A" * 15, "too long"),
        ("code128", "1" * 29, "too long"),
    ],
)
def test_what_does_not_is_refused_with_the_reason(kind: BarcodeKind, payload: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check(kind, payload)


def test_pairs_are_of_digits_alone() -> None:
    assert in_pairs("1234")
    assert not in_pairs("123")
    assert not in_pairs("12A4")
