"""From document to paper: the bytes are drawn by code that shares nothing with the encoder, and read back."""

import string
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageChops

from drivers.printers.escpos.commands import RealTime, split
from drivers.printers.escpos.encoder import encode, qr_module
from drivers.printers.escpos.paper import Roll, draw
from drivers.printers.escpos.profile import Profile, load_profile, profile_names
from drivers.printers.escpos.raster import Picture
from receipt_templates.document import QR_LIMIT, Columns, Document, Progress, Qr, Rule, Text
from receipt_templates.templates import render

Slip = Callable[..., Document]

PAPERS = [(name, int(width)) for name in profile_names() for width in sorted(load_profile(name).paper)]
ALLOWED = {"ESC @", "ESC t", "ESC !", "ESC a", "ESC $", "ESC J", "ESC d", "GS W", "GS V", "GS v 0", "GS ( k", "FS ."}
CYRILLIC = "".join(map(chr, range(0x0410, 0x0450))) + "Ёё"


def names(job: bytes) -> list[str]:
    return [command.name for command in split(job)]


def printed(job: bytes, profile: Profile, width: int) -> str:
    paper = draw(job, profile.size(width).dots)
    assert paper.faults == ()
    return paper.text


@pytest.mark.parametrize(("name", "width"), PAPERS)
@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("kind", ["member", "guest"])
def test_a_job_is_whole_and_comes_out_without_a_fault(
    slip: Slip, kind: str, language: str, name: str, width: int
) -> None:
    profile = load_profile(name)
    job = encode(slip(language, kind), profile, width)
    commands = split(job)
    assert job.startswith(b"\x1b@")
    assert {"text", "LF"} <= {command.name for command in commands} <= ALLOWED | {"text", "LF"}
    assert [names(job).count(once) for once in ("ESC @", "ESC t")] == [1, 1]
    assert commands[-1].raw == {"partial": b"\x1dVB\x00", "none": b"\x1bd\x04"}[profile.cutter]
    assert names(job).count("GS V") == (profile.cutter != "none")
    assert RealTime().feed(job) == []
    assert "?" not in printed(job, profile, width)


def test_what_a_member_reads_at_58_mm(slip: Slip) -> None:
    default = load_profile("default")
    assert printed(encode(slip("ru", "member"), default, 58), default, 58) == (
        "             Зерно\n"
        "Чек № 118       21.11.2026 14:05\n"
        "--------------------------------\n"
        "Сумма                  500,00 р.\n"
        "Бонусами              -212,00 р.\n"
        "Оплачено               213,00 р.\n"
        "--------------------------------\n"
        "Начислено              +2 бонуса\n"
        "          Теперь у вас\n"
        "      90 бонусов\n"
        "\n"
        "Уровень                  Базовый\n"
        "   ████████████████░░░░ 80 %\n"
        '  До "Серебряного" - 1 покупка\n'
        "\n"
        "      Спасибо за покупку!\n"
    )


def test_what_a_guest_reads_at_80_mm(slip: Slip) -> None:
    profile = load_profile("tm-t20ii")
    assert printed(encode(slip("en", "guest"), profile, 80), profile, 80).splitlines()[-8:] == [
        "               25 points",
        "      Point your phone camera at the code",
        "             and enter your number",
        "[qr HTTPS://BONUS.ZERNO.RU/E/ABCDEFGHABCDEFGHABCDEFGHABCDEFGH]",
        "                 bonus.zerno.ru",
        "    The code is valid until 5 December 2026",
        "",
        "                   Thank you!",
    ]


@pytest.mark.parametrize(("name", "width"), PAPERS)
def test_the_qr_code_is_read_from_the_pixels(
    slip: Slip, read_codes: Callable[[bytes], list[str]], name: str, width: int
) -> None:
    profile = load_profile(name)
    paper = draw(encode(slip("ru", "guest"), profile, width), profile.size(width).dots)
    assert read_codes(paper.png()) == ["HTTPS://BONUS.ZERNO.RU/E/" + "ABCDEFGH" * 4]


