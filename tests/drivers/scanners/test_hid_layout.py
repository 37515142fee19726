"""Report descriptors as published, and others that the standard allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scanners._hid_layout import Field, Part, has_feature, is_scanner, layout_of

from .nodes import HONEYWELL, reports

HEAD = "05 8c 09 02 a1 01"
# Each identifier a field of its own, no count, one bit for "more" and seven bits of padding: as a scanner server on GitHub
# has Honeywell's.
NO_COUNT = f"{HEAD} 85 02 15 00 26 ff 00 75 08 95 01 09 fb 81 02 09 fc 81 02 09 fd 81 02 95 38 09 fe 82 02 01 75 01 95 01 25 01 09 ff 81 02 75 07 81 03 c0"
# The same with a count, the identifiers as one item, and a nested collection.
COUNTED = f"{HEAD} 85 02 09 12 a1 02 15 00 26 ff 00 75 08 95 01 05 01 09 3b 81 02 95 03 05 8c 09 fb 09 fc 09 fd 81 02 95 38 09 fe 82 02 01 25 01 75 01 95 01 09 ff 81 02 75 07 81 03 c0 c0"
# Other sizes: no report numbers, identifiers as a range, 32 characters, a 16-bit count behind them.
SMALL = f"{HEAD} 15 00 26 ff 00 75 08 95 03 19 fb 29 fd 81 02 95 20 09 fe 81 02 75 10 95 01 05 01 09 3b 81 02 05 8c 75 08 95 01 09 ff 81 02 c0"
# Usages with their page inside, the page pushed and popped, a big report, a long item.
EXTENDED = "05 01 a4 fe 03 00 01 02 03 06 8c 00 09 02 a1 01 85 07 75 08 95 01 0b 3b 00 01 00 81 02 0b fb 00 8c 00 81 02 0b fc 00 8c 00 0b fd 00 8c 00 95 02 81 02 96 f8 01 0b fe 00 8c 00 82 02 01 b4 c0"
KEYBOARD = "05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 95 01 75 08 81 03 95 06 75 08 15 00 25 65 05 07 19 00 29 65 81 00 c0"
# Only its own page for its own reports: what is where is not said.
SILENT = f"{HEAD} 85 01 09 30 15 00 26 ff 00 75 08 95 40 81 02 09 31 95 0b 91 02 c0"


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def test_the_published_descriptor_says_where_everything_is() -> None:
    layout = layout_of(HONEYWELL)
    assert layout is not None
    assert (layout.report, layout.count, layout.data) == (2, Field(8, 8), Field(40, 448))
    assert layout.symbology == (Field(16, 8), Field(24, 8), Field(32, 8))
    assert layout.more is not None
    assert layout.more.start == 63 * 8
    assert has_feature(HONEYWELL, 4) is False
    assert is_scanner(HONEYWELL)


def test_a_report_gives_what_is_in_it() -> None:
    layout = layout_of(HONEYWELL)
    assert layout is not None
    code = b"a\0b" + b"7" * 91 + b"\0"
    parts = [layout.part(report) for report in reports(code, b"]d2")]
    assert parts == [Part(b"]d2", code[:56], True), Part(b"]d2", code[56:], False)]
    assert layout.part(b"\x05" + bytes(63)) is None
    assert layout.part(b"\x02\x03") == Part(b"", b"", False)


@pytest.mark.parametrize(
    ("descriptor", "report", "expected"),
    [
        (NO_COUNT, b"\x02]E0" + b"590\0\0".ljust(56, b"\0") + b"\x01", Part(b"]E0", b"590", True)),
        (NO_COUNT, b"\x02\0\0\0" + b"590".ljust(56, b"\0") + b"\xfe", Part(b"", b"590", False)),
        (COUNTED, b"\x02\x04]Q1" + b"a\0b\0".ljust(56, b"\0") + b"\x01", Part(b"]Q1", b"a\0b\0", True)),
        (SMALL, b"]d2" + b"0104".ljust(32, b"\0") + b"\x04\0" + b"\0", Part(b"]d2", b"0104", False)),
        (SMALL, b"j\0\0" + b"0104".ljust(32, b"\0") + b"\x02\0" + b"\x01", Part(b"", b"01", True)),
        (EXTENDED, b"\x07\x05]C1" + b"12345".ljust(504, b"\0"), Part(b"]C1", b"12345", False)),
    ],
)
def test_other_layouts(descriptor: str, report: bytes, expected: Part) -> None:
    layout = layout_of(unhex(descriptor))
    assert layout is not None
    assert layout.part(report) == expected


@pytest.mark.parametrize(("descriptor", "scans"), [(KEYBOARD, False), (SILENT, True), ("", False)])
def test_what_does_not_say_where_a_code_is_has_no_layout(descriptor: str, scans: bool) -> None:
    assert layout_of(unhex(descriptor)) is None
    assert is_scanner(unhex(descriptor)) is scans


def test_features_are_known_by_their_report() -> None:
    assert has_feature(unhex(f"{HEAD} 85 fe 75 08 95 01 09 01 b1 02 c0"), 254)
    assert not has_feature(unhex(f"{HEAD} 85 fe 75 08 95 01 09 01 91 02 85 03 09 01 b1 02 c0"), 254)


@given(st.binary(max_size=200), st.binary(max_size=80))
def test_no_descriptor_and_no_report_is_an_error(descriptor: bytes, report: bytes) -> None:
    layout = layout_of(unhex(HEAD) + descriptor)
    is_scanner(descriptor)
    has_feature(descriptor, 254)
    if layout is not None:
        layout.part(report)


@given(st.integers(0, 500), st.binary(max_size=80))
def test_a_descriptor_that_is_cut_off_or_damaged_is_no_error(cut: int, report: bytes) -> None:
    layout = layout_of(HONEYWELL[:cut])
    if layout is not None:
        layout.part(report)
