"""The virtual paper: what a real printer would print from these bytes, and what it would get wrong."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drivers.printers.escpos.commands import split
from drivers.printers.escpos.paper import Roll, draw


def text(stream: bytes, dots: int = 384) -> str:
    paper = draw(stream, dots)
    assert paper.faults == ()
    return paper.text


@pytest.mark.parametrize(
    ("slot", "codec"), [(17, "cp866"), (46, "cp1251"), (59, "cp866"), (73, "cp1251"), (34, "cp855")]
)
def test_letters_are_those_of_the_slot(slot: int, codec: str) -> None:
    assert text(b"\x1b@\x1bt" + bytes([slot]) + "Съешь ещё №1\n".encode(codec)) == "Съешь ещё №1\n"


def test_without_a_page_cyrillic_is_rubbish_as_on_a_real_printer() -> None:
    assert text("Привет\n".encode("cp866")) != "Привет\n"


def test_places_on_the_line() -> None:
    assert text(b"\x1ba\x01middle\n\x1ba\x02right\n\x1ba\x00left\n") == f"{' ' * 13}middle\n{' ' * 27}right\nleft\n"
    assert text(b"a\x1b$\x78\x00b\n") == "a         b\n"
    assert text(b"a\tb\n") == "a       b\n"
    assert text(b"ab\x1b\\\x18\x00c\n") == "ab  c\n"
    assert text(b"\x1bD\x03\x0a\x00a\tb\tc\n") == "a  b      c\n"
    assert text(b"\x1b \x0cab\x1b$\x60\x00c\n") == "ab      c\n"
    assert text(b"\x1dP\x65\x65a\x1b$\x3c\x00b\n") == "a         b\n"
    assert text(b"\x1dL\x18\x00a\n") == "  a\n"
    assert text(b"\x1bM\x01a\x1b$\x5a\x00b\n") == "a         b\n"
    assert text(b"\x1dW\xc0\x00\x1ba\x01ab\n") == "       ab\n"
    assert text(b"a\x1bd\x02b\n") == "a\n\nb\n"
    assert text(b"a\x1bJ\x40b\n") == "a\nb\n"
    assert draw(b"a\x1bJ\x40", 384).picture.height == 0x40
    assert draw(b"\x1dP\x00\x65a\x1bJ\x20", 384).picture.height == 0x40


def test_a_line_that_is_too_long_wraps_and_is_a_fault() -> None:
    assert text(b"x" * 32 + b"\n") == "x" * 32 + "\n"
    assert text(b"\x1bM\x01" + b"x" * 42 + b"\n") == "x" * 42 + "\n"
    paper = draw(b"x" * 33 + b"\n", 384)
    assert paper.text == "x" * 32 + "\nx\n"
    assert paper.faults == ("a line did not fit and was wrapped",)
    assert draw(b"\x1dW\x78\x01" + b"x" * 32 + b"\n", 384).faults != ()
    assert draw(b"\x1bM\x01" + b"x" * 43 + b"\n", 384).faults != ()
    assert draw(b"\x1b \x01" + b"x" * 32 + b"\n", 384).faults != ()
    assert draw(b"\x1d!\x10" + b"x" * 17 + b"\n", 384).faults != ()


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (b"\x1bt\x63", "unknown code page slot 99"),
        (b"\x1bt\x63\x80", "no letter 0x80 in code page slot 99"),
        (b"\x1bt\x2e\x98", "no letter 0x98 in code page slot 46"),
        (b"\x1b\x01", "unknown bytes 1b 01"),
        (b"\x07", "unknown bytes 07"),
        (b"", "nothing was printed"),
        (b"\x1b@\n\n\x1dV\x00", "nothing was printed"),
        (b"a\n\x1dv0\x00\x02\x00", "the stream ends inside GS v 0"),
        (b"a\n\x1d(k\x05\x001P0", "the stream ends inside GS ( k"),
        (b"a\n\x1b", "the stream ends inside a command"),
        (b"a", "the last line is not ended, so it is not printed"),
        (b"a\x1dV\x00", "a cut in the middle of a line"),
        (b"a\x1dv0\x00\x01\x00\x01\x00\xff", "a picture or code in the middle of a line"),
        (b"a\x1ba\x01\n", "ESC a in the middle of a line is ignored"),
        (b"a\x1dL\x10\x00\n", "GS L in the middle of a line is ignored"),
        (b"a\x1b$\x81\x01b\n", "a position beyond the paper"),
        (b"a\x1b\\\x00\xffb\n", "a position beyond the paper"),
        (b"\x1bD\x04\x00ab\t\tc\n", "a tab behind the last stop"),
        (b"\x1bp\x00\x19\xfa", "opens the cash drawer: ESC p"),
        (b"\x10\x14\x01\x00\x01", "opens the cash drawer: DLE DC4 1"),
        (b"\x10\x14\x02\x01\x08", "opens the cash drawer: DLE DC4 2"),
        (b"\x1dv0\x00\x03\x00\x01\x00\x10\x04\x01", "DLE EOT inside GS v 0 is obeyed"),
        (b"\x1d(k\x07\x001P0a\x10\x05\x01", "DLE ENQ inside GS ( k is obeyed"),
        (b"\x1b$\x10\x14", "DLE DC4 inside ESC $ is obeyed"),
        (b"\x1b{\x01a\n", "not drawn: ESC { 1"),
        (b"\x1bV1a\n", "not drawn: ESC V 49"),
        (b"\x1b=\x02a\n", "ESC = turns the printer away from its data"),
        (b"\x1bL", "not drawn: ESC L"),
        (b"\x1cp\x01\x00", "not drawn: FS p"),
        (b"\x1bK\x10", "not drawn: ESC K"),
        (b"\x1dv0\x00\x00\x00\x01\x00", "a picture without dots"),
        (b"\x1b*\x05\x01\x00\xff\n", "a picture without dots"),
        (b"\x1b*\x00\xc1\x00" + b"\xff" * 0xC1 + b"\n", "a picture of 386 dots on 384"),
        (b"\x1d(k\x03\x001Q0", "a QR code without content or with too much of it"),
        (
            b"\x1d(k\xfe\x0d1P0" + b"\xff" * 3579 + b"\x1d(k\x03\x001Q0",
            "a QR code without content or with too much of it",
        ),
        (b"\x1d(k\x03\x000Q0", "not drawn: GS ( k PDF417"),
        (b"\x1d(k\x04\x001A1\x00\x1d(k\x04\x001P0a\x1d(k\x03\x001Q0", "a QR code of model b'1', module 3, level 48"),
        (
            b"\x1d(k\x03\x001C\x10\x1d(k\x1e\x001P0" + b"a" * 27 + b"\x1d(k\x03\x001Q0",
            "a QR code of 400 dots on 384 is not printed",
        ),
        (b"\x1dv0\x00\x31\x00\x01\x00" + bytes(0x31), "a picture of 392 dots on 384"),
    ],
)
def test_what_goes_wrong_is_named(stream: bytes, fault: str) -> None:
    assert fault in draw(stream, 384).faults


def test_sizes_and_weights_change_the_ink() -> None:
    def height_and_ink(stream: bytes) -> tuple[int, int]:
        picture = draw(stream + b"ABC\n", 384).picture
        return picture.height, picture.convert("L").histogram()[0]

    (plain, ink), (_, bold) = height_and_ink(b""), height_and_ink(b"\x1bE\x01")
    assert (plain, bold > ink) == (30, True)
    assert height_and_ink(b"\x1b!\x10") == (48, ink * 2)
    assert height_and_ink(b"\x1d!\x11") == (48, ink * 4)
    assert height_and_ink(b"\x1b3\x50") == (80, ink)
    assert height_and_ink(b"\x1bM\x01")[1] < ink < height_and_ink(b"\x1b-\x01")[1] < height_and_ink(b"\x1dB\x01")[1]
    assert height_and_ink(b"\x1b!\x38\x1b@") == (plain, ink)


def test_pictures_are_drawn_dot_by_dot() -> None:
    def black(stream: bytes, *dots: tuple[int, int]) -> list[bool]:
        picture = draw(stream, 16).picture
        return [not picture.getpixel(dot) for dot in dots]

    assert draw(b"\x1dv0\x00\x01\x00\x02\x00\x80\x01", 16).text == "[picture 8x2]\n"
    plain = b"\x1dv0\x00\x01\x00\x02\x00\x80\x01"
    assert black(plain, (0, 0), (1, 0), (7, 1), (7, 0)) == [True, False, True, False]
    doubled = b"\x1dv0\x03\x01\x00\x02\x00\x80\x01"
    assert black(doubled, (1, 1), (2, 0), (15, 3), (13, 3)) == [True, False, True, False]
    columns = b"\x1b*\x21\x02\x00\x80\x00\x00\x00\x00\x01\n"
    assert black(columns, (0, 0), (1, 0), (1, 23), (0, 23)) == [True, False, True, False]


def test_a_cut_ends_a_piece_of_paper_and_settings_live_on() -> None:
    roll = Roll(384)
    pieces = [
        piece
        for command in split(b"\x1bt\x11\x1ba\x01one\n\x1dVB\x00two\n\x1dV\x00")
        if (piece := roll.carry_out(command))
    ]
    assert [piece.text.strip() for piece in pieces] == ["one", "two"]
    assert pieces[1].text.startswith("  ")
    assert roll.blank


def test_power_takes_the_settings_and_the_line_but_not_the_paper() -> None:
    roll = Roll(384)
    for command in split(b"printed\n\x1ba\x02lost"):
        roll.carry_out(command)
    roll.power_cycle()
    for command in split(b"after\n"):
        roll.carry_out(command)
    assert roll.tear().text == "printed\nafter\n"


def test_what_shows_nothing_is_no_fault() -> None:
    assert (
        text(
            b"\x00\x18\r\x10\x04\x01\x10\x05\x01\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08\x1bR\x00\x1bU\x01\x1bc5\x01a\n"
        )
        == "a\n"
    )
    assert (
        text(b"\x1d(H\x06\x0000abcd\x1dr\x01\x1da\x0f\x1dIC\x1d(D\x03\x00\x14\x01\x00\x1b{\x00\x1bV0\x1b=\x01a\n")
        == "a\n"
    )


def test_letters_stand_on_the_ground_of_their_line() -> None:
    """A small letter beside a tall one is as low as that."""
    picture = draw(b"\x1d!\x01A\x1d!\x00A\n", 384).picture
    assert picture.crop((12, 0, 24, 24)).getextrema() == (1, 1)
    assert picture.crop((12, 24, 24, 48)).getextrema() == (0, 1)


def test_draw_joins_what_was_cut() -> None:
    paper = draw(b"one\n\x1dV\x00two\n", 384)
    assert paper.text == "one\ntwo\n"
    assert paper.picture.height == 30 + 60 + 30
    assert draw(b"", 384).text == ""


def test_the_png_has_a_margin_all_around() -> None:
    paper = draw(b"\xdb" * 32 + b"\n", 384)
    picture = Image.open(BytesIO(paper.png()))
    assert (picture.format, picture.size) == ("PNG", (384 + 48, 30 + 48))
    assert [picture.getpixel(at) for at in [(23, 30), (24, 30), (407, 30), (408, 30)]] == [255, 0, 0, 255]


_HEADS = (b"\x1d(k", b"\x1d(L", b"\x1d8L", b"\x1dk", b"\x1b&", b"\x1b*", b"\x1dv0", b"\x1c(C", b"\x1bD", b"\x1d(H", b"\x1d(D", b"\x1dV", b"\x1b$")  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(_HEADS), st.binary(max_size=16), st.integers(0, 9)), max_size=6))
def test_no_bytes_stop_the_printer(pieces: list[tuple[bytes, bytes, int]]) -> None:
    """Not even commands whose lengths are wrong, as after a cable that was pulled."""
    stream = b"".join(head + bytes(zeros) + rest for head, rest, zeros in pieces)
    assert draw(stream, 512).picture.width == 512


def test_a_symbol_without_a_function_is_a_fault() -> None:
    assert "GS ( k without a function" in draw(b"\x1d(k\0\0x\n", 512).faults
