"""From document to paper: the bytes are drawn by code that shares nothing with the encoder, and read back."""

import string
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageChops

from drivers.printers.escpos.commands import RealTime, split
from drivers.printers.escpos.encoder import CannotPrint, encode
from drivers.printers.escpos.paper import Paper, Roll, draw, slots_of
from drivers.printers.escpos.profile import load_profile, profile_names
from drivers.printers.escpos.raster import Picture
from receipt_templates.document import (
    QR_LIMIT,
    Barcode,
    Columns,
    Document,
    Element,
    Feed,
    Logo,
    Progress,
    Qr,
    Rule,
    Stamps,
    Text,
)
from receipt_templates.templates import example, names, render

Slip = Callable[..., Document]

PAPERS = [
    (name, int(width))
    for name in profile_names()
    for width in sorted(load_profile(name).paper)
    if load_profile(name).pictures
]
NO_PICTURES = sorted(name for name in profile_names() if not load_profile(name).pictures)
STYLE = {"ESC @", "ESC t", "ESC !", "ESC a", "ESC $", "ESC J", "ESC d", "ESC &", "ESC %", "GS W", "FS ."}
ALLOWED = STYLE | {"text", "LF", "GS V", "GS v 0", "GS ( k", "GS h", "GS w", "GS k"}
CYRILLIC = "".join(map(chr, range(0x0410, 0x0450))) + "Ёё"
SPECKLED = Picture(6, 40, bytes([0xFF, 0x81, 0x10, 0x04, 0x18, 0x10] * 40))


def commands(job: bytes) -> list[str]:
    return [command.name for command in split(job)]


def on_paper(document: Document, name: str, width: int, logo: Picture | None = None) -> Paper:
    profile = load_profile(name)
    paper = draw(encode(document, profile, width, logo), profile.size(width).dots, slots_of(name))
    assert paper.faults == ()
    return paper


def printed(document: Document, name: str, width: int) -> str:
    return on_paper(document, name, width).text


def check_pages(job: bytes, bars: int) -> None:
    """One beginning and one code page, which each bar may leave for its line."""
    assert commands(job).count("ESC @") == 1
    assert commands(job).count("ESC t") in (1, 1 + 2 * bars)


@pytest.mark.parametrize(("name", "width"), PAPERS)
@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("kind", ["member", "guest"])
def test_a_job_is_whole_and_comes_out_without_a_fault(
    slip: Slip, kind: str, language: str, name: str, width: int
) -> None:
    profile = load_profile(name)
    document = slip(language, kind)
    job = encode(document, profile, width)
    assert job.startswith(b"\x1b@")
    assert set(commands(job)) <= ALLOWED
    check_pages(job, 1 if kind == "member" else 0)
    assert split(job)[-1].raw == {"partial": b"\x1dVB\x00", "none": b"\x1bd\x04"}[profile.cutter]
    assert commands(job).count("GS V") == (profile.cutter != "none")
    assert RealTime().feed(job) == []
    assert "?" not in printed(document, name, width)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("template", names())
@pytest.mark.parametrize(("name", "width"), [("default", 80), ("TM-T88V", 58), ("POS-5890", 58), ("simple", 80)])
def test_every_template_comes_out_without_a_fault(name: str, width: int, template: str, language: str) -> None:
    paper = on_paper(render(template, language, example(template, language)), name, width, SPECKLED)
    assert "?" not in paper.text.replace(example(template, language).get("qr", "") or "", "")


def test_what_a_member_reads_at_58_mm(slip: Slip) -> None:
    lines = printed(slip("ru", "member"), "default", 58).splitlines()
    assert lines[0].strip() == "Зерно"
    assert "Чек № 118       21.11.2026 14:05" in lines
    assert "Оплачено               213,00 р." in lines
    assert "  До «Серебряного» — 1 покупка" in lines


