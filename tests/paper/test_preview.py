"""What a preview shows is what the paper says: read off the wire by other code, printed by the virtual printer, given to a POS."""

import json
import queue
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

import pytest
import zxingcpp
from click.testing import CliRunner
from PIL import Image

from agent.cli import main
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from drivers.virtual import printer
from drivers.virtual.control import call
from receipt_templates.layout import TextRow, lay_out, slip_lines
from receipt_templates.templates import example, names, render
from tests.paper import wire
from tests.paper.camera import QUIET_DOTS, chances, photographed
from tests.paper.readers import rxing, zxing

LANGUAGES, WIDTHS = ("ru", "en"), (58, 80)
SLIPS = [(name, language, width) for name in names() for language in LANGUAGES for width in WIDTHS]
WITH_QR = [(name, language) for name in names() for language in LANGUAGES if "qr" in example(name, language)]
STAND_INS = str.maketrans(
    {"₽": "р.", "→": ">", "×": "x", "−": "-", "—": "-", "–": "-", "•": "*", "\xa0": " "} | dict.fromkeys("«»“”", '"')
)
DRAWN = re.compile(r"[█░#.■X\[\]]+")  # bars and stamps, by a printer that has blocks and by one that has not

Made = Callable[[str, str, int], tuple[bytes, str, bytes]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """`tillmate receipt render`: the bytes, the text and the PNG of a slip."""

    def make(name: str, language: str, width: int) -> tuple[bytes, str, bytes]:
        files = [tmp_path / f"slip.{kind}" for kind in ("bin", "txt", "png")]
        words = [
            "--width",
            str(width),
            "--language",
            language,
            "--out",
            files[0],
            "--text",
            files[1],
            "--png",
            files[2],
        ]
        done = CliRunner().invoke(main, ["receipt", "render", name, *map(str, words)], env={"TILLMATE_CONFIG": ""})
        assert done.exit_code == 0, done.output
        return files[0].read_bytes(), files[1].read_text("utf-8"), files[2].read_bytes()

    return make


@pytest.fixture(scope="module")
def slots() -> dict[int, str]:
    """Of the model `default`, in the capability data of python-escpos."""
    spec = find_spec("escpos")
    assert spec is not None
    assert spec.origin is not None
    data = json.loads((Path(spec.origin).parent / "capabilities.json").read_text("utf-8"))
    codecs = {name: page["python_encode"] for name, page in data["encodings"].items() if "python_encode" in page}
    pages = data["profiles"]["default"]["codePages"]
    return {int(slot): codecs[page] for slot, page in pages.items() if page in codecs}


@pytest.mark.parametrize(("name", "language", "width"), SLIPS)
def test_a_preview_says_line_for_line_what_the_bytes_say(
    made: Made, slots: dict[int, str], name: str, language: str, width: int
) -> None:
    job, text, png = made(name, language, width)
    assert [line.split() for line in text.splitlines() if line.strip()] == wire.lines(job, slots)
    paper = draw(job, load_profile("default").size(width).dots, slots)
    assert (paper.text, paper.faults) == (text, ())
    assert Image.open(BytesIO(paper.png())).tobytes() == Image.open(BytesIO(png)).tobytes()


def in_words(lines: list[str]) -> list[str]:
    """Words with stand-ins for what a code page may lack, without what is drawn of blocks."""
    return [word for line in lines for word in line.translate(STAND_INS).split() if not DRAWN.fullmatch(word)]


@pytest.mark.parametrize(("name", "language", "width"), SLIPS)
def test_a_pos_gets_the_lines_of_the_preview(
    made: Made, slots: dict[int, str], name: str, language: str, width: int
) -> None:
    """Every word, in its order; and a line in letters of normal size that the code page has is the same line.

    A no-break space, which keeps a number and its unit together, is a blank on the paper.
    """
    job, text, _ = made(name, language, width)
    document, columns = render(name, language, example(name, language)), load_profile("default").size(width).columns
    lines = slip_lines(document, columns)
    assert in_words(lines) == in_words(text.splitlines())
    codec = slots[job[job.index(b"\x1bt") + 2]]
    normal = [
        row for row in lay_out(document, columns) if isinstance(row, TextRow) and row.font == "A" and row.width == 1
    ]
    same = [
        line.replace("\xa0", " ")
        for row in normal
        if (line := row.line(columns)) and line.encode(codec, "ignore").decode(codec) == line
    ]
    assert len(same) >= 4
    printed: Iterator[str] = iter(text.splitlines())
    assert [line for line in same if line not in printed] == []


def test_the_virtual_printer_prints_the_preview(made: Made, tmp_path: Path) -> None:
    """Every slip, one after the other over TCP: its files are the preview, letter for letter and dot for dot."""
    for width in WIDTHS:
        slips = [made(name, language, width) for name in names() for language in LANGUAGES]
        dots, out = load_profile("default").size(width).dots, tmp_path / f"paper{width}"
        ready, stop = queue.Queue[str](), Event()
        thread = Thread(
            target=printer.run, args=(printer.Options(out=str(out), dots=dots), stop, ready.put), daemon=True
        )
        thread.start()
        _, device, control = (word.partition("=")[2] or word for word in ready.get(timeout=5).split())
        host, _, port = device.rpartition("//")[2].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as wire_to:
            wire_to.sendall(b"".join(job for job, _, _ in slips))
            deadline, tick = 100, Event()
            while call(control, {"do": "state"})["receipts"] != len(slips):
                assert (deadline := deadline - 1), "not all were printed"
                tick.wait(0.1)
        stop.set()
        thread.join(2)
        for number, (_, text, png) in enumerate(slips, 1):
            assert (out / f"{number:04}.txt").read_text("utf-8") == text
            assert (out / f"{number:04}.png").read_bytes() == png


@pytest.mark.parametrize("width", WIDTHS)
def test_the_code_of_every_template_is_read_fresh_and_worn(
    made: Made, width: int, size: Callable[[int, int], int]
) -> None:
    """As a customer points a phone at it, with the lines above and below in the picture: 99 of 100 by each decoder."""
    chance, lost, photographs = chances(width), Counter[str](), size(2, 40)
    for name, language in WITH_QR:
        paper = Image.open(BytesIO(made(name, language, width)[2])).convert("L")
        wanted = example(name, language)["qr"]
        assert zxing(paper) == [wanted]
        part = around_the_code(paper)
        for photograph in (photographed(part, chance) for _ in range(photographs)):
            lost["zxing"] += zxing(photograph) != [wanted]
            lost["rxing"] += wanted not in rxing(photograph)
    assert max(lost.values()) <= max(len(WITH_QR) * photographs // 100, 1), lost


def around_the_code(paper: Image.Image) -> Image.Image:
    """The widest square of ink on the paper, and a little more than its quiet zone around it."""
    (code,) = zxingcpp.read_barcodes(paper, formats=zxingcpp.BarcodeFormat.QRCode)
    place, room = code.position, 2 * QUIET_DOTS
    box = (place.top_left.x - room, place.top_left.y - room, place.bottom_right.x + room, place.bottom_right.y + room)
    whole = Image.new("L", (box[2] - box[0], box[3] - box[1]), 255)
    whole.paste(paper.crop(box))
    return whole
