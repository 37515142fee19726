"""QR codes of level M: as a command for printers that draw them, as a picture for the others.

The picture is made with segno. It weighs all eight masks in pure Python, which takes most of its time; here they are weighed
on one long integer, all rows at once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from drivers.printers.escpos.errors import CodeTooLarge
from drivers.printers.escpos.raster import Picture

if TYPE_CHECKING:
    from segno import QRCode

QUIET_MODULES = 4
MODULE_LEAST = 4  # dots; cameras miss smaller ones

# Bytes that a QR code of level M holds in byte mode, by version from 1 on (ISO/IEC 18004, table 7).
_ROOM = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331)


def qr_module(payload: str, dots: int, wish: int) -> int:
    """Dots of one module: `wish`, or as many as the paper takes with the quiet zone. Raises CodeTooLarge."""
    size = len(payload.encode())
    version = next((number for number, room in enumerate(_ROOM, 1) if size <= room), None)
    module = min(wish, dots // (17 + 4 * version + 2 * QUIET_MODULES)) if version else 0
    if module < MODULE_LEAST:
        raise CodeTooLarge(size, dots)
    return module


def native_qr(payload: str, module: int) -> bytes:
    """GS ( k: module, level M, content, print; model 2 is what a printer takes after ESC @."""
    bodies = (b"1C" + bytes([module]), b"1E1", b"1P0" + payload.encode(), b"1Q0")
    return b"".join(b"\x1d(k" + len(body).to_bytes(2, "little") + body for body in bodies)


def drawn_qr(payload: str, module: int) -> bytes:
    """GS v 0. Every even module is drawn at half its size and doubled by the printer: a quarter of the bytes."""
    doubled = module % 2 == 0
    return _picture(payload, module // 2 if doubled else module).command(doubled)


def _picture(payload: str, module: int) -> Picture:
    rows = _rows(payload.encode())
    stride = (len(rows) * module + 7) // 8
    wider = {48: "0" * module, 49: "1" * module}
    lines = [int(row.translate(wider).ljust(stride * 8, "0"), 2).to_bytes(stride, "big") for row in rows]
    return Picture(stride, len(rows) * module, b"".join(line * module for line in lines))


def _rows(content: bytes) -> list[str]:
    """The symbol, row by row, in the mask of the lowest penalty (ISO/IEC 18004, 7.8.3)."""
    symbol = _symbol(content, 0)
    side, plain = len(symbol.matrix), _long(symbol)
    masked = (plain ^ turns for turns in _turned_over(int(symbol.version)))
    best = min(masked, key=lambda dark: _penalty(dark, side))
    digits = bin(best | 1 << side * (side + 1))[3:]
    return [digits[at + 1 : at + 1 + side] for at in range(0, side * (side + 1), side + 1)]


@lru_cache(maxsize=13)
def _turned_over(version: int) -> tuple[int, ...]:
    """The modules that change from mask 0 to each mask, the same for all content of that version."""
    symbols = [_long(_symbol(b"0", mask, version)) for mask in range(8)]
    return tuple(symbols[0] ^ symbol for symbol in symbols)


def _symbol(content: bytes, mask: int, version: int | None = None) -> QRCode:
    import segno

    return segno.make(content, error="m", micro=False, boost_error=False, mask=mask, version=version)


def _long(symbol: QRCode) -> int:
    """The symbol as one number, a 0 before each row, so that rows do not touch."""
    return int("".join(f"0{bytes(row).translate(_AS_DIGITS).decode()}" for row in symbol.matrix), 2)


_AS_DIGITS = bytes([48, 49]) + bytes(254)
_RUN = "11111"
_LIKE_A_FINDER = ("10111010000", "00001011101")


def _penalty(dark: int, side: int) -> int:
    light = dark ^ int(f"0{'1' * side}" * side, 2)
    points = 0
    for step in (1, side + 1):  # along the rows, down the columns
        for runs in (_found(_RUN, dark, light, step), _found(_RUN, light, dark, step)):
            points += runs.bit_count() + 2 * (runs & ~(runs >> step)).bit_count()
        points += 40 * sum(_found(pattern, dark, light, step).bit_count() for pattern in _LIKE_A_FINDER)
    for colour in (dark, light):
        pairs = colour & colour >> 1
        points += 3 * (pairs & pairs >> side + 1).bit_count()
    return points + 10 * (abs(dark.bit_count() * 20 - side * side * 10) // (side * side))


def _found(pattern: str, dark: int, light: int, step: int) -> int:
    """A 1 where the modules in that direction are as in the pattern."""
    found = -1
    for place, module in enumerate(pattern):
        found &= (dark if module == "1" else light) >> place * step
    return found