def test_what_a_guest_reads_at_80_mm(slip: Slip) -> None:
    lines = printed(slip("en", "guest"), "TM-T20II", 80).splitlines()
    assert lines[0].strip() == "Grain"
    assert "Receipt 118                     2026-11-21 14:05" in lines
    assert f"[qr HTTPS://BONUS.ZERNO.RU/E/{'ABCDEFGH' * 4}]" in lines


@pytest.mark.parametrize(("name", "width"), PAPERS)
def test_the_qr_code_is_read_from_the_pixels(
    slip: Slip, read_codes: Callable[[bytes], list[str]], name: str, width: int
) -> None:
    assert read_codes(on_paper(slip("ru", "guest"), name, width).png()) == [
        "HTTPS://BONUS.ZERNO.RU/E/" + "ABCDEFGH" * 4
    ]


@pytest.mark.parametrize("name", ["default", "simple"])
def test_the_qr_code_stands_in_the_middle_with_its_quiet_zone(name: str) -> None:
    """Six dots a module, four white modules all around: measured on the picture, native and drawn alike."""
    document = Document((Rule("="), Qr("HTTPS://BONUS.ZERNO.RU/E/" + "A" * 32), Rule("=")), "en")
    picture = ImageChops.invert(on_paper(document, name, 58).picture.convert("L"))
    side = 29 * 6
    rows = [y for y in range(picture.height) if picture.crop((0, y, 24, y + 1)).getbbox()]
    top = max(y for y in rows if y < 60) + 1
    bottom = min(y for y in rows if y > 60)
    left, upper, right, lower = picture.crop((0, top, 384, bottom)).getbbox() or (0, 0, 0, 0)
    assert (right - left, lower - upper) == (side, side)
    assert abs(left - (384 - right)) <= 2
    assert upper >= 24
    assert bottom - top - lower >= 24


@pytest.mark.parametrize("payload", ["https://пример.рф/е/Ё", "HTTPS://A/E/B", "a" * QR_LIMIT])
@pytest.mark.parametrize("name", ["default", "simple"])
def test_any_payload_is_read_back(read_codes: Callable[[bytes], list[str]], payload: str, name: str) -> None:
    assert read_codes(on_paper(Document((Qr(payload),), "ru"), name, 58).png()) == [payload]


@pytest.mark.parametrize("name", NO_PICTURES)
def test_a_code_on_a_printer_that_draws_nothing_is_said_in_letters(name: str) -> None:
    document = Document((Qr("HTTPS://A/E/B", "scan"), Barcode("46012340", "ean8")), "en")
    assert printed(document, name, 80).split() == ["HTTPS://A/E/B", "scan", "46012340"]


def test_the_printer_is_left_plain_for_whoever_prints_next() -> None:
    document = Document((Text("₽ end", bold=True, width=2, height=2, align="center"), Text("small", font="B")), "en")
    for name, width in [("default", 58), ("TM-T88V", 58), ("TM-T20II", 80), ("TM-T20II", 58)]:
        profile = load_profile(name)
        roll = Roll(profile.head or 384, slots_of(name))
        for command in split(encode(document, profile, width)):
            roll.carry_out(command)
        for command in split(b"~}|{next" + b" " * 20 + b"\n"):
            roll.carry_out(command)
        after = roll.tear()
        assert (after.text, after.picture.height) == ("~}|{next\n", 30)
        fresh = draw(b"~}|{next\n", profile.head or 384)
        assert after.picture.tobytes() == fresh.picture.tobytes()


def test_narrow_paper_in_a_wide_printer_is_told() -> None:
    """What is centred stands over the middle of the paper that is in, not of the head."""
    document = Document((Text("X", align="center"),), "en")
    paper = on_paper(document, "TM-T20II", 58)
    assert paper.text.index("X") == 16 - 1
    told = [command.args for command in split(encode(document, load_profile("TM-T20II"), 58)) if command.name == "GS W"]
    assert told == [(384).to_bytes(2, "little"), (576).to_bytes(2, "little")]
    assert "GS W" not in commands(encode(document, load_profile("default"), 58))


