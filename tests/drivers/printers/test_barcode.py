"""Barcodes read from the pixels of the paper by somebody else's program."""

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from drivers.printers.escpos.barcode import barcode, code_128
from drivers.printers.escpos.commands import RealTime, split
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from receipt_templates.barcodes import BarcodeKind
from receipt_templates.document import Barcode, Document


def read(payload: str, kind: BarcodeKind, width: int) -> list[str]:
    profile = load_profile("default")
    paper = draw(encode(Document((Barcode(payload, kind),), "en"), profile, width), profile.size(width).dots)
    assert paper.faults == ()
    assert f"[barcode {payload}]" in paper.text
    formats = {
        "ean13": zxingcpp.BarcodeFormat.EAN13,
        "ean8": zxingcpp.BarcodeFormat.EAN8,
        "upca": zxingcpp.BarcodeFormat.UPCA,
        "itf": zxingcpp.BarcodeFormat.ITF,
        "code39": zxingcpp.BarcodeFormat.Code39,
        "code128": zxingcpp.BarcodeFormat.Code128,
    }
    return [found.text for found in zxingcpp.read_barcodes(paper.picture.convert("L"), formats=formats[kind])]


@pytest.mark.parametrize("width", [58, 80])
@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("ean13", "4601234567893"),
        ("ean8", "46012340"),
        ("upca", "036000291452"),
        ("itf", "14601234567890"),
        ("code39", "KUPON-1 $"),
        ("code128", "KUPON{5}a"),
        ("code128", "290000000017"),
        ("code128", "290016040017"),
    ],
)
def test_a_barcode_is_read_from_the_paper(kind: BarcodeKind, payload: str, width: int) -> None:
    found = read(payload, kind, width)
    assert found == [payload] or (kind, found) == ("upca", [f"0{payload}"])  # the same number


def test_the_widest_bars_that_fit_are_taken() -> None:
    def module(dots: int) -> int | None:
        drawn = barcode("ean13", "4601234567893", dots)
        return next(each.args[0] for each in split(drawn) if each.name == "GS w") if drawn else None

    assert [module(dots) for dots in (576, 345, 344, 190, 189)] == [3, 3, 2, 2, None]


def test_code_128_leaves_set_c_where_digits_would_spell_a_command() -> None:
    assert code_128("1234") == b"{C\x0c\x22"
    assert code_128("123") == b"{B123"
    assert code_128("a{b}") == b"{Ba{{b}"
    assert code_128("16041617") == b"{C{B16{C\x04\x10\x11"


@given(st.text("0123456789", min_size=1, max_size=40))
def test_no_number_spells_a_real_time_command(digits: str) -> None:
    assert RealTime().feed((barcode("code128", digits, 2000) or b"") + b"\x01\x01\x01") == []


@given(st.from_regex(r"[ -~]{1,14}", fullmatch=True) | st.from_regex(r"[0-9]{2,14}", fullmatch=True))
def test_any_code_128_is_drawn_as_it_was_written(payload: str) -> None:
    drawn = barcode("code128", payload, 576)
    assert drawn is not None
    paper = draw(drawn + b"\n", 576)
    assert paper.faults == ()
    assert paper.text.splitlines()[0] == f"[barcode {payload}]"


def test_what_does_not_fit_is_said_in_letters() -> None:
    """Escaping a command in digits takes room: the number stands on the paper once, as text."""
    payload = "1604" * 4
    paper = draw(encode(Document((Barcode(payload, "code128"),), "en"), load_profile("default"), 58), 384)
    assert paper.text.split() == [payload]


@pytest.mark.parametrize(("caption", "lines"), [("", ["46012340"]), ("Coupon", ["46012340", "Coupon"])])
def test_a_printer_without_barcodes_prints_what_it_says(caption: str, lines: list[str]) -> None:
    job = encode(Document((Barcode("46012340", "ean8", caption),), "en"), load_profile("POS-5890"), 58)
    assert draw(job, 384).text.split() == lines
