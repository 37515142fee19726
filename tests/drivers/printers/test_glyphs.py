"""Letters that printers are taught: the shipped ones are the typeface's own."""

import pytest
from PIL import Image

from drivers.printers.escpos.charset import signs
from drivers.printers.escpos.generate_glyphs import generate
from drivers.printers.escpos.glyphs import FILE, HEIGHT, Font, glyph
from drivers.printers.escpos.raster import CELLS, letter


def test_the_file_is_what_the_typeface_gives() -> None:
    assert FILE.read_text("ascii") == generate()


@pytest.mark.parametrize("font", ["A", "B"])
def test_a_glyph_has_the_dots_of_the_letter(font: Font) -> None:
    width, height, _ = CELLS[font]
    for char in signs() + "".join(map(chr, range(0x0401, 0x0452))):
        columns = glyph(char, font)
        assert 0 < len(columns) <= width * HEIGHT
        turned = Image.frombytes("1", (HEIGHT * 8, len(columns) // HEIGHT), columns)
        cell = Image.new("1", (width, height))
        cell.paste(turned.transpose(Image.Transpose.TRANSPOSE), (0, 0))
        wanted = letter(char, font, bold=False)
        assert cell.tobytes() == wanted.tobytes(), char
