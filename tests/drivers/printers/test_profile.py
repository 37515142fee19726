"""Printer models as data."""

import os
from pathlib import Path

import pytest

from drivers.printers.escpos import generate_profiles
from drivers.printers.escpos.charset import charset
from drivers.printers.escpos.profile import (
    CELL_WIDTH,
    ProfileError,
    Size,
    load_profile,
    profile_names,
    read_profile,
)

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


SHEET = {  # page: slot: models, as measured over the whole database
    "cp866": {
        17: "default TM-T88III TM-T88IV TM-T88V TM-T20II TM-L90 TM-P80 ZJ-5870 Sunmi-V2 TEP-200M POS-5890 NT-5890K P822D",
        7: "RP326 TH230 TH230Plus CT-S651",
        10: "TSP600 TUP500 SP2000",
        11: "OCD-100 OCD-300",
        12: "KR-306",
    },
    "cp1251": {
        46: "default TM-T88II TM-T88V TM-T20II TM-L90 TM-P80 TEP-200M RP-F10-58mm RP-F10-80mm",
        73: "NT-5890K NT-80-V-UL P822D POS-5890 clone-58 clone-80",
        6: "RP326",
        34: "TSP600 TUP500 SP2000",
        51: "KR-306",
        12: "OCD-100 OCD-300",
        None: "TM-T88III TM-T88IV ZJ-5870 TH230 CT-S651 Sunmi-V2",
    },
}
NO_CYRILLIC = {"AF-240", "T-1", "TM-T88IV-SA", "TM-U220", "TM-U220B", "simple"}


@pytest.mark.parametrize(("codec", "slot"), [(codec, slot) for codec, slots in SHEET.items() for slot in slots])
def test_the_slots_are_those_of_the_printers(codec: str, slot: int | None) -> None:
    for name in SHEET[codec][slot].split():
        slots = {page.codec: page.slot for page in load_profile(name).pages}
        assert slots.get(codec) == slot, name


def test_the_files_are_what_the_database_gives() -> None:
    folder = Path(generate_profiles.__file__).with_name("profiles")
    assert {file.stem: file.read_text("utf-8") for file in folder.glob("*.toml")} == generate_profiles.generate()


def test_every_model_of_the_database_is_there_and_all_but_six_print_cyrillic() -> None:
    models = set(generate_profiles.capabilities())
    assert len(models) == 35
    assert models | {"clone-58", "clone-80"} == set(profile_names())
    cyrillic = {name for name in models if {page.codec for page in load_profile(name).pages} & {"cp866", "cp1251"}}
    assert models - cyrillic == NO_CYRILLIC


@pytest.mark.parametrize("name", profile_names())
def test_pages_are_right_by_the_database_and_the_best_text_comes_first(name: str) -> None:
    profile = load_profile(name)
    model = generate_profiles.capabilities().get(name)
    for page in profile.pages if model else ():
        assert page.codec == "ascii" or model["codePages"][str(page.slot)].lower().replace("rk", "kz") in page.codec
    codecs = [page.codec for page in profile.pages]
    assert len(set(codecs)) == len(codecs)
    assert codecs[0] == "cp1251" or "cp1251" not in codecs


@pytest.mark.parametrize("name", profile_names())
def test_sizes_make_sense(name: str) -> None:
    profile = load_profile(name)
    assert set(profile.paper) <= {"58", "80"}
    for size in profile.paper.values():
        assert size.columns * CELL_WIDTH <= size.dots <= (profile.head or size.dots)
        assert size.columns <= size.small_columns <= size.dots // 8


def test_the_default_is_for_any_printer() -> None:
    default = load_profile("default")
    assert default.size(80) == Size(dots=512, columns=42, small_columns=56)
    assert default.size(58) == Size(dots=384, columns=32, small_columns=42)
    assert not default.user_glyphs
    assert default.native_qr
    assert load_profile("TM-T20II").size(80) == Size(dots=576, columns=48, small_columns=64)
    assert load_profile("TM-T88V").size(58) == Size(dots=360, columns=30, small_columns=40)  # 180 dots an inch


def test_case_does_not_matter_and_a_profile_is_read_once() -> None:
    assert load_profile("tm-t20ii") is load_profile("TM-T20II")


def test_a_stores_own_profile_goes_before_ours(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "DEFAULT.toml").write_text(GOOD.replace("Mine", "Ours"))
    assert load_profile("Mine", tmp_path).title == "Mine"
    assert load_profile("default", tmp_path).title == "Ours"
    assert load_profile("simple", tmp_path) == load_profile("simple")
    assert load_profile("default").title == "Any Epson-compatible printer"
    assert {"mine", "DEFAULT", "simple"} <= set(profile_names(tmp_path))


def test_a_profile_that_has_changed_is_read_again(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(GOOD)
    assert load_profile("mine", tmp_path).pages[0].slot == 17
    mine.write_text(GOOD.replace("17", "7"))
    os.utime(mine, ns=(1, 1))
    assert load_profile("mine", tmp_path).pages[0].slot == 7


def test_a_damaged_profile_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("title = 1")
    with pytest.raises(ProfileError, match=r"mine\.toml: .*title"):
        load_profile("mine", tmp_path)


def test_a_wrong_name_or_width_is_named() -> None:
    with pytest.raises(LookupError, match="did you mean 'POS-5890'"):
        load_profile("pos5890")
    with pytest.raises(LookupError, match="there are AF-240, clone-58"):
        load_profile("../../etc/passwd")
    with pytest.raises(LookupError, match="no 80 mm paper, only 58 mm"):
        load_profile("POS-5890").size(80)


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
    assert charset("cp866").spell("«Ё» № — 5 ₽ → і") == '"Ё" № - 5 р. > і'
    assert charset("cp1251").spell("«Ё» № — 5 ₽ → і") == "«Ё» № — 5 р. > і"
    assert charset("cp437").spell("№ — 5 ₽ →") == "No - 5 RUB >"
    assert charset("cp858").spell("«5 €» café") == "«5 €» café"


@pytest.mark.parametrize("codec", sorted({page.codec for name in profile_names() for page in load_profile(name).pages}))
def test_no_page_gives_a_byte_that_a_printer_obeys(codec: str) -> None:
    every = "".join(map(chr, range(0x3000)))
    encoded = [charset(codec).encode(char) for char in every]
    assert min(code[0] for code in encoded if code) == 0x20
    assert all(len(code) == 1 and code != b"\x7f" for code in encoded if code)
    assert charset(codec).encode("a\x1bb") is None
