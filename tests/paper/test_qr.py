"""QR codes are read back from the pixels of the paper by decoders that others wrote, fresh and through a worn head and a phone."""

import string
from collections import Counter
from collections.abc import Callable
from io import BytesIO

import msgspec
import pytest
from PIL import Image

from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import Paper, draw
from drivers.printers.escpos.profile import load_profile
from receipt_templates.document import Document, Qr
from tests.paper.camera import QUIET_DOTS, chances, photographed
from tests.paper.readers import rxing, zxing

KINDS = ("native", "raster")
WIDTHS = (58, 80)
SEED = 20261121


def urls(count: int) -> list[str]:
    """Links of 40 to 120 characters, every length as likely; half of them ours, in capitals."""
    chance, made = chances(SEED), []
    for number in range(count):
        head = "HTTPS://BONUS.ZERNO.RU/E/" if number % 2 else "https://bonus.zerno.ru/e?x="
        letters = string.ascii_uppercase + "234567" if number % 2 else string.ascii_letters + string.digits + "-._~%&=/"
        made.append(head + "".join(chance.choices(letters, k=chance.randint(40, 120) - len(head))))
    return made


def paper(url: str, kind: str, width: int) -> Paper:
    profile = msgspec.structs.replace(load_profile("default"), native_qr=kind == "native")
    job = encode(Document((Qr(url),), "en"), profile, width)
    assert (b"\x1d(k" in job, b"\x1dv0" in job) == (kind == "native", kind == "raster")
    drawn = draw(job, profile.size(width).dots)
    assert drawn.faults == ()
    return drawn


def code_on(picture: Image.Image) -> Image.Image:
    """The only thing printed on it, with its quiet zone."""
    black = picture.convert("L").point([255 if shade < 128 else 0 for shade in range(256)])
    left, top, right, bottom = black.getbbox() or (0, 0, 0, 0)
    assert left >= QUIET_DOTS
    assert top >= QUIET_DOTS
    assert right <= picture.width - QUIET_DOTS
    return picture.crop((left - QUIET_DOTS, top - QUIET_DOTS, right + QUIET_DOTS, bottom + QUIET_DOTS))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_code_is_read_from_the_png(
    kind: str, width: int, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    wanted = urls(size(40, 300))
    pngs = [Image.open(BytesIO(paper(url, kind, width).png())) for url in wanted]
    assert [zxing(png) for png in pngs] == [[url] for url in wanted]
    assert {len(url) for url in wanted} <= set(range(40, 121))
    proof(f"QR codes, {kind}, {width} mm: {len(wanted)} of {len(wanted)} read from the pixels")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_codes_on_worn_paper_are_read_by_two_decoders(
    kind: str, width: int, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    """At least 99 of 100 by each, in one photograph; a phone takes dozens a second."""
    wanted, chance = urls(size(25, 300)), chances(f"{SEED} {kind} {width}")
    read: Counter[str] = Counter()
    for url in wanted:
        photograph = photographed(code_on(paper(url, kind, width).picture), chance)
        read["zxing"] += zxing(photograph) == [url]
        read["rxing"] += rxing(photograph) == [url]
    assert min(read["zxing"], read["rxing"]) >= len(wanted) * 99 // 100, read
    worn = f"{read['zxing']} and {read['rxing']} of {len(wanted)} read by two decoders in one photograph"
    proof(f"QR codes on worn paper, {kind}, {width} mm: {worn}")


def test_the_model_of_worn_paper_is_not_kind() -> None:
    """The control: codes of four dots to a module, which others print, are mostly lost on the same paper."""
    narrow, chance, wanted = msgspec.structs.replace(load_profile("default"), module=4), chances(SEED), urls(12)
    lost = 0
    for url in wanted:
        drawn = draw(encode(Document((Qr(url),), "en"), narrow, 80), narrow.size(80).dots).picture
        lost += zxing(photographed(_with_quiet_zone(drawn), chance)) != [url]
    assert lost >= len(wanted) // 2


def _with_quiet_zone(picture: Image.Image) -> Image.Image:
    black = picture.convert("L").point([255 if shade < 128 else 0 for shade in range(256)])
    code = picture.crop(black.getbbox())
    area = Image.new("1", (code.width + 2 * QUIET_DOTS, code.height + 2 * QUIET_DOTS), 1)
    area.paste(code, (QUIET_DOTS, QUIET_DOTS))
    return area
