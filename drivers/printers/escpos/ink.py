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
    def cell(self) -> tuple[int, int]:
        """Dots of one letter."""
        width, height, _ = _FONTS[self.font]
        return width * self.width, height * self.height


@lru_cache(maxsize=1024)
def letter(char: str, style: Style) -> Image.Image:
    """One letter in its cell."""
    width, height, size = _FONTS[style.font]
    cell = Image.new("1", (width, height), int(style.reversed))
    brush, ink = ImageDraw.Draw(cell), int(not style.reversed)
    if char == "█":
        brush.rectangle((0, 0, width, height), fill=ink)
    for shift in (0, 1) if style.bold else (0,):
        brush.text((shift, 0), char, fill=ink, font=typeface(size))
    if style.underlined:
        brush.line((0, height - 1, width, height - 1), fill=ink)
    return cell.resize(style.cell)


def raster(mode: int, stride: int, height: int, dots: bytes) -> Image.Image:
    """GS v 0: rows of dots; bit 0 of the mode doubles the width, bit 1 the height."""
    picture = Image.frombytes("1", (stride * 8, height), dots)
    return picture.resize((stride * 8 * (1 + (mode & 1)), height * (1 + (mode >> 1 & 1))))


def bit_image(mode: int, columns: int, dots: bytes) -> Image.Image | None:
    """ESC *: columns of 8 or 24 dots from the top; None for a mode that does not exist or an empty picture."""
    if mode not in _SINGLE_DENSITY or not columns:
        return None
    wider, higher = _SINGLE_DENSITY[mode]
    picture = Image.frombytes("1", (24 if mode >= 32 else 8, columns), dots).transpose(Image.Transpose.TRANSPOSE)
    return picture.resize((picture.width * wider, picture.height * higher))


def qr_symbol(content: bytes, module: int, level: int) -> Image.Image | None:
    """GS ( k: the bare symbol, as printers draw it, without a quiet zone; None when the content does not fit."""
    try:
        symbol = segno.make(content, error=_LEVELS.get(level, "l"), micro=False, boost_error=False)
    except segno.DataOverflowError:
        return None
    side = len(symbol.matrix)
    picture = Image.new("1", (side, side))
    picture.putdata([cell for row in symbol.matrix for cell in row])
    return picture.resize((side * module, side * module))