@pytest.mark.parametrize(
    "line",
    [
        Text("Привет, мир"),
        Text("Привет", bold=True, height=2),
        Text("Ура", width=2, height=2, align="center"),
        Text("Справа", align="right"),
        Text("Мелко и справа", align="right", font="B"),
        Columns("Итого", "5 Ж", bold=True),
        Columns("Итого", "5 Ж", font="B"),
    ],
)
def test_a_line_that_no_page_holds_is_drawn_as_the_printer_would(line: Text | Columns) -> None:
    """Pixel for pixel the same paper, one made of letters and one of pictures."""
    document = Document((line, Text("end")), "ru")
    letters, pictures = (on_paper(document, name, 58) for name in ("default", "simple"))
    assert "[picture" in pictures.text
    assert letters.picture.tobytes()[: 48 * 70] == pictures.picture.tobytes()[: 48 * 70]


def test_only_the_line_that_needs_it_becomes_a_picture() -> None:
    document = Document((Text("Cyrillic: no"), Text("Кофе"), Text("Total")), "ru")
    text = printed(document, "simple", 58).splitlines()
    assert [text[0], text[2]] == ["Cyrillic: no", "Total"]
    assert text[1].startswith("[picture")


def test_pictures_are_refused_where_they_are_not_wanted_or_not_possible() -> None:
    document = Document((Text("Кофе"), Columns("Чай", "5 ₽")), "ru")
    for name, lacking in [("simple", "refuse"), ("TM-U220", "picture"), ("TM-U220", "refuse")]:
        with pytest.raises(CannotPrint, match="no letters for ") as refusal:
            encode(document, load_profile(name), 80, lacking=lacking)
        assert set("КофеЧай") <= set(refusal.value.chars) <= set("КофеЧай₽")
    assert encode(document, load_profile("default"), 80, lacking="refuse")
    assert encode(Document((Text("Coffee €5"),), "en"), load_profile("TM-U220"), 80, lacking="refuse")


def test_a_position_is_sent_where_it_is_shorter_than_blanks() -> None:
    def positions(name: str) -> int:
        return commands(encode(Document((Columns(name, "5,00"),), "ru"), load_profile("default"), 58)).count("ESC $")

    assert [positions("Сумма"), positions("Название в 23 знака тут"), positions("Название в 24 знака, тут")] == [
        1,
        1,
        0,
    ]
    document = Document((Columns("Сумма", "5,00"), Columns("Очень длинное название", "5,00")), "ru")
    text = "Сумма" + "5,00".rjust(27) + "\n" + "Очень длинное название" + "5,00".rjust(10) + "\n"
    assert printed(document, "default", 58) == text


def test_where_letters_are_of_unknown_width_blanks_are_sent() -> None:
    document = Document((Columns("Сумма", "5,00"), Text("Справа", align="right")), "ru")
    assert "ESC $" not in commands(encode(document, load_profile("TM-T20II-42col"), 80))
    assert printed(document, "TM-T20II-42col", 80).splitlines()[0] == "Сумма" + "5,00".rjust(37)


def test_small_print_reaches_the_same_edge() -> None:
    document = Document(
        (Columns("Сумма", "5,00"), Columns("НДС", "1,00", font="B"), Text("X", align="right", font="B")), "ru"
    )
    picture = on_paper(document, "default", 80).picture.convert("L")
    edges = [
        (ImageChops.invert(picture.crop((0, top, 512, top + 24))).getbbox() or (0, 0, 0, 0))[2] for top in (0, 30, 60)
    ]
    assert max(edges) - min(edges) <= 3
    assert max(edges) <= 504


