"""Draws `glyphs.txt` out of the typeface; for developers only.

python -m drivers.printers.escpos.generate_glyphs
"""

from __future__ import annotations

from drivers.printers.escpos.charset import signs
from drivers.printers.escpos.glyphs import FILE, Font, drawn

_CYRILLIC = "".join(map(chr, (*range(0x0401, 0x0410), *range(0x0410, 0x0452), 0x0490, 0x0491)))
_FONTS: tuple[Font, ...] = ("A", "B")


def generate() -> str:
    """The text of the file: for each sign its code point, the font and its columns in hex."""
    chars = sorted({*signs(), *_CYRILLIC})
    return "".join(f"{ord(char):04X} {font} {drawn(char, font).hex()}\n" for char in chars for font in _FONTS)


if __name__ == "__main__":
    FILE.write_text(generate(), "ascii")
