"""Every letter that a Russian receipt may need, on every printer model, at every width: right on the paper, or refused aloud.

What a slot of ESC t holds is read from the capability data of python-escpos, and letters are compared dot by dot with
the typeface, drawn here: neither the profiles nor the encoder have a say in what is right.
"""

import json
from functools import lru_cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from drivers.printers.escpos import fonts
from drivers.printers.escpos.commands import split
from drivers.printers.escpos.encoder import CannotPrint, encode
from drivers.printers.escpos.paper import Paper, draw
from drivers.printers.escpos.profile import Profile, load_profile, profile_names
from receipt_templates.document import Columns, Document, Text

LETTERS = [chr(code) for code in range(0x0401, 0x0452)]
STAND_INS = {"№": "No", "«": '"', "»": '"', "—": "-", "×": "x", "₽": "р.", "→": ">"}
SENTENCE = "«Ёж» — №7: 2 × 5 ₽ → съешь ещё"
CELL, PITCH = (12, 24), 30
FEWEST = 29  # models with Cyrillic letters in the capability data


def _slots() -> dict[str, dict[int, str]]:
    spec = find_spec("escpos")
    assert spec is not None
    assert spec.origin is not None
    data = json.loads((Path(spec.origin).parent / "capabilities.json").read_text("utf-8"))
    codecs = {name: page["python_encode"] for name, page in data["encodings"].items() if "python_encode" in page}
    codecs["RK1048"] = "kz1048"
    return {
        model: {int(slot): codecs[page] for slot, page in profile["codePages"].items() if page in codecs}
        for model, profile in data["profiles"].items()
    }


SLOTS = _slots()
SLOTS |= {"clone-58": SLOTS["POS-5890"], "clone-80": SLOTS["NT-80-V-UL"]}  # facts of the models they copy
CYRILLIC = sorted(model for model, slots in SLOTS.items() if {"cp866", "cp855", "cp1251"} & set(slots.values()))
OTHERS = sorted(SLOTS.keys() - set(CYRILLIC))


def papers(models: list[str]) -> list[tuple[str, int]]:
    return [(model, int(width)) for model in models for width in sorted(load_profile(model).paper)]


@lru_cache(maxsize=256)
def in_type(char: str) -> bytes:
    """A letter of font A in our typeface."""
    cell = Image.new("1", CELL, 1)
    ImageDraw.Draw(cell).text((0, 0), char, fill=0, font=_typeface())
    return cell.tobytes()


@lru_cache(maxsize=1)
def _typeface() -> ImageFont.FreeTypeFont:
    with resources.as_file(resources.files(fonts) / "DejaVuSansMono.ttf") as file:
        return ImageFont.truetype(file, 20, layout_engine=ImageFont.Layout.BASIC)


def on_paper(document: Document, model: str, width: int) -> tuple[Paper, str]:
    """What a printer that knows its slots prints, and the codec of the page that was asked for."""
    profile = load_profile(model)
    job = encode(document, profile, width)
    (slot,) = [command.args[0] for command in split(job) if command.name == "ESC t"]
    paper = draw(job, profile.size(width).dots, SLOTS[model])
    assert paper.faults == ()
    return paper, SLOTS[model][slot]


def holds(codec: str, char: str) -> bool:
    try:
        return len(char.encode(codec)) == 1
    except UnicodeEncodeError:
        return False


def check_line(char: str, line: str, cell: bytes, codec: str, profile: Profile) -> None:
    """One character alone on its line, by one of the four ways."""
    if holds(codec, char):
        assert line == char
    elif char in STAND_INS and not profile.user_glyphs:
        assert line == STAND_INS[char]
        return
    elif profile.user_glyphs:
        assert "\ue000" < line <= "\ue0ff"
    else:
        assert line.startswith("[picture ")
    assert cell == in_type(char), char