@pytest.mark.parametrize("name", ["default", "simple"])
def test_the_qr_code_stands_in_the_middle_with_its_quiet_zone(name: str) -> None:
    """Six dots a module, four white modules all around: measured on the picture, native and drawn alike."""
    profile = load_profile(name)
    document = Document((Rule("="), Qr("HTTPS://BONUS.ZERNO.RU/E/" + "A" * 32), Rule("=")), "en")
    picture = ImageChops.invert(draw(encode(document, profile, 58), 384).picture.convert("L"))
    side = 29 * 6
    rows = [y for y in range(picture.height) if picture.crop((0, y, 24, y + 1)).getbbox()]
    top = max(y for y in rows if y < 60) + 1
    bottom = min(y for y in rows if y > 60)
    left, upper, right, lower = picture.crop((0, top, 384, bottom)).getbbox() or (0, 0, 0, 0)
    assert (right - left, lower - upper) == (side, side)
    assert abs(left - (384 - right)) <= 2
    assert upper >= 24
    assert bottom - top - lower >= 24


def test_a_native_code_is_model_2_of_level_m_with_six_dots() -> None:
    job = encode(Document((Qr("HTTPS://A/E/B"),), "en"), load_profile("default"), 80)
    told = [command.args[2:] for command in split(job) if command.name == "GS ( k"]
    assert told == [b"1A2\x00", b"1C\x06", b"1E1", b"1P0HTTPS://A/E/B", b"1Q0"]


def test_the_printer_is_left_plain_for_whoever_prints_next() -> None:
    document = Document((Text("end", bold=True, width=2, height=2, align="center"),), "en")
    job = encode(document, load_profile("default"), 58)
    pieces = Roll(384)
    for command in split(job):
        pieces.carry_out(command)
    for command in split(b"next\n"):
        pieces.carry_out(command)
    after = pieces.tear()
    assert (after.text, after.picture.height) == ("next\n", 30)
    assert after.picture.tobytes() == draw(b"next\n", 384).picture.tobytes()


@pytest.mark.parametrize(
    ("size", "dots", "module"), [(57, 384, 6), (180, 384, 6), (181, 384, 5), (QR_LIMIT, 384, 4), (QR_LIMIT, 504, 6)]
)
def test_a_bigger_code_gets_smaller_modules_and_still_fits(size: int, dots: int, module: int) -> None:
    payload = ("https://a.ru/" + string.ascii_letters * 8)[:size]
    assert qr_module(payload, dots, 6) == module
    paper = draw(encode(Document((Qr(payload),), "en"), load_profile("default"), 58 if dots == 384 else 80), 512)
    assert paper.faults == ()


@pytest.mark.parametrize("payload", ["https://пример.рф/е/Ё", "HTTPS://A/E/B", "a" * QR_LIMIT])
@pytest.mark.parametrize("name", ["default", "simple"])
def test_any_payload_is_read_back(read_codes: Callable[[bytes], list[str]], payload: str, name: str) -> None:
    job = encode(Document((Qr(payload),), "ru"), load_profile(name), 58)
    assert read_codes(draw(job, 384).png()) == [payload]


@pytest.mark.parametrize(("name", "width"), [("default", 80), ("tm-t20ii", 80), ("pos-5890", 58)])
def test_every_russian_letter_is_in_the_page(name: str, width: int) -> None:
    profile = load_profile(name)
    text = printed(encode(Document((Text(CYRILLIC + "№"),), "ru"), profile, width), profile, width)
    assert "".join(text.split()) == CYRILLIC + "№"


def test_the_page_is_chosen_for_the_document() -> None:
    """CP1251 where the profile prefers it, CP858 for a receipt of the West, CP866 for ours."""
    for name, text, slot in [
        ("tm-t20ii", "«Зерно» — 5 ₽", 46),
        ("default", "«Зерно» — 5 ₽", 17),
        ("default", "Café «Grain» — €5", 19),
        ("default", "Grain", 17),
        ("pos-5890", "Café", 59),
    ]:
        job = encode(Document((Text(text),), "ru"), load_profile(name), 58)
        assert [command.args[0] for command in split(job) if command.name == "ESC t"] == [slot]


@pytest.mark.parametrize(
    "line",
    [
        Text("Привет, мир"),
        Text("Привет", bold=True, height=2),
        Text("Ура", width=2, height=2, align="center"),
        Text("Справа", align="right"),
        Columns("Итого", "5 Ж", bold=True),
    ],
)
def test_a_line_that_no_page_holds_is_drawn_as_the_printer_would(line: Text | Columns) -> None:
    """Pixel for pixel the same paper, one made of letters and one of pictures."""
    document = Document((line, Text("end")), "ru")
    letters = draw(encode(document, load_profile("default"), 58), 384)
    pictures = draw(encode(document, load_profile("simple"), 58), 384)
    height = 58
    assert "[picture" in pictures.text
    assert letters.picture.crop((0, 0, 384, height)).tobytes() == pictures.picture.crop((0, 0, 384, height)).tobytes()


