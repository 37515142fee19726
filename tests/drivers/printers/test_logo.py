"""Logos: pictures of any kind in, dots out, and files that are none refused."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from drivers.printers.escpos.commands import RealTime
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.errors import LogoError
from drivers.printers.escpos.logo import FILE_LIMIT, HEIGHT_LIMIT, load
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from drivers.printers.escpos.raster import Picture
from receipt_templates.document import Document, Logo, Text


def saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


def ring(mode: str = "L", size: tuple[int, int] = (100, 60)) -> Image.Image:
    picture = Image.new(mode, size, "white")
    ImageDraw.Draw(picture).ellipse((10, 10, size[0] - 11, size[1] - 11), outline="black", width=4)
    return picture


def black(picture: Picture) -> int:
    return sum(byte.bit_count() for byte in picture.dots)


@pytest.mark.parametrize("kind", ["png", "bmp", "jpg"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_each_kind_of_file_gives_the_same_ring(tmp_path: Path, kind: str, mode: str) -> None:
    if (kind, mode) == ("jpg", "P"):
        return
    logo = load(saved(ring("RGB").convert(mode), tmp_path / f"logo.{kind}"), 384)
    expected = load(saved(ring("1"), tmp_path / "ring.png"), 384)
    assert abs(logo.height - expected.height) <= 2
    assert abs(black(logo) - black(expected)) < black(expected) // 10


def test_white_margins_are_cut_off(tmp_path: Path) -> None:
    logo = load(saved(ring("1"), tmp_path / "logo.png"), 384)
    assert (logo.stride, logo.height) == (10, 40)


def test_what_is_transparent_is_paper(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((8, 8, 15, 15), fill=(0, 0, 0, 255))
    assert load(saved(picture, tmp_path / "logo.png"), 384) == Picture(1, 8, b"\xff" * 8)


def test_shades_become_dots(tmp_path: Path) -> None:
    logo = load(saved(Image.new("L", (80, 80), 128), tmp_path / "logo.png"), 384)
    assert 0.4 < black(logo) / 6400 < 0.6


@pytest.mark.parametrize("size", [(2000, 500), (300, 3000), (4000, 4000), (1, 16_000)])
def test_a_big_picture_is_made_to_fit(tmp_path: Path, size: tuple[int, int]) -> None:
    logo = load(saved(Image.new("1", size), tmp_path / "logo.png"), 384)
    assert logo.stride <= 48
    assert logo.height <= HEIGHT_LIMIT
    assert len(logo.dots) == logo.stride * logo.height


def test_a_turned_photograph_is_turned_back(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    logo = load(saved(Image.new("L", (160, 80), "black"), tmp_path / "logo.jpg", exif=exif), 384)
    assert (logo.stride, logo.height) == (10, 160)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9999))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a PNG"),
        (b"GIF89a", "not a PNG"),
        (b"<svg/>", "not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "not a PNG"),
        (bytes(FILE_LIMIT + 1), "8000001 bytes"),
        (bomb(5000, 5000), "5000x5000 dots are too many"),
        (bomb(10_000, 10_000), "too many dots"),
        (bomb(60_000, 60_000), "too many dots"),
        (bomb(3000, 3000), "not a PNG"),
    ],
)
def test_what_is_no_logo_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(content)
    with pytest.raises(LogoError, match=said) as refusal:
        load(path, 384)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_and_a_blank_one_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(LogoError, match="not a file"):
        load(tmp_path / "pipe.png", 384)
    with pytest.raises(LogoError, match="No such file"):
        load(tmp_path / "logo.png", 384)
    with pytest.raises(LogoError, match="not a file"):
        load(tmp_path, 384)
    with pytest.raises(LogoError, match="white, or nearly"):
        load(saved(Image.new("L", (50, 50), 250), tmp_path / "white.png"), 384)


@settings(max_examples=60)
@given(st.sampled_from(["PNG", "BMP", "JPEG"]), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255))))
def test_a_damaged_file_is_a_picture_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, kind: str, damage: list[tuple[int, int]]
) -> None:
    file = BytesIO()
    ring("RGB").save(file, kind)
    content = bytearray(file.getvalue())
    for at, byte in damage:
        content[at % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        logo = load(path, 384)
    except LogoError:
        return
    assert len(logo.dots) == logo.stride * logo.height


def test_a_logo_stands_in_the_middle_and_spells_no_command() -> None:
    logo = Picture(6, 300, bytes([0xFF, 0x81, 0x10, 0x04, 0x18, 0x10] * 300))
    document = Document((Text("above"), Logo(), Text("below")), "en")
    job = encode(document, load_profile("default"), 58, logo)
    assert RealTime().feed(job) == []
    paper = draw(job, 384)
    assert paper.faults == ()
    assert paper.text.split("\n")[0] == "above"
    left, _, right, _ = paper.picture.crop((0, 60, 384, 300)).point(lambda dot: 255 - dot).getbbox() or (0, 0, 0, 0)
    assert abs(left - (384 - right)) <= 8


def test_no_logo_and_one_that_does_not_fit_leave_the_slip_whole() -> None:
    document = Document((Logo(), Text("text")), "en")
    for name, logo in [
        ("default", None),
        ("default", Picture(60, 10, b"\xff" * 600)),
        ("TM-U220", Picture(1, 1, b"1")),
    ]:
        profile = load_profile(name)
        width = int(min(profile.paper))
        assert draw(encode(document, profile, width, logo), profile.size(width).dots).text.split() == ["text"]
