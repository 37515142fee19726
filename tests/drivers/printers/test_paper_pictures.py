"""Barcodes and graphics on the virtual paper: scanners read what the bytes mean."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from drivers.printers.escpos.paper import Paper, draw
from drivers.printers.escpos.paper_bars import BadBarcode, bars


def scanned(paper: Paper) -> list[tuple[str, str]]:
    """What somebody else's scanner reads from the pixels: kind and content."""
    picture = Image.open(BytesIO(paper.png())).convert("L")
    return [(str(code.format), code.text) for code in zxingcpp.read_barcodes(picture)]


KINDS = [
    ("EAN-13", 2, b"460123456789", "4601234567893"),
    ("EAN-13", 67, b"4601234567893", "4601234567893"),
    ("EAN-8", 3, b"4012345", "40123455"),
    ("EAN-8", 68, b"40123455", "40123455"),
    ("UPC-A", 0, b"03600029145", "036000291452"),
    ("UPC-A", 65, b"036000291452", "036000291452"),
    ("Code 39", 4, b"T-8 $/+%.", "T-8 $/+%."),
    ("Code 39", 69, b"*TILL*", "TILL"),
    ("ITF", 5, b"04601234567893", "04601234567893"),
    ("ITF", 70, b"0123456789", "0123456789"),
    ("Code 128", 73, b"{BTill{{mate}", "Till{mate}"),
    ("Code 128", 73, b"{C\x0c\x22\x38", "123456"),
    ("Code 128", 73, b"{AAB{C\x00\x63{Bab", "AB0099ab"),
]


@pytest.mark.parametrize("look", [b"", b"\x1dw\x02\x1dh\x50", b"\x1dH\x02", b"\x1dH\x03\x1df\x01\x1ba\x01"])
@pytest.mark.parametrize(("kind", "number", "data", "content"), KINDS, ids=[f"{kind[0]} {kind[1]}" for kind in KINDS])
def test_a_barcode_can_be_scanned(look: bytes, kind: str, number: int, data: bytes, content: str) -> None:
    command = bytes([number]) + (data + b"\0" if number < 65 else bytes([len(data)]) + data)
    paper = draw(look + b"\x1dk" + command, 576)
    assert (paper.text, paper.faults) == (f"[barcode {content}]\n", ())
    found = [("UPC-A" if kind == "UPC-A" else name, text[-len(content) :]) for name, text in scanned(paper)]
    assert found == [(kind, content)]


def test_height_width_and_text_of_a_barcode() -> None:
    def size(look: bytes) -> tuple[int, int]:
        picture = draw(look + b"\x1dk\x0340123455\0", 576).picture
        box = picture.point([255] + [0] * 255).getbbox()
        assert box is not None
        return box[2] - box[0], picture.height

    assert size(b"") == (67 * 3, 162)
    assert size(b"\x1dw\x02") == (67 * 2, 162)
    assert size(b"\x1dh\x40\x1dw\x02") == (67 * 2, 64)
    assert size(b"\x1dH\x01") == size(b"\x1dH2") == (67 * 3, 162 + 24)
    assert size(b"\x1dH\x03") == (67 * 3, 162 + 48)
    assert size(b"\x1dH\x02\x1dfa") == (67 * 3, 162 + 17)
    assert size(b"\x1dw\x02\x1dh\x40\x1b@") == (67 * 3, 162)


@pytest.mark.parametrize(
    ("number", "data", "why"),
    [
        (67, b"4601234567890", "a barcode with a wrong check digit: 4601234567890"),
        (67, b"12", "a barcode of 13 digits from '12'"),
        (68, b"123456a", "a barcode of 8 digits from '123456a'"),
        (70, b"123", "ITF takes an even number of digits, not '123'"),
        (69, b"abc", "CODE39 has no such letters: 'abc'"),
        (69, b"", "CODE39 has no such letters: ''"),
        (73, b"abc", "CODE128 has no 0x61 in set ?: the data begins with {A, {B or {C"),
        (73, b"{Aa", "CODE128 has no 0x61 in set A: the data begins with {A, {B or {C"),
        (73, b"{C\x64", "CODE128 has no 0x64 in set C: the data begins with {A, {B or {C"),
        (73, b"{B{9", "CODE128 with {9 at 2"),
        (73, b"{B", "CODE128 without content"),
        (66, b"0123456", "not drawn: GS k UPC-E"),
        (72, b"A", "not drawn: GS k CODE93"),
        (79, b"A", "not drawn: GS k 14"),
    ],
)
def test_a_barcode_that_cannot_be_is_named(number: int, data: bytes, why: str) -> None:
    with pytest.raises(BadBarcode) as bad:
        bars(number, data)
    assert str(bad.value) == why
    assert why in draw(b"\x1dk" + bytes([number, len(data)]) + data, 576).faults


