"""Letters on the virtual paper: other families' slots, the sender's own glyphs, UTF-8, the two-byte mode of clones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printers.escpos.commands import split
from drivers.printers.escpos.paper import Roll, draw, slots_of

ROUBLE = bytes(range(1, 37))  # 12 columns of 3 bytes
DEFINE = b"\x1b&\x03~~\x0c" + ROUBLE


@pytest.mark.parametrize(
    ("family", "slot", "codec"),
    [
        *(("epson", 17, "cp866"), ("epson", 46, "cp1251"), ("epson", 34, "cp855"), ("TM-T88III", 17, "cp866")),
        *(("nt-pos", 59, "cp866"), ("POS-5890", 73, "cp1251"), ("star", 10, "cp866"), ("star", 34, "cp1251")),
        *(("rp326", 7, "cp866"), ("RP326", 6, "cp1251"), ("rp326", 28, "cp855"), ("ocd", 11, "cp866")),
        *(("OCD-300", 12, "cp1251"), ("kr306", 12, "cp866"), ("KR-306", 37, "cp866"), ("kr306", 51, "cp1251")),
        *(("th230", 7, "cp866"), ("CT-S651", 7, "cp866"), ("Sunmi-V2", 254, "cp855"), ("P822D", 59, "cp866")),
    ],
)
def test_each_family_has_its_own_slots(family: str, slot: int, codec: str) -> None:
    paper = draw(b"\x1bt" + bytes([slot]) + "Ёжик № 1\n".encode(codec), 384, slots_of(family))
    assert (paper.text, paper.faults) == ("Ёжик № 1\n", ())


@pytest.mark.parametrize(("family", "slot"), [("TM-T88IV", 46), ("ZJ-5870", 46), ("th230", 46), ("simple", 17)])
def test_a_slot_of_another_family_is_unknown(family: str, slot: int) -> None:
    assert f"unknown code page slot {slot}" in draw(b"\x1bt" + bytes([slot]) + b"a\n", 384, slots_of(family)).faults


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    with pytest.raises(LookupError, match="did you mean 'tm-t88v'"):
        slots_of("TM-T88VX")
    with pytest.raises(LookupError, match=r"no slots known of '\?\?'; there are any, .* th230"):
        slots_of("??")


def test_a_glyph_of_the_sender_is_printed_dot_by_dot() -> None:
    paper = draw(DEFINE + b"\x1b%\x01a~b\n", 384)
    assert (paper.text, paper.faults) == (f"a{chr(0xE000 + 0x7E)}b\n", ())
    cell = paper.picture.crop((12, 0, 24, 24))
    drawn = [
        sum((cell.getpixel((x, y + bit)) == 0) << 7 - bit for bit in range(8)) for x in range(12) for y in (0, 8, 16)
    ]
    assert bytes(drawn) == ROUBLE


def test_a_glyph_counts_while_it_is_switched_on_and_not_cancelled() -> None:
    own, plain = f"{chr(0xE000 + 0x7E)}\n", "~\n"
    assert draw(DEFINE + b"~\n", 384).text == plain
    assert draw(DEFINE + b"\x1b%\x01~\n\x1b%\x00~\n", 384).text == own + plain
    assert draw(DEFINE + b"\x1b%\x01\x1b?~~\n", 384).text == plain
    assert draw(DEFINE + b"\x1b@\x1b%\x01~\n", 384).text == plain
    assert draw(DEFINE + b"\x1b%\x01\x1bM\x01~\n", 384).text == plain  # it is one of font A


def test_a_glyph_takes_the_style_of_its_text() -> None:
    plain = draw(DEFINE + b"\x1b%\x01~\n", 384).picture.convert("L").histogram()[0]
    large = draw(DEFINE + b"\x1b%\x01\x1b!\x30~\n", 384).picture.convert("L").histogram()[0]
    bold = draw(DEFINE + b"\x1b%\x01\x1bE\x01~\n", 384).picture.convert("L").histogram()[0]
    assert large == 4 * plain
    assert plain < bold < 2 * plain


def test_a_narrow_glyph_leaves_the_rest_of_its_cell_white() -> None:
    paper = draw(b"\x1b&\x03AB\x01\xff\xff\xff\x02" + b"\xff" * 6 + b"\x1b%\x01AB\n", 384)
    assert paper.faults == ()
    row = [paper.picture.getpixel((x, 0)) == 0 for x in range(24)]
    assert row == [True] + [False] * 11 + [True] * 2 + [False] * 10


@pytest.mark.parametrize(
    ("define", "fault"),
    [
        (b"\x1b&\x03AA\x0d" + bytes(39), "a glyph of 13x24 dots for code 0x41"),
        (b"\x1b&\x02AA\x0c" + bytes(24), "a glyph of 12x16 dots for code 0x41"),
        (b"\x1b&\x03\x80\x80\x0c" + bytes(36), "a glyph of 12x24 dots for code 0x80"),
    ],
)
def test_a_glyph_that_the_font_does_not_take_is_named(define: bytes, fault: str) -> None:
    assert f"{fault}, which the font does not take" in draw(define + b"a\n", 384).faults


UTF_8, ONE_BYTE = b"\x1c(C\x02\x0002", b"\x1c(C\x02\x0001"


@given(st.integers(0, 60))
def test_utf_8_may_arrive_in_any_pieces(at: int) -> None:
    stream = UTF_8 + "Ёжик — 5 ₽ → «№ 1»\n".encode()
    roll = Roll(384)
    for part in (stream[:at], stream[at:]):
        for command in split(part):
            roll.carry_out(command)
    if at not in range(1, len(UTF_8)):
        assert roll.tear().text == "Ёжик — 5 ₽ → «№ 1»\n"


def test_utf_8_ends_where_it_is_told_to() -> None:
    cp866 = "Ёж\n".encode("cp866")
    both = UTF_8 + "Ёж\n".encode() + ONE_BYTE + b"\x1bt\x11" + cp866
    assert (draw(both, 384).text, draw(both, 384).faults) == ("Ёж\nЁж\n", ())
    assert draw(UTF_8 + "Ёж\n".encode() + b"\x1b@\x1bt\x11" + cp866, 384).text == "Ёж\nЁж\n"
    assert "bytes that are no letter in the encoding that was chosen" in draw(UTF_8 + cp866, 384).faults
    assert draw(b"\x1c(C\x03\x00<\x00\x00a\n", 384).faults == ()
    assert draw(b"\x1c(C\x02\x000\x09a\n", 384).faults == ("not drawn: FS ( C with another encoding than UTF-8",)


def test_national_letters_are_named() -> None:
    assert draw(b"\x1bR\x02a\n", 384).faults == ("ESC R 2 puts national letters in the place of some ASCII ones",)


def test_a_chinese_clone_eats_cyrillic_until_it_is_told_not_to() -> None:
    def printed(start: bytes) -> str:
        roll = Roll(384, slots_of("nt-pos"), chinese=True)
        for command in split(start + b"\x1bt\x3b" + "Привет\n".encode("cp866")):
            roll.carry_out(command)
        return roll.tear().text

    assert printed(b"\x1c.") == "Привет\n"
    assert printed(b"") != "Привет\n" != printed(b"\x1c.\x1b@")
    assert draw(b"\x1c&" + "你好\n".encode("gb18030"), 384).text == "你好\n"
