"""Letters for ESC &: what a printer without a sign is taught to print, the same dots that a picture of the line has.

`glyphs.txt` holds the signs that receipts use, drawn beforehand (see `generate_glyphs`), so that the usual receipt does not
load Pillow; any other letter is drawn when it is met.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

Font = Literal["A", "B"]

FILE = Path(__file__).parent / "glyphs.txt"
HEIGHT = 3  # bytes of a column


@lru_cache(maxsize=512)
def glyph(char: str, font: Font) -> bytes:
    """The letter column by column, three bytes each from the top, without the blank columns at its right."""
    found = _shipped().get(f"{ord(char):04X} {font}")
    return bytes.fromhex(found) if found is not None else drawn(char, font)


def drawn(char: str, font: Font) -> bytes:
    """The same, straight from the typeface."""
    from PIL import Image

    from drivers.printers.escpos.raster import letter

    cell = letter(char, font, bold=False)
    canvas = Image.new("1", (cell.width, HEIGHT * 8))
    canvas.paste(cell, (0, 0))
    columns = canvas.transpose(Image.Transpose.TRANSPOSE).tobytes()
    used = -(-len(columns.rstrip(b"\0")) // HEIGHT) or 1
    return columns[: used * HEIGHT]


@lru_cache(maxsize=1)
def _shipped() -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in FILE.read_text("ascii").splitlines())
