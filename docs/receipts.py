"""Makes what docs/receipts.md shows: a picture of every template and the tables of their fields. Part of `make pictures`.

The pictures are what the bytes for the printer draw, so they are what the paper will look like: each template with its
example, ru and en, on 58 and 80 mm paper; one more with a logo.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from drivers.printers.escpos import logo
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from drivers.printers.escpos.raster import Picture
from receipt_templates.fields import Field
from receipt_templates.templates import example, fields, names, render

PAGE = Path(__file__).parent / "receipts.md"
PICTURES = Path(__file__).parent / "pictures" / "receipts"
PROFILE = "default"
MARGIN = 28  # dots of paper beside the print
LANGUAGES, WIDTHS = ("ru", "en"), (58, 80)
BEGIN, END = "<!-- the fields, written by docs/receipts.py -->\n", "<!-- end of the fields -->\n"


def main() -> None:
    """Leave the pictures in docs/pictures/receipts and the fields in docs/receipts.md, in place of the old ones."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    for name in names():
        for language in LANGUAGES:
            for width in WIDTHS:
                paper(name, language, width).save(PICTURES / f"{name}-{language}-{width}.png", optimize=True)
    paper("enrolment", "ru", 80, bean()).save(PICTURES / "logo.png", optimize=True)
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{field_tables()}{END}{after}", "utf-8")


def paper(name: str, language: str, width: int, picture: Picture | None = None) -> Image.Image:
    """The example of a template as it comes out of the printer, with the edge of the paper."""
    profile = load_profile(PROFILE)
    document = render(name, language, example(name, language))
    printed = draw(encode(document, profile, width, picture), profile.size(width).dots).picture
    return ImageOps.expand(ImageOps.expand(printed.convert("L"), MARGIN, 255), 1, 160).quantize(4)


def bean() -> Picture:
    """A logo for a coffee shop."""
    image = Image.new("L", (640, 640), 255)
    brush = ImageDraw.Draw(image)
    brush.ellipse((150, 40, 490, 600), fill=0)
    curve = [(320 + 70 * math.sin(step / 50 * math.tau), 40 + step * 11.2) for step in range(51)]
    brush.line(curve, fill=255, width=30, joint="curve")
    turned = image.rotate(-35, fillcolor=255).resize((160, 160), Image.Resampling.LANCZOS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "logo.png"
        turned.save(file)
        return logo.load(file, 512)


def field_tables() -> str:
    """What each template takes, as Markdown."""
    return (
        "".join(
            f"\n### {name}\n\n| key | what it is | form |\n|---|---|---|\n{''.join(_rows(name))}" for name in names()
        )
        + "\n"
    )


def _rows(name: str) -> Iterator[str]:
    for field in fields(name):
        yield _row("", field)
        for column in field.rows:
            yield _row(f"{field.name}[].", column)


def _row(prefix: str, field: Field) -> str:
    must = ", **must be there**" if field.required else ""
    return f"| `{prefix}{field.name}` | {field.what} | {FORMS[field.kind]}{must} |\n"


FORMS = {
    "text": "text",
    "flag": "true or false",
    "number": "whole number",
    "texts": "list of texts",
    "rows": "list of rows",
}


if __name__ == "__main__":
    main()
