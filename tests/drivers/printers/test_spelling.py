"""Which page, which signs taught, and what the paper then says."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.printers.escpos.commands import RealTime, split
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import Paper, draw, slots_of
from drivers.printers.escpos.profile import Profile, load_profile, read_profile
from receipt_templates.document import Columns, Document, Font, Progress, Text

CYRILLIC = "".join(map(chr, range(0x0410, 0x0450))) + "Ёё"


def jobs_of(name: str, job: bytes) -> list[bytes]:
    return [command.raw for command in split(job) if command.name == name]


def on_paper(job: bytes, name: str, width: int) -> Paper:
    paper = draw(job, load_profile(name).size(width).dots, slots_of(name))
    assert paper.faults == ()
    return paper


def russian(*lines: str) -> Document:
    return Document(tuple(map(Text, lines)), "ru")


@pytest.mark.parametrize(
    ("name", "text", "slot"),
    [
        ("default", "«Зерно» — 5 ₽", 46),
        ("default", "Café «Grain» — €5", 16),
        ("default", "Café", 16),
        ("default", "Grain", 46),
        ("default", "Қазақ тілі", 53),
        ("default", "Ђорђе", 46),
        ("TM-T88III", "«Зерно» — 5 ₽", 17),
        ("TM-T88III", "Café", 16),
        ("POS-5890", "Зерно", 73),
        ("RP326", "Зерно", 6),
        ("TSP600", "Зерно", 34),
        ("TH230", "Зерно", 7),
    ],
)
def test_the_page_is_chosen_for_the_document(name: str, text: str, slot: int) -> None:
    profile = load_profile(name)
    job = encode(russian(text), profile, int(max(profile.paper)))
    assert jobs_of("ESC t", job) == [bytes([0x1B, 0x74, slot])]


def without_glyphs(name: str) -> Profile:
    return read_profile(
        f'title = "{name}"\nnative_qr = true\ncutter = "none"\n[[page]]\ncodec = "cp866"\nslot = 17\n'
        "[paper.58]\ndots = 384\ncolumns = 32\n"
    )


def only_cp1251() -> Profile:
    return read_profile(
        'title = "new"\nnative_qr = true\ncutter = "none"\n[[page]]\ncodec = "cp1251"\nslot = 46\n'
        "[paper.58]\ndots = 384\ncolumns = 32\n"
    )


def test_signs_get_stand_ins_and_letters_do_not() -> None:
    job = encode(russian("«Ё» № — 2 × 5 ₽ → э", "Іі"), without_glyphs("old"), 58)
    lines = draw(job, 384).text.splitlines()
    assert lines[0] == '"Ё" № - 2 x 5 р. > э'
    assert lines[1] == "[picture 24x15]"


@pytest.mark.parametrize(("font", "columns"), [("A", 12), ("B", 9)])
def test_a_printer_that_learns_prints_the_signs_themselves(font: Font, columns: int) -> None:
    document = Document((Columns("Итого → 2 × 5", "10 ₽", font=font), Progress(5000)), "ru")
    job = encode(document, load_profile("TM-T88V"), 80)
    assert jobs_of("ESC %", job) == [b"\x1b%\x01", b"\x1b%\x00"]
    lines = on_paper(job, "TM-T88V", 80).text.splitlines()
    taught = [char for char in "".join(lines) if "\ue000" <= char <= "\uf8ff"]
    assert len(set(taught)) == 3  # → × ₽
    assert lines[1].strip() == "█" * 10 + "░" * 10 + " 50 %"
    assert lines[0].startswith("Итого ")
    for lesson in jobs_of("ESC &", job):
        assert lesson[2] == 3
        assert lesson[5] <= columns or font == "B"


@pytest.mark.parametrize(
    ("name", "slots"), [("default", [46, 0, 46]), ("POS-5890", [73, 0, 73]), ("TM-T88III", [17]), ("TH230", [7])]
)
def test_a_bar_is_of_blocks_and_borrows_a_page_for_them_where_it_must(name: str, slots: list[int]) -> None:
    document = Document((Text("Зерно «№ 1»"), Progress(5000), Text("Ещё")), "ru")
    width = int(max(load_profile(name).paper))
    job = encode(document, load_profile(name), width, lacking="refuse")
    assert jobs_of("ESC t", job) == [bytes([0x1B, 0x74, slot]) for slot in slots]
    lines = on_paper(job, name, width).text.split("\n")
    assert [line.strip() for line in lines][1:3] == ["█" * 10 + "░" * 10 + " 50 %", "Ещё"]


def test_a_bar_is_of_ascii_where_no_page_has_blocks() -> None:
    job = encode(Document((Text("Зерно"), Progress(5000)), "ru"), only_cp1251(), 58)
    assert draw(job, 384).text.splitlines()[1].strip() == "[##########..........] 50 %"


def test_a_product_called_like_a_bar_changes_no_page() -> None:
    job = encode(russian("Чай «Ассам» — 5–7 …", "█░ 5 %"), load_profile("default"), 80)
    assert len(jobs_of("ESC t", job)) == 1
    assert on_paper(job, "default", 80).text.split("\n")[1] == "#. 5 %"


def test_what_is_taught_stands_under_codes_that_the_document_does_not_use() -> None:
    """All of ASCII but five characters is in use, so the rarest sign goes out as a picture of its line."""
    ascii_but_five = "".join(sorted(set(map(chr, range(0x21, 0x7F))) - set("QXYZ~")))
    job = encode(russian(ascii_but_five, "₽₽₽→→♥♥●●", "★★", "☺"), load_profile("TM-T88V"), 80)
    text = on_paper(job, "TM-T88V", 80).text
    assert "".join(text.splitlines()[:-2]).startswith(ascii_but_five[:42])
    taught = {chr(ord(char) - 0xE000) for char in text if "\ue000" <= char <= "\uf8ff"}
    assert taught == set("QXYZ~")
    assert text.splitlines()[-1].startswith("[picture ")


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12), st.sampled_from(["A", "B"]))
@example("⎜⌞", "A")  # the last column of one letter and the width of the next
@example("І", "B")
def test_no_lesson_spells_a_real_time_command(text: str, font: Font) -> None:
    job = encode(Document((Text(text, font=font),), "ru"), load_profile("TM-T88IV-SA"), 80)
    assert RealTime().feed(job) == []


def test_a_printer_without_cyrillic_is_taught_all_of_it() -> None:
    job = encode(russian(CYRILLIC), load_profile("TM-T88IV-SA"), 80)
    text = "".join(on_paper(job, "TM-T88IV-SA", 80).text.split())
    assert len(set(text)) == len(CYRILLIC)
    assert not jobs_of("GS v 0", job)


def test_signs_in_a_picture_are_themselves() -> None:
    """A line that has to be a picture anyway has no Latin stand-ins in it."""
    job = encode(russian("Чай 5 ₽"), load_profile("simple"), 58)
    rouble = encode(russian("Чай 5 RUB"), load_profile("simple"), 58)
    assert len(jobs_of("GS v 0", job)[0]) < len(jobs_of("GS v 0", rouble)[0])
    assert on_paper(encode(russian("Tea 5 ₽"), load_profile("simple"), 58), "simple", 58).text.strip() == "Tea 5 RUB"


def test_a_document_that_needs_nothing_is_taught_nothing() -> None:
    job = encode(russian("Чай " + string.punctuation), load_profile("TM-T88V"), 80)
    assert not jobs_of("ESC &", job)
    assert not jobs_of("ESC %", job)


def test_where_no_code_is_free_the_line_is_a_picture() -> None:
    job = encode(russian("".join(map(chr, range(0x21, 0x7F))), "5 ₽"), load_profile("TM-T88V"), 80)
    assert not jobs_of("ESC %", job)
    assert on_paper(job, "TM-T88V", 80).text.splitlines()[-1].startswith("[picture ")