def test_the_models_are_those_of_the_capability_data() -> None:
    assert set(profile_names()) == SLOTS.keys()
    assert len(CYRILLIC) >= FEWEST + 2  # and two clones
    assert {"AF-240", "T-1", "TM-T88IV-SA", "TM-U220", "TM-U220B", "simple"} == set(OTHERS)


@pytest.mark.parametrize(("model", "width"), papers([model for model in CYRILLIC if load_profile(model).pictures]))
def test_every_letter_and_sign_is_right(model: str, width: int) -> None:
    chars = [*LETTERS, *STAND_INS]
    paper, codec = on_paper(Document(tuple(map(Text, chars)), "ru"), model, width)
    lines = paper.text.rstrip("\n").splitlines()
    assert len(lines) == len(chars)
    assert "?" not in paper.text
    for number, (char, line) in enumerate(zip(chars, lines, strict=True)):
        cell = paper.picture.crop((0, number * PITCH, CELL[0], number * PITCH + CELL[1])).tobytes()
        check_line(char, line, cell, codec, load_profile(model))


@pytest.mark.parametrize(
    "line", [Text(SENTENCE), Text(SENTENCE, font="B"), Text(SENTENCE, bold=True, width=2, height=2, align="center")]
)
@pytest.mark.parametrize(("model", "width"), papers(CYRILLIC))
def test_a_russian_line_is_made_of_the_printers_own_letters(model: str, width: int, line: Text) -> None:
    """Words and signs on one line, plain, small and big: no picture of it, every sign at its place."""
    profile = load_profile(model)
    document = Document((Columns("Чай №5", "5 ₽"), line), "ru")
    paper, codec = on_paper(document, model, width)
    known = {char for char in SENTENCE if holds(codec, char)}
    assert set("Ёжсъешьещё") <= known
    text = "".join(line.strip() + " " for line in paper.text.splitlines()[1:]).strip()
    if profile.user_glyphs:
        assert len(text) == len(SENTENCE)
        assert all(a == b if b in known else "\ue000" < a <= "\ue0ff" for a, b in zip(text, SENTENCE, strict=True))
    else:
        assert text == "".join(char if char in known else STAND_INS[char] for char in SENTENCE)


@pytest.mark.parametrize(("model", "width"), papers([model for model in CYRILLIC if not load_profile(model).pictures]))
def test_what_cannot_draw_prints_what_it_has_and_refuses_the_rest(model: str, width: int) -> None:
    """Customer displays among the models: no pictures there."""
    profile, refused = load_profile(model), list[str]()
    for char in [*LETTERS, *STAND_INS]:
        try:
            paper, codec = on_paper(Document((Text(char),), "ru"), model, width)
        except CannotPrint as error:
            refused += error.chars
        else:
            line = paper.text.rstrip("\n")
            cell = paper.picture.crop((0, 0, *CELL)).tobytes()
            check_line(char, line, cell, codec, profile)
    assert not [char for char in refused if any(holds(codec, char) for codec in ("cp866", "cp1251"))]
    assert set(refused) < set(LETTERS)


@pytest.mark.parametrize(("model", "width"), papers(OTHERS))
def test_a_model_without_cyrillic_prints_pictures_of_lines_or_refuses(model: str, width: int) -> None:
    profile = load_profile(model)
    document = Document(tuple(map(Text, [*LETTERS, *STAND_INS])), "ru")
    if not profile.user_glyphs:  # TM-T88IV-SA is taught all of them
        with pytest.raises(CannotPrint) as refusal:
            encode(document, profile, width, lacking="refuse")
        assert set(LETTERS) <= set(refusal.value.chars)
    if not profile.pictures:
        with pytest.raises(CannotPrint):
            encode(document, profile, width)
        return
    paper, _ = on_paper(document, model, width)
    assert "?" not in paper.text
    for number, char in enumerate([*LETTERS, *STAND_INS]):
        cell = paper.picture.crop((0, number * PITCH, CELL[0], number * PITCH + CELL[1])).tobytes()
        assert cell == in_type(char), char
