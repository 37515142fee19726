"""Pictures as commands."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from drivers.printers.escpos.commands import RealTime, split
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.raster import Picture


@given(st.lists(st.sampled_from([0x10, 0x04, 0x05, 0x14, 0x00, 0xFF]), min_size=1, max_size=64), st.booleans())
def test_no_picture_spells_a_real_time_command(dots: list[int], doubled: bool) -> None:
    command = Picture(1, len(dots), bytes(dots)).command(doubled)
    assert RealTime().feed(command + b"\x01\x01\x01\x01") == []
    changed = sum((a ^ b).bit_count() for a, b in zip(command[8:], dots, strict=True))
    assert changed == sum(a == 0x10 and b in (4, 5, 20) for a, b in pairwise(dots))


@given(st.integers(1, 72), st.sampled_from([1, 16, 254, 255, 256, 510, 1040, 1296, 5136]), st.sampled_from(b"\x10\x04"))
def test_neither_does_its_size(stride: int, height: int, dot: int) -> None:
    """1040 dots would be 10 04 in the header, so a high picture goes out in strips."""
    job = Picture(stride, height, bytes([dot]) * stride * height).command()
    assert RealTime().feed(job) == []
    strips = split(job)
    assert {strip.name for strip in strips} == {"GS v 0"}
    assert sum(int.from_bytes(strip.args[3:5], "little") for strip in strips) == height


def test_strips_join_without_a_gap() -> None:
    dots = bytes(range(1, 256)) * 6
    whole = draw(Picture(3, 510, dots).command(), 24).picture
    assert whole.size == (24, 510)
    assert bytes(255 - byte for byte in whole.tobytes()) == dots.replace(b"\x10\x04", b"\x30\x04")


@given(st.integers(1, 3), st.lists(st.sampled_from([0, 0, 1, 128]), min_size=3, max_size=30))
def test_trimming_loses_no_dot(stride: int, dots: list[int]) -> None:
    height = len(dots) // stride
    picture = Picture(stride, height, bytes(dots[: height * stride]))
    above, ink, below = picture.trimmed()
    assert bytes(above * stride) + ink.dots + bytes(below * stride) == picture.dots
    assert above + ink.height + below == height
    assert not ink.dots or (any(ink.dots[:stride]) and any(ink.dots[-stride:]))
