"""Finds pictures that were meant to be QR codes and are none any more, as after bytes that were lost on the line.

A picture that begins with the first finder pattern of a symbol, and whose first row has the length of one, must have the
other two finder patterns and both timing patterns where ISO/IEC 18004 puts them. What is wrong elsewhere, a scanner mends.
"""

from __future__ import annotations

from PIL import Image

_FINDER = ("1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111")
_SMALLEST, _LARGEST, _STEP = 21, 177, 4  # modules of a side


def is_damaged_qr(ink: Image.Image) -> bool:
    """False also for pictures that are no QR code, or only a strip of one."""
    box = ink.getbbox()
    if box is None:
        return False
    symbol = ink.crop((box[0], box[1], *ink.size))
    first = symbol.crop((0, 0, symbol.width, 1)).tobytes("raw", "L")
    module, rest = divmod(first.find(b"\0"), len(_FINDER))
    if module < 1 or rest or not _has_finder(symbol, module, 0, 0):
        return False
    side, rest = divmod(first.rfind(b"\xff") + 1, module)
    if rest or side not in range(_SMALLEST, _LARGEST + 1, _STEP) or symbol.height < side * module:
        return False
    far = side - len(_FINDER)
    return not (
        _has_finder(symbol, module, far, 0)
        and _has_finder(symbol, module, 0, far)
        and all(_is_black(symbol, module, at, 6) == (at % 2 == 0) for at in range(8, side - 8))
        and all(_is_black(symbol, module, 6, at) == (at % 2 == 0) for at in range(8, side - 8))
    )


def _has_finder(symbol: Image.Image, module: int, left: int, top: int) -> bool:
    return all(
        _is_black(symbol, module, left + x, top + y) == (dot == "1")
        for y, row in enumerate(_FINDER)
        for x, dot in enumerate(row)
    )


def _is_black(symbol: Image.Image, module: int, x: int, y: int) -> bool:
    """The dot in the middle of a module."""
    return bool(symbol.getpixel((x * module + module // 2, y * module + module // 2)))
