"""What encoders of others send prints right on the virtual paper: text, picture, and the QR code read from the pixels.

python-escpos makes its streams here and now; those of the npm encoders are kept in tests/recordings/printing, with the
script that remakes them. What these encoders get wrong themselves is asserted as theirs.
"""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageChops, ImageDraw

from drivers.printers.escpos.paper import Paper, draw, slots_of

RECORDINGS = Path(__file__).parents[2] / "recordings/printing"
URL = "https://bonus.zerno.ru/e/ABCDEFGH234567"
SIDE = 64

PYTHON_ESCPOS = """
import itertools, sys
from pathlib import Path
from escpos.printer import Dummy
from PIL import Image

folder, url = Path(sys.argv[1]), sys.argv[2]
logo = Image.open(folder / "logo.png")

def save(name, profile, page, native, impl):
    printer = Dummy(profile=profile)
    if page:
        printer.charcode(page)
    printer.image(logo, impl=impl)
    printer.set(align="center", bold=True, double_height=True, double_width=True)
    printer.text("КОФЕЙНЯ ЗЕРНО\\n")
    printer.set(align="left", bold=False, normal_textsize=True)
    printer.text("Съешь ещё этих мягких булок\\n")
    printer.text("Чек №118 «Малый» — 259,80 ₽\\n")
    printer.qr(url, native=native, size=6)
    printer.barcode("460123456789", "EAN13", function_type="A" if profile == "TM-T88III" else "B")
    printer.cut()
    (folder / f"{name}.bin").write_bytes(printer.output)

for profile in ("default", "TM-T88III", "TM-T88V", "POS-5890"):
    save(f"{profile} native", profile, "", True, "bitImageRaster")
    save(f"{profile} image", profile, "", False, "bitImageColumn")
for page in ("CP866", "CP1251", "CP855"):
    save(f"default {page}", "default", page, True, "graphics")
save("POS-5890 CP1251", "POS-5890", "CP1251", True, "bitImageRaster")
"""
DOTS = {"default": 512, "TM-T88III": 512, "TM-T88V": 512, "POS-5890": 384}
LOST = {  # letters that the library has no way to print, by the page it was told to use
    "": "₽",
    "CP866": "«»—₽",
    "CP1251": "₽",
    "CP855": "—₽",
}


def logo() -> Image.Image:
    """The picture in the streams: a frame of 8 dots and a square of 16 in the middle."""
    picture = Image.new("1", (SIDE, SIDE), 0)
    brush = ImageDraw.Draw(picture)
    brush.rectangle((8, 8, SIDE - 9, SIDE - 9), fill=1)
    brush.rectangle((24, 24, 39, 39), fill=0)
    return picture


def shows_logo(paper: Paper) -> bool:
    """The picture stands on top of the paper, dot by dot."""
    ink = ImageChops.invert(paper.picture.convert("L"))
    _, top, _, _ = ink.getbbox() or (0, 0, 0, 0)
    left, _, _, _ = ink.crop((0, top, ink.width, top + SIDE)).getbbox() or (0, 0, 0, 0)
    found = paper.picture.crop((left, top, left + SIDE, top + SIDE))
    return found.tobytes() == logo().tobytes()


def scanned(paper: Paper) -> set[str]:
    picture = Image.open(BytesIO(paper.png())).convert("L")
    return {code.text for code in zxingcpp.read_barcodes(picture)}


def without(letters: str, text: str) -> str:
    return "".join("?" if char in letters else char for char in text)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of streams, fresh from python-escpos."""
    folder = tmp_path_factory.mktemp("streams")
    logo().save(folder / "logo.png")
    environment = os.environ | {"ESCPOS_CAPABILITIES_PICKLE_DIR": str(folder)}
    client = [sys.executable, "-P", "-W", "ignore", "-c", PYTHON_ESCPOS, str(folder), URL]
    done = subprocess.run(client, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("name", "page"),
    [
        *((f"{profile} {qr}", "") for profile in DOTS for qr in ("native", "image")),
        *((f"default {page}", page) for page in ("CP866", "CP1251", "CP855")),
        ("POS-5890 CP1251", "CP1251"),
    ],
)
def test_python_escpos(streams: Path, name: str, page: str) -> None:
    profile = name.split()[0]
    stream = (streams / f"{name}.bin").read_bytes()
    paper = draw(stream, DOTS[profile], slots_of(profile))
    lines = [line.strip() for line in paper.text.splitlines() if line.strip()]
    assert [line for line in lines if line[0] != "["] == [
        "КОФЕЙНЯ ЗЕРНО",
        "Съешь ещё этих мягких булок",
        without(LOST[page], "Чек №118 «Малый» — 259,80 ₽"),
    ]
    assert shows_logo(paper)
    assert scanned(paper) == {URL, "4601234567893"}
    assert (f"[qr {URL}]" in lines) == (not name.endswith("image"))
    assert paper.faults == ()


RECEIPTLINE = [
    ("receiptline-epson-48", 576, "", ["Капучино «Малый» — 2 ×                  259,80 ₽", "129,90"]),
    ("receiptline-escpos-42", 512, "", ["Капучино «Малый» — 2              259,80 ₽", " × 129,90"]),
    ("receiptline-generic-32", 384, "«»—×", ["Капучино «Малый         259,80 ₽", "» — 2 × 129,90"]),
]


@pytest.mark.parametrize(("name", "dots", "lost", "item"), RECEIPTLINE, ids=[case[0] for case in RECEIPTLINE])
def test_receiptline(name: str, dots: int, lost: str, item: list[str]) -> None:
    paper = draw((RECORDINGS / f"{name}.bin").read_bytes(), dots)
    columns = dots // 12
    lines = paper.text.splitlines()
    assert lines[1].strip() == "КОФЕЙНЯ ЗЕРНО"
    assert lines[2].strip() == "Съешь ещё этих мягких булок"
    assert lines[3] == "Чек №118" + "21.11.2026 14:05".rjust(columns - 8)
    assert lines[4] == "─" * columns
    assert lines[5:7] == [without(lost + "₽", line) for line in item]
    assert lines[7].split() == ["ИТОГО", "259,80"]
    assert lines[8].split() == ["Начислено", "12", "бонусов"]
    assert shows_logo(paper)
    assert scanned(paper) == {URL}
    assert paper.faults == ()


ENCODER = [
    ("encoder-tm-t88v-auto", 512, "TM-T88V", ""),
    ("encoder-tm-t20iii-cp866", 576, "TM-T20II", "«»—"),
    ("encoder-pos-5890-auto", 384, "POS-5890", ""),
    ("encoder-columns-cp1251", 512, "epson", ""),
]


@pytest.mark.parametrize(("name", "dots", "model", "lost"), ENCODER, ids=[case[0] for case in ENCODER])
def test_receipt_printer_encoder(name: str, dots: int, model: str, lost: str) -> None:
    paper = draw((RECORDINGS / f"{name}.bin").read_bytes(), dots, slots_of(model))
    lines = [line for line in paper.text.splitlines() if line and not line.startswith("[picture")]
    assert [line.strip() for line in lines] == [
        "КОФЕЙНЯ ЗЕРНО",
        "Съешь ещё этих мягких булок",
        "Чек №118  21.11.2026 14:05",
        "─" * (dots // 12),
        without(lost + "₽", "Капучино «Малый» —    259,80 ₽"),
        "ИТОГО 259,80",
        "Начислено 12 бонусов",
        f"[qr {URL}]",
        "[barcode 4601234567893]",
    ]
    assert shows_logo(paper)
    assert scanned(paper) == {URL, "4601234567893"}
    assert paper.faults == ()
