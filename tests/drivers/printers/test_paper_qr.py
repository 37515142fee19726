"""A QR code that came over the line with bytes missing is told from a whole one, and from pictures that are none."""

from io import BytesIO

import pytest
import segno
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drivers.printers.escpos.paper import Paper, draw

FAULT = "a damaged QR code"


def raster(payload: str, module: int, border: int = 0) -> tuple[bytes, int, int]:
    """The dots of a QR code, the bytes of a row and the rows."""
    rows = list(segno.make(payload, error="m", micro=False).matrix_iter(scale=module, border=border))
    stride = (len(rows[0]) + 7) // 8
    dots = b"".join(
        int("".join(str(dot) for dot in row).ljust(stride * 8, "0"), 2).to_bytes(stride, "big") for row in rows
    )
    return dots, stride, len(rows)


def job(dots: bytes, stride: int, height: int) -> bytes:
    return b"\x1dv0\x00" + stride.to_bytes(2, "little") + height.to_bytes(2, "little") + dots


def scanned(paper: Paper) -> list[str]:
    picture = Image.open(BytesIO(paper.png())).convert("L")
    return [code.text for code in zxingcpp.read_barcodes(picture)]


@given(st.text("ABCDEFGHIJ0123456789:/.", min_size=1, max_size=120), st.integers(2, 6), st.integers(0, 4))
def test_a_whole_code_is_never_blamed(payload: str, module: int, border: int) -> None:
    paper = draw(job(*raster(payload, module, border)), 576)
    assert FAULT not in paper.faults


@pytest.mark.parametrize("lost", [1, 3, 8])
@pytest.mark.parametrize("place", [0.3, 0.35, 0.4, 0.5])
def test_lost_bytes_are_seen(place: float, lost: int) -> None:
    """What follows fills the picture up, as on a real printer."""
    dots, stride, height = raster("HTTPS://BONUS.ZERNO.RU/E/ABCDEFGHIJKLMNOP", 6)
    at = int(len(dots) * place)
    stream = job(dots[:at] + dots[at + lost :], stride, height) + b"Text\n" * 4
    paper = draw(stream, 576)
    assert FAULT in paper.faults
    assert scanned(paper) == []


def test_missing_rows_are_seen() -> None:
    dots, stride, height = raster("HTTPS://BONUS.ZERNO.RU", 6)
    half = stride * height // 2
    paper = draw(job(dots[:half] + bytes(len(dots) - half), stride, height), 576)
    assert (paper.faults, scanned(paper)) == ((FAULT,), [])


def test_strips_of_a_code_and_other_pictures_are_not_blamed() -> None:
    dots, stride, height = raster("HTTPS://BONUS.ZERNO.RU", 6)
    half = height // 2
    strips = job(dots[: half * stride], stride, half) + job(dots[half * stride :], stride, height - half)
    paper = draw(strips, 576)
    assert (paper.faults, scanned(paper)) == ((), ["HTTPS://BONUS.ZERNO.RU"])
    square = Image.new("1", (63, 63), 1)
    square.paste(0, (9, 9, 54, 54))
    square.paste(1, (18, 18, 45, 45))
    for picture in (square, Image.new("1", (64, 64), 1), Image.new("1", (64, 64), 0)):
        assert FAULT not in draw(job(picture.tobytes(), 8, picture.height), 576).faults