def test_only_the_line_that_needs_it_becomes_a_picture() -> None:
    document = Document((Text("Cyrillic: no"), Text("Кофе"), Text("Total")), "ru")
    text = draw(encode(document, load_profile("simple"), 58), 384).text.splitlines()
    assert [text[0], text[2]] == ["Cyrillic: no", "Total"]
    assert text[1].startswith("[picture")


def test_a_position_is_sent_where_it_is_shorter_than_blanks() -> None:
    document = Document((Columns("Сумма", "5,00"), Columns("Очень длинное название", "5,00")), "ru")
    default = load_profile("default")
    job = encode(document, default, 58)
    assert names(job).count("ESC $") == 2
    assert names(encode(Document((Columns("Название в 23 знака тут", "5,00"),), "ru"), default, 58)).count("ESC $") == 1
    assert (
        names(encode(Document((Columns("Название в 24 знака, тут", "5,00"),), "ru"), default, 58)).count("ESC $") == 0
    )
    assert (
        printed(job, default, 58)
        == "Сумма" + "5,00".rjust(27) + "\n" + "Очень длинное название" + "5,00".rjust(10) + "\n"
    )


def test_a_bar_is_made_of_what_the_page_has() -> None:
    document = Document((Progress(5000), Text("«»")), "ru")
    for name, bar in [("default", "█" * 10 + "░" * 10 + " 50 %"), ("tm-t20ii", "[##########..........] 50 %")]:
        text = draw(encode(document, load_profile(name), 58), 384).text
        assert text.splitlines()[0].strip() == bar


HOSTILE = st.text(st.sampled_from([*CYRILLIC, *string.printable, *map(chr, range(0x20)), "\x7f", "\x9b", "\u202e"]))


@given(HOSTILE, HOSTILE)
def test_the_command_sequence_is_that_of_a_neutral_name(shop: str, tier: str) -> None:
    """Whatever bytes a name holds, the wire has the commands that its letters alone would give."""
    default = load_profile("default")
    fields = {"pay": "5 р.", "balance": "90", "to_next": "до «Золота»"}

    def job(shop: str, tier: str) -> bytes:
        return encode(
            render("sale", "ru", {**fields, "shop": "Кофе " + shop[:8], "tier": "Уровень " + tier[:8]}), default, 58
        )

    neutral = job("Анна", "Белый")
    commands = [command.name for command in split(job(shop, tier)) if command.name not in ("text", "ESC $")]
    assert commands == [command.name for command in split(neutral) if command.name not in ("text", "ESC $")]


@given(st.text(st.characters(exclude_categories=[]), max_size=60), st.sampled_from(PAPERS))
def test_no_text_at_all_gets_another_command_onto_the_wire(text: str, paper: tuple[str, int]) -> None:
    name, width = paper
    document = Document((Text(text), Columns(text, text, bold=True), Qr("A" + text[:40], text)), "ru")
    job = encode(document, load_profile(name), width)
    assert set(names(job)) <= ALLOWED | {"text", "LF"}
    assert [names(job).count(once) for once in ("ESC @", "ESC t")] == [1, 1]
    assert RealTime().feed(job) == []


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_a_question_mark_is_only_ever_our_own(text: str) -> None:
    document = Document((Text(text),), "ru")
    drawn = draw(encode(document, load_profile("default"), 80), 512).text
    assert drawn.count("?") <= next(document.texts()).count("?")


@given(st.lists(st.sampled_from([0x10, 0x04, 0x05, 0x14, 0x00, 0xFF]), min_size=1, max_size=64), st.booleans())
def test_no_picture_spells_a_real_time_command(dots: list[int], doubled: bool) -> None:
    command = Picture(1, len(dots), bytes(dots)).command(doubled)
    assert RealTime().feed(command + b"\x01\x01\x01\x01") == []
    changed = sum((a ^ b).bit_count() for a, b in zip(command[8:], dots, strict=True))
    assert changed == sum(a == 0x10 and b in (4, 5, 20) for a, b in pairwise(dots))


@pytest.mark.parametrize(
    ("name", "width", "kind", "most"),
    [
        ("default", 80, "member", 500),
        ("default", 58, "member", 480),
        ("default", 80, "guest", 460),
        ("default", 58, "guest", 440),
        ("pos-5890", 58, "guest", 1300),
    ],
)
def test_jobs_stay_small(slip: Slip, name: str, width: int, kind: str, most: int) -> None:
    assert len(encode(slip("ru", kind), load_profile(name), width)) <= most
