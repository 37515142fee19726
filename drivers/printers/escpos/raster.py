"""Pictures for GS v 0: lines of text that no code page of the printer holds, and QR codes for printers that draw none.

Pillow and segno are loaded at the first picture: a receipt in the printer's own letters needs neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from receipt_templates.layout import TextRow

if TYPE_CHECKING:
    from PIL import Image

CELLS = {"A": (12, 24, 20), "B": (9, 17, 15)}  # width and height of a letter, size of the type

_STRIP = 255  # rows of one GS v 0; more, and the bytes of the height could spell a real-time command
_REAL_TIME = re.compile(rb"\x10(?=[\x04\x05\x14])")


def without_real_time(dots: bytes) -> bytes:
    """Dots that do not spell DLE EOT, DLE ENQ or DLE DC4, which a printer obeys even inside a picture.

    One dot more, beside a black one, breaks the pair.
    """
    return _REAL_TIME.sub(b"\x30", dots)


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of dots, eight to a byte, the leftmost dot in the highest bit, 1 = black."""

    stride: int  # bytes in a row
    height: int
    dots: bytes

    def command(self, doubled: bool = False) -> bytes:
        """GS v 0, once for each strip of 255 rows; `doubled` prints each dot as two by two."""
        head = b"\x1dv0" + bytes([3 if doubled else 0]) + self.stride.to_bytes(2, "little")
        dots = without_real_time(self.dots)
        return b"".join(
            head
            + min(_STRIP, self.height - at).to_bytes(2, "little")
            + dots[at * self.stride :][: _STRIP * self.stride]
            for at in range(0, self.height, _STRIP)
        )

    def trimmed(self) -> tuple[int, Picture, int]:
        """The blank rows above, what is between them, the blank rows below; all of a blank picture is above."""
        ink = self.dots.lstrip(b"\0")
        top = (len(self.dots) - len(ink)) // self.stride
        below = (len(self.dots) - len(self.dots.rstrip(b"\0"))) // self.stride if ink else 0
        dots = self.dots[top * self.stride : len(self.dots) - below * self.stride]
        return top, Picture(self.stride, self.height - top - below, dots), below


@lru_cache(maxsize=512)
def letter(char: str, font: Literal["A", "B"], bold: bool) -> Image.Image:
    """One letter in its cell, ink = 1."""
    from PIL import Image, ImageDraw

    from drivers.printers.escpos.fonts import typeface

    width, height, size = CELLS[font]
    cell = Image.new("1", (width, height))
    brush = ImageDraw.Draw(cell)
    if char == "█":
        brush.rectangle((0, 0, width, height), fill=1)
    for shift in (0, 1) if bold else (0,):
        brush.text((shift, 0), char, fill=1, font=typeface(size))
    return cell


def text_line(row: TextRow, columns: int) -> Picture:
    """A row of text, placed as the printer would place it, cut off after its last letter."""
    from PIL import Image

    width, height, _ = CELLS[row.font]
    line = row.line(columns)
    letters = line.lstrip(" ") if row.align != "left" else line
    left = len(line) - len(letters)
    canvas = Image.new("1", ((left + len(letters) * row.width) * width or 8, height * row.height))
    for index, char in enumerate(letters):
        cell = letter(char, row.font, row.bold).resize((width * row.width, height * row.height))
        canvas.paste(cell, ((left + index * row.width) * width, 0))
    return Picture((canvas.width + 7) // 8, canvas.height, canvas.tobytes())
