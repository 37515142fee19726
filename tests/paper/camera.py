"""A worn printing head and a phone's camera: what happens to a QR code between our dots and the customer's screen.

The paper: two heating dots of the head are dead (white columns), heat bleeds into the neighbours, the ink has faded and
the light falls unevenly. The camera: five pixels for a millimetre of paper (a phone 30 cm away, where the head has eight
dots), turned by up to 20 degrees, held askew, out of focus, with noise. It is hard enough that a code of four dots to a
module is mostly lost. Chance comes from the generator that is passed in, so a failure can be repeated.
"""

from __future__ import annotations

from random import Random
from statistics import NormalDist

from PIL import Image, ImageChops, ImageFilter

DOTS_PER_MM = 203 / 25.4
PIXELS_PER_MM = 5.0
QUIET_DOTS = 24  # white around the code: four modules of six dots
FINE = 2  # pixels of a printed picture to a dot
TABLE = 225  # grey of what lies under the paper

_NOISE = [min(max(round(NormalDist(128, 8).inv_cdf((byte + 0.5) / 256)), 0), 255) for byte in range(256)]


def chances(seed: int | str) -> Random:
    """The generator of a test: the same each time."""
    return Random(seed)  # noqa: S311 - a test, not a secret


def photographed(dots: Image.Image, chance: Random) -> Image.Image:
    """`dots`, a 1-bit picture with white around what is to be read, as a phone sees it on worn paper."""
    return seen(worn(dots.convert("L"), chance), chance)


def worn(dots: Image.Image, chance: Random, dead: int = 2) -> Image.Image:
    """What a worn head makes of them, `FINE` pixels to a dot."""
    printed = dots.copy()
    for column in chance.sample(range(QUIET_DOTS, printed.width - QUIET_DOTS), dead):
        printed.paste(255, (column, 0, column + 1, printed.height))
    heat = printed.resize((printed.width * FINE, printed.height * FINE), Image.Resampling.NEAREST)
    heat = heat.filter(ImageFilter.GaussianBlur(FINE * chance.uniform(0.5, 0.6)))
    threshold = chance.randint(128, 150)  # above the middle: black grows
    black, white = chance.randint(40, 100), chance.randint(215, 245)
    faded = heat.point([white if shade > threshold else black for shade in range(256)])
    light = Image.linear_gradient("L").rotate(chance.choice((0, 90, 180, 270))).resize(faded.size)
    return ImageChops.multiply(faded, light.point([225 + shade * 30 // 255 for shade in range(256)]))


def seen(printed: Image.Image, chance: Random) -> Image.Image:
    """What the camera makes of it."""
    side = int(max(printed.size) * 1.6)
    scene = Image.new("L", (side, side), TABLE)
    scene.paste(printed, ((side - printed.width) // 2, (side - printed.height) // 2))
    scene = scene.rotate(chance.uniform(-20, 20), Image.Resampling.BILINEAR, fillcolor=TABLE)
    a, b, c, d, e, f, g, h = (chance.uniform(0, 0.02) * side for _ in range(8))
    corners = (a, b, c, side - d, side - e, side - f, side - g, h)
    scene = scene.transform(scene.size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    pixels = int(side / FINE / DOTS_PER_MM * PIXELS_PER_MM)
    small = scene.resize((pixels, pixels), Image.Resampling.BOX)
    small = small.filter(ImageFilter.GaussianBlur(chance.uniform(0.75, 0.9)))
    noise = Image.frombytes("L", small.size, chance.randbytes(small.width * small.height)).point(_NOISE)
    return ImageChops.add(small, noise, 1, -128)