def test_a_printer_without_small_letters_prints_big_ones() -> None:
    document = Document((Columns("НДС", "1,00", font="B"),), "ru")
    assert printed(document, "ZJ-5870", 58).splitlines()[0] == "НДС" + "1,00".rjust(29)
    assert "ESC !" not in commands(encode(document, load_profile("ZJ-5870"), 58))


HOSTILE = st.text(st.sampled_from([*CYRILLIC, *string.printable, *map(chr, range(0x20)), "\x7f", "\x9b", "\u202e"]))


@given(HOSTILE, HOSTILE)
def test_the_command_sequence_is_that_of_a_neutral_name(shop: str, tier: str) -> None:
    """Whatever bytes a name holds, the wire has the commands that its letters alone would give."""
    default = load_profile("default")
    fields = {"pay": "5 р.", "balance": "90", "to_next": "до «Золота»"}

    def job(shop: str, tier: str) -> list[str]:
        names = {"shop": "Кофе " + shop[:8], "tier": "Уровень " + tier[:8]}
        sequence = commands(encode(render("sale", "ru", {**fields, **names}), default, 58))
        return [name for name in sequence if name not in ("text", "ESC $", "LF")]

    assert job(shop, tier) == job("Анна", "Белый")


ANY = st.text(st.characters(exclude_categories=[]), max_size=60)
LINE = ANY | HOSTILE.filter(lambda text: len(text) < 60)
FONTS, ALIGNS = st.sampled_from(["A", "B"]), st.sampled_from(["left", "center", "right"])
ELEMENTS: st.SearchStrategy[Element] = st.one_of(
    st.builds(Text, LINE, st.booleans(), st.sampled_from([1, 2]), st.sampled_from([1, 2]), ALIGNS, FONTS),
    st.builds(Columns, LINE, LINE, st.booleans(), FONTS),
    st.builds(Rule, st.sampled_from("-=─═*")),
    st.builds(Progress, st.integers(0, 10000)),
    st.builds(Qr, LINE.map(lambda text: "A" + text), LINE),
    st.builds(Barcode, st.from_regex(r"[ -~]{1,14}", fullmatch=True), st.just("code128"), LINE),
    st.builds(Barcode, st.from_regex(r"([0-9]{2}){1,10}", fullmatch=True), st.sampled_from(["code128", "itf"])),
    st.just(Logo()),
    st.integers(1, 40).flatmap(lambda of: st.builds(Stamps, st.integers(0, of), st.just(of))),
    st.builds(Feed, st.integers(1, 20)),
)
DOCUMENTS = st.builds(Document, st.lists(ELEMENTS, max_size=6).map(tuple), st.sampled_from(["ru", "en"]))


@given(DOCUMENTS, st.sampled_from(PAPERS))
def test_any_document_comes_out_on_any_printer(document: Document, paper: tuple[str, int]) -> None:
    name, width = paper
    profile = load_profile(name)
    job = encode(document, profile, width, SPECKLED)
    assert set(commands(job)) <= ALLOWED
    check_pages(job, sum(isinstance(element, Progress) for element in document.elements))
    assert RealTime().feed(job) == []
    faults = draw(job, profile.size(width).dots, slots_of(name)).faults
    assert set(faults) <= {"nothing was printed"}


@given(ANY)
def test_a_question_mark_is_only_ever_our_own(text: str) -> None:
    document = Document((Text(text), Text(".")), "ru")
    assert printed(document, "default", 80).count("?") <= next(document.texts()).count("?")


@pytest.mark.parametrize(
    ("name", "width", "most"),
    [("default", 80, 900), ("default", 58, 850), ("TM-T88III", 80, 1150), ("TM-T20II", 80, 1150)],
)
def test_the_reference_receipt_stays_small(name: str, width: int, most: int) -> None:
    document = render("sale", "ru", example("sale", "ru"))
    assert len(encode(document, load_profile(name), width)) <= most
    drawn = msgspec.structs.replace(load_profile(name), native_qr=False)
    assert len(encode(document, drawn, width)) <= 3100
