"""Pictures for GS v 0: lines of text that no code page of the printer holds, and QR codes for printers that draw none.

Pillow and segno are loaded at the first picture: a receipt in the printer's own letters needs neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.printers.escpos.profile import CELL_HEIGHT, CELL_WIDTH
from receipt_templates.layout import TextRow

_REAL_TIME = re.compile(rb"\x10(?=[\x04\x05\x14])")


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of dots, eight to a byte, the leftmost dot in the highest bit, 1 = black."""

    stride: int  # bytes in a row
    height: int
    dots: bytes

    def command(self, doubled: bool = False) -> bytes:
        """GS v 0; `doubled` prints each dot as two by two.

        A printer obeys DLE EOT, ENQ and DC4 even inside a picture, so the dots never spell one.
        """
        head = b"\x1dv0" + bytes([3 if doubled else 0])
        size = self.stride.to_bytes(2, "little") + self.height.to_bytes(2, "little")
        return head + size + _REAL_TIME.sub(b"\x11", self.dots)


def text_line(row: TextRow, columns: int) -> Picture:
    """A row of text, placed as the printer would place it, cut off after its last letter."""
    from PIL import Image, ImageDraw

    from drivers.printers.escpos.fonts import typeface

    line = row.line(columns)
    letters = line.lstrip(" ") if row.align != "left" else line
    left = len(line) - len(letters)
    canvas = Image.new("1", ((left + len(letters) * row.width) * CELL_WIDTH or 8, CELL_HEIGHT * row.height))
    cell = Image.new("1", (CELL_WIDTH, CELL_HEIGHT))
    brush = ImageDraw.Draw(cell)
    for index, letter in enumerate(letters):
        brush.rectangle((0, 0, CELL_WIDTH, CELL_HEIGHT), fill=0)
        for shift in (0, 1) if row.bold else (0,):
            brush.text((shift, 0), letter, fill=1, font=typeface(20))
        scaled = cell.resize((CELL_WIDTH * row.width, CELL_HEIGHT * row.height))
        canvas.paste(scaled, ((left + index * row.width) * CELL_WIDTH, 0))
    return Picture((canvas.width + 7) // 8, canvas.height, canvas.tobytes())


def qr_code(payload: str, module: int) -> Picture:
    """A QR code of level M without its quiet zone, `module` dots to a module."""
    import segno

    symbol = segno.make(payload.encode(), error="m", micro=False, boost_error=False)
    rows = [_packed([dark for dark in row for _ in range(module)]) for row in symbol.matrix]
    return Picture(len(rows[0]), len(rows) * module, b"".join(row * module for row in rows))


def _packed(bits: list[int]) -> bytes:
    stride = (len(bits) + 7) // 8
    number = int("".join("1" if bit else "0" for bit in bits).ljust(stride * 8, "0"), 2)
    return number.to_bytes(stride, "big")
