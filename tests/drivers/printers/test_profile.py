"""Printer models as data."""

import pytest

from drivers.printers.escpos.charset import charset
from drivers.printers.escpos.profile import ProfileError, Size, load_profile, profile_names, read_profile
from drivers.printers.escpos.slots import SLOTS

GOOD = """
title = "Mine"
native_qr = true
cutter = "partial"
[[page]]
codec = "cp866"
slot = 17
[paper.58]
dots = 384
columns = 32
"""


@pytest.mark.parametrize("name", profile_names())
def test_each_shipped_profile_names_slots_that_printers_have(name: str) -> None:
    profile = load_profile(name)
    assert all(SLOTS[page.slot] == page.codec for page in profile.pages)
    assert set(profile.paper) <= {"58", "80"}


def test_the_default_is_for_any_printer() -> None:
    default = load_profile("default")
    assert (default.pages[0].codec, default.pages[0].slot) == ("cp866", 17)
    assert default.size(80) == Size(dots=512, columns=42)
    assert default.size(58) == Size(dots=384, columns=32)
    assert load_profile("tm-t20ii").size(80) == Size(dots=576, columns=48)


def test_a_wrong_name_or_width_is_named() -> None:
    with pytest.raises(LookupError, match="did you mean 'pos-5890'"):
        load_profile("pos5890")
    with pytest.raises(LookupError, match="there are default"):
        load_profile("../../etc/passwd")
    with pytest.raises(LookupError, match="no 80 mm paper, only 58 mm"):
        load_profile("pos-5890").size(80)


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('title = "Mine"', "", "title"),
        ("native_qr", "native_qrcode", "native_qrcode"),
        ('"partial"', '"scissors"', "scissors"),
        ("slot = 17", "slot = 256", "slot"),
        ("cp866", "cp86", "unknown codec 'cp86'"),
        ("columns = 32", "columns = 33", "33 columns of 12 dots do not fit into 384"),
        ("dots = 384", "dots = true", "int"),
        ("[[page]]", "[page]", "page"),
        ("[paper.58]", "[paper.58", "line"),
    ],
)
def test_a_profile_with_a_mistake_is_refused(old: str, new: str, mistake: str) -> None:
    assert read_profile(GOOD).title == "Mine"
    with pytest.raises(ProfileError, match=mistake):
        read_profile(GOOD.replace(old, new))


def test_stand_ins_are_used_only_where_the_page_lacks_the_letter() -> None:
    assert charset("cp866").spell("«Ё» № — 5 ₽ → і") == '"Ё" № - 5 р. > i'
    assert charset("cp1251").spell("«Ё» № — 5 ₽ → і") == "«Ё» № — 5 р. > і"
    assert charset("cp437").spell("№ — 5 ₽ →") == "No - 5 RUB >"
    assert charset("cp858").spell("«5 €» café") == "«5 €» café"


@pytest.mark.parametrize("codec", sorted(set(SLOTS.values())))
def test_no_page_gives_a_byte_that_a_printer_obeys(codec: str) -> None:
    every = "".join(map(chr, range(0x3000)))
    encoded = [charset(codec).encode(char) for char in every]
    assert min(code[0] for code in encoded if code) == 0x20
    assert all(len(code) == 1 and code != b"\x7f" for code in encoded if code)
    assert charset(codec).encode("a\x1bb") is None
