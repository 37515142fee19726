"""Makes docs/pictures/receipts: every template with its example, ru and en, on 58 and 80 mm paper; `make pictures`.

The pictures are what the bytes for the printer draw, so they are what the paper will look like.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from receipt_templates.templates import example, names, render

PICTURES = Path(__file__).parent / "pictures" / "receipts"
PROFILE = "default"
MARGIN = 28  # dots of paper beside the print
LANGUAGES, WIDTHS = ("ru", "en"), (58, 80)


def main() -> None:
    """Leave the pictures in docs/pictures/receipts, in place of the old ones."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    for name in names():
        for language in LANGUAGES:
            for width in WIDTHS:
                paper(name, language, width).save(PICTURES / f"{name}-{language}-{width}.png", optimize=True)


def paper(name: str, language: str, width: int) -> Image.Image:
    """The example of a template as it comes out of the printer, with the edge of the paper."""
    profile = load_profile(PROFILE)
    document = render(name, language, example(name, language))
    printed = draw(encode(document, profile, width), profile.size(width).dots).picture
    return ImageOps.expand(ImageOps.expand(printed.convert("L"), MARGIN, 255), 1, 160).quantize(4)


if __name__ == "__main__":
    main()
