"""QR codes: native commands as text, drawn ones against segno's own symbols; reading from pixels is in tests/paper."""

import hashlib
import string

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from segno import encoder as segno_encoder

from drivers.printers.escpos import qr
from drivers.printers.escpos.commands import RealTime, split
from drivers.printers.escpos.errors import CodeTooLarge
from drivers.printers.escpos.paper import draw
from receipt_templates.document import QR_LIMIT


def test_a_native_code_is_of_level_m() -> None:
    told = [command.args[2:] for command in split(qr.native_qr("HTTPS://A/E/B", 6))]
    assert told == [b"1C\x06", b"1E1", b"1P0HTTPS://A/E/B", b"1Q0"]


@pytest.mark.parametrize(
    ("size", "dots", "module"),
    [(57, 384, 6), (180, 384, 6), (181, 384, 5), (QR_LIMIT, 384, 4), (QR_LIMIT, 504, 6), (90, 240, 4)],
)
def test_a_bigger_code_gets_smaller_modules_and_still_fits(size: int, dots: int, module: int) -> None:
    payload = ("https://a.ru/" + string.ascii_letters * 8)[:size]
    assert qr.qr_module(payload, dots, 6) == module
    assert draw(qr.native_qr(payload, module), dots).faults == ()


@pytest.mark.parametrize(("size", "dots"), [(QR_LIMIT, 300), (QR_LIMIT + 1, 2000), (107, 207)])
def test_modules_that_cameras_miss_are_refused(size: int, dots: int) -> None:
    with pytest.raises(CodeTooLarge, match=f"of {size} bytes does not fit on paper of {dots} dots"):
        qr.qr_module("a" * size, dots, 6)


@given(st.binary(min_size=1, max_size=QR_LIMIT))
def test_a_drawn_code_is_one_of_the_eight_that_the_standard_allows(content: bytes) -> None:
    rows = qr._rows(content)
    symbols = [segno.make(content, error="m", micro=False, boost_error=False, mask=mask).matrix for mask in range(8)]
    assert rows in [["".join(map(str, row)) for row in symbol] for symbol in symbols]


def test_the_mask_is_weighed_as_the_standard_weighs_it() -> None:
    """The four sums of ISO/IEC 18004; of the third (like a finder) segno counts those at the edge too."""
    for number in range(24):
        content = hashlib.shake_128(bytes([number])).digest(1 + number * 14)
        symbol = segno.make(content, error="m", micro=False, boost_error=False, mask=number % 8)
        side = len(symbol.matrix)
        runs, blocks, finders, balance = segno_encoder.mask_scores(symbol.matrix, side, side)
        more = qr._penalty(qr._long(symbol), side) - runs - blocks - balance
        assert more % 40 == 0
        assert 0 <= more <= finders


@pytest.mark.parametrize(("module", "doubled", "side"), [(6, 3, 87), (5, 0, 145), (4, 3, 58)])
def test_even_modules_are_doubled_by_the_printer(module: int, doubled: int, side: int) -> None:
    (command,) = split(qr.drawn_qr("HTTPS://BONUS.ZERNO.RU/E/" + "A" * 32, module))
    assert (command.name, command.args[0]) == ("GS v 0", doubled)
    assert int.from_bytes(command.args[3:5], "little") == side
    assert RealTime().feed(command.raw) == []