def test_a_barcode_that_is_too_wide_is_not_printed() -> None:
    paper = draw(b"\x1dw\x06\x1dk\x49\x0b{BTillmate1", 384)
    assert (paper.text, paper.picture.getextrema()) == ("", (1, 1))
    assert "a barcode of 804 dots on 384 is not printed" in paper.faults
    assert "GS w 7: a module is 2 to 6 dots" in draw(b"\x1dw\x07", 384).faults


ROWS, COLUMNS = b"\x80\x40", b"\x80\x40"
DOTS = [(True, False), (False, True)]


def corner(stream: bytes, scale: int = 1) -> list[tuple[bool, ...]]:
    """The first two by two dots of a picture."""
    picture = draw(stream, 64).picture
    return [tuple(not picture.getpixel((x * scale, y * scale)) for x in (0, 1)) for y in (0, 1)]


def test_graphics_are_stored_and_then_printed() -> None:
    head = b"0\x01\x011\x02\x00\x02\x00"
    rows = b"\x1d(L\x0c\x000\x70" + head + ROWS
    long = b"\x1d8L\x0c\x00\x00\x000\x70" + head + ROWS
    columns = b"\x1d(L\x0c\x000\x71" + head + COLUMNS
    for store in (rows, long, columns):
        for show in (b"\x1d(L\x02\x0002", b"\x1d(L\x02\x000\x02"):
            paper = draw(store + show, 64)
            assert (paper.text, paper.faults) == ("[picture 2x2]\n", ())
            assert corner(store + show) == DOTS
    doubled = rows.replace(b"0\x01\x01", b"0\x02\x02") + b"\x1d(L\x02\x0002"
    assert draw(doubled, 64).text == "[picture 4x4]\n"
    assert corner(doubled, 2) == DOTS
    assert draw(rows, 64).text == ""


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (b"\x1d(L\x02\x0002", "no graphics stored that could be printed"),
        (b"\x1d(L\x0b\x000p0\x01\x011\x02\x00\x02\x00\x80", "graphics of 2x2 dots in 1 bytes"),
        (b"\x1d(L\x0c\x000p4\x01\x011\x02\x00\x02\x00\x80\x40", "graphics of 2x2 dots in 2 bytes"),
        (b"\x1d(L\x06\x000E  \x01\x01", "not drawn: GS ( L function 69"),
    ],
)
def test_what_is_wrong_with_graphics_is_named(stream: bytes, fault: str) -> None:
    assert fault in draw(stream, 64).faults


@pytest.mark.parametrize(
    ("mode", "size"), [(0, "8x4"), (1, "16x4"), (2, "8x8"), (3, "16x8"), (48, "8x4"), (51, "16x8")]
)
def test_a_raster_may_be_doubled(mode: int, size: str) -> None:
    stream = b"\x1dv0" + bytes([mode]) + b"\x01\x00\x04\x00" + b"\x80\x40\x80\x40"
    assert draw(stream, 64).text == f"[picture {size}]\n"


@pytest.mark.parametrize(("mode", "size"), [(0, (16, 24)), (1, (8, 24)), (32, (16, 24)), (33, (8, 24))])
def test_bit_images_have_the_size_of_their_density(mode: int, size: tuple[int, int]) -> None:
    stream = b"\x1b3\x00\x1b*" + bytes([mode]) + b"\x08\x00" + b"\xff" * (8 if mode < 32 else 24) + b"\n"
    paper = draw(stream, 64)
    assert (paper.picture.point([255] + [0] * 255).getbbox(), paper.faults) == ((0, 0, *size), ())
