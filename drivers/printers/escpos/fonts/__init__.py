"""The one typeface we ship, with Cyrillic, for pictures of text."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from io import BytesIO

from PIL import ImageFont


@lru_cache(maxsize=4)
def typeface(pixels: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans Mono; at 20 pixels a letter is 12 wide and its line 24 high, as font A of a printer."""
    file = resources.files(__name__) / "DejaVuSansMono.ttf"
    return ImageFont.truetype(BytesIO(file.read_bytes()), pixels, layout_engine=ImageFont.Layout.BASIC)
