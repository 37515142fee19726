"""The printing head of the virtual paper: bytes in, masks of black dots out (1 = ink).

Nothing here knows how our encoder made the bytes; letters come from the typeface, QR codes from the data in the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import segno
from PIL import Image, ImageDraw

from drivers.printers.escpos.fonts import typeface

_FONTS = ((12, 24, 20), (9, 17, 15))  # cell width, cell height, type size: fonts A and B
_SINGLE_DENSITY = {0: (2, 3), 1: (1, 3), 32: (2, 1), 33: (1, 1)}  # ESC * mode: how a dot is stretched
_LEVELS = {48: "l", 49: "m", 50: "q", 51: "h"}


@dataclass(frozen=True, slots=True)
class Style:
    """How letters look."""

    font: int = 0
    bold: bool = False
    underlined: bool = False
    reversed: bool = False
    width: int = 1
    height: int = 1

    @property
    def column(self) -> int:
        """Dots of one letter of normal width."""
        return _FONTS[self.font][0]

    @property
    def cell(self) -> tuple[int, int]:
        """Dots of one letter."""
        width, height, _ = _FONTS[self.font]
        return width * self.width, height * self.height


@lru_cache(maxsize=2048)
def letter(char: str, style: Style) -> Image.Image:
    """One letter in its cell."""
    width, height, size = _FONTS[style.font]
    cell = Image.new("1", (width, height))
    brush = ImageDraw.Draw(cell)
    if char == "█":
        brush.rectangle((0, 0, width, height), fill=1)
    else:
        brush.text((0, 0), char, fill=1, font=typeface(size))
    return styled(cell, style)


def styled(glyph: Image.Image, style: Style) -> Image.Image:
    """A glyph, as the typeface or the sender draws it, in the cell of `style`."""
    width, height, _ = _FONTS[style.font]
    cell = Image.new("1", (width, height))
    for shift in (0, 1) if style.bold else (0,):
        cell.paste(1, (shift, 0), glyph)
    if style.underlined:
        cell.paste(1, (0, height - 1, width, height))
    if style.reversed:
        cell = Image.eval(cell, lambda dot: 255 - dot)
    return cell if (width, height) == style.cell else cell.resize(style.cell)


def raster(mode: int, stride: int, height: int, dots: bytes) -> Image.Image:
    """GS v 0: rows of dots; bit 0 of the mode doubles the width, bit 1 the height."""
    picture = Image.frombytes("1", (stride * 8, height), dots)
    return picture.resize((stride * 8 * (1 + (mode & 1)), height * (1 + (mode >> 1 & 1))))


def column_picture(tall: int, columns: int, dots: bytes) -> Image.Image:
    """Columns of `tall` bytes each, from the top."""
    return Image.frombytes("1", (tall * 8, columns), dots).transpose(Image.Transpose.TRANSPOSE)


def bit_image(mode: int, columns: int, dots: bytes) -> Image.Image | None:
    """ESC *: columns of 8 or 24 dots; None for a mode that does not exist or an empty picture."""
    if mode not in _SINGLE_DENSITY or not columns:
        return None
    wider, higher = _SINGLE_DENSITY[mode]
    picture = column_picture(3 if mode >= 32 else 1, columns, dots)
    return picture.resize((picture.width * wider, picture.height * higher))


def qr_symbol(content: bytes, module: int, level: int) -> Image.Image | None:
    """GS ( k: the bare symbol, as printers draw it, without a quiet zone; None when the content does not fit."""
    try:
        symbol = segno.make(content, error=_LEVELS.get(level, "l"), micro=False, boost_error=False)
    except segno.DataOverflowError:
        return None
    side = len(symbol.matrix)
    picture = Image.frombytes("L", (side, side), b"".join(bytes(row) for row in symbol.matrix)).point(_INK, "1")
    return picture.resize((side * module, side * module))


def bar_picture(widths: tuple[int, ...], height: int) -> Image.Image:
    """Bars and spaces in turn, a bar first, in dots."""
    picture, x = Image.new("1", (sum(widths), height)), 0
    for index, width in enumerate(widths):
        if index % 2 == 0:
            picture.paste(1, (x, 0, x + width, height))
        x += width
    return picture


_INK = [0] + [255] * 255
