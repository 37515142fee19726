"""The shop's logo: any PNG, BMP or JPEG in, black and white dots of the printer out.

The file comes from a person and may be anything, so its size is looked at before its pixels are unpacked.
"""

from __future__ import annotations

import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.printers.escpos.errors import LogoError
from drivers.printers.escpos.raster import Picture

if TYPE_CHECKING:
    from PIL import Image

FILE_LIMIT = 8_000_000  # bytes
PIXELS_LIMIT = 16_000_000
HEIGHT_LIMIT = 480  # dots, 6 cm
_FAINT = 48  # of 255: what is lighter counts as white margin, as the haze in JPEG files

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what Pillow raises on files that are not right


def load(path: Path, max_dots: int) -> Picture:
    """The logo in `path`, made smaller until it fits on paper of `max_dots`, without white margins. Raises LogoError."""
    from PIL import Image, ImageOps

    _check_size(path)
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(path, formats=("PNG", "BMP", "JPEG")) as opened:
            _check_pixels(path, opened.width, opened.height)
            opened.draft("L", (max_dots * 2, HEIGHT_LIMIT * 2))
            grey = _on_white(ImageOps.exif_transpose(opened))
    except LogoError:
        raise
    except bombs as error:
        raise LogoError(f"{path}: too many dots; save it smaller") from error
    except _DAMAGED as error:
        raise LogoError(f"{path}: not a PNG, BMP or JPEG picture that can be read: {error}") from error
    ink = ImageOps.invert(grey)
    box = ink.point(lambda level: 255 if level > _FAINT else 0).getbbox()
    if box is None:
        raise LogoError(f"{path}: white, or nearly; nothing of it would print")
    return _dots(ink.crop(box), max_dots)


def _check_size(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise LogoError(f"{path}: {error.strerror or error}") from error
    if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
        raise LogoError(f"{path}: not a file")
    if found.st_size > FILE_LIMIT:
        raise LogoError(f"{path}: {found.st_size} bytes, at most {FILE_LIMIT} are read; save it smaller")


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > PIXELS_LIMIT:
        raise LogoError(f"{path}: {width}x{height} dots are too many; save it smaller")


def _on_white(picture: Image.Image) -> Image.Image:
    """Shades of grey; what is transparent is paper."""
    from PIL import Image

    if picture.mode in ("1", "L") and "transparency" not in picture.info:
        return picture.convert("L")
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB").convert("L")
    layers = picture.convert("RGBA")
    paper = Image.new("RGBA", layers.size, "white")
    paper.alpha_composite(layers)
    return paper.convert("L")


def _dots(ink: Image.Image, max_dots: int) -> Picture:
    """Fitted and dithered; 1 = black."""
    from PIL import Image

    scale = min(1.0, max_dots / ink.width, HEIGHT_LIMIT / ink.height)
    if scale < 1:
        fitted = (max(int(ink.width * scale), 1), max(int(ink.height * scale), 1))
        ink = ink.resize(fitted, Image.Resampling.LANCZOS)
    dots = ink.convert("1")
    return Picture((dots.width + 7) // 8, dots.height, dots.tobytes())
