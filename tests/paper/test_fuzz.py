"""What people and other programs call their shops, members and products never becomes a command to the printer."""

import re
from collections.abc import Callable
from time import perf_counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drivers.printers.escpos.commands import TEXT, RealTime, split
from drivers.printers.escpos.encoder import EncodeError, encode
from drivers.printers.escpos.profile import load_profile
from receipt_templates.templates import TemplateError, names, render
from receipt_templates.templates import example as example_data

Size = Callable[[int, int], int]

LETTERS = [*map(chr, range(0x21, 0x7F)), *map(chr, range(0x0410, 0x0450)), "Ё", "ё"]
"""In every Cyrillic page, so that they are printed as they are."""
MARKUP = dict(zip("{}|<>=^*", "()+++`.", strict=False)) | {"*": "."}
"""What the line markup is made of, and signs of the same kind that mean nothing to it."""
CONTROLS = [*map(chr, {*range(0x20), *range(0x7F, 0xA0)} - {*b"\t\n\v\f\r", 0x85})]
INVISIBLE = [
    *CONTROLS,
    *"\u202a\u202e\u2066\u2069\u200b\u200d\u200f\ufeff\u061c\ue000\ue07b\ue17c\ufff9\uffff",
    "\ud800",
    "\udc1b",
]
"""What must leave no trace: controls, bidirectional overrides, private characters (also the markup's own), halves of pairs."""
ORDERS = (
    "\x1b@", "\x1dV\x00", "\x1bp\x00\x19\xfa", "\x1bp0", "\x10\x14\x01\x00\x05", "\x10\x04\x01", "\x10\x05\x02", "\x1b=\x00", "\x1c.", "\x1dv0\x00",
    "\x1d(k\x03\x001Q0", "\x1bi", "\x1bm", "\x9b", "\x1b[2J", "{qr HTTPS://EVIL/}", "{feed 20}", "{logo}", "{cut}", "---", "===", "<>^^* ", "a | b",
    "{{ shop }}", "{% for a in items %}", "{% include 'ru/sale.receipt' %}", "{{ ''.__class__ }}", "{#", "\\x1b@", "\x1b\x1b@@",
)  # fmt: skip

shaped = st.lists(
    st.sampled_from([*LETTERS, *" " * 12, *INVISIBLE, *(o for o in ORDERS if "\xfa" not in o)]), max_size=14
).map("".join)
anything = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=40),
    st.lists(st.sampled_from([*LETTERS, *INVISIBLE, *ORDERS, "\n", "\r\n", "\t", "\u2028", "₽", "«", "→", "漢", "é", "ы\u0306"]), max_size=20).map("".join),
)  # fmt: skip

ALLOWED = {
    "ESC @", "FS .", "ESC t", "ESC !", "ESC a", "ESC $", "ESC J", "ESC d", "GS W", "GS v 0", "GS ( k", "ESC &", "ESC %", "GS h", "GS w", "GS k",
    "GS V", TEXT, "LF",
}  # fmt: skip
PAPERS = [
    ("default", 80),
    ("default", 58),
    ("POS-5890", 58),
    ("TM-T88V", 80),
    ("RP326", 58),
    ("simple", 80),
    ("OCD-300", 80),
]


def many(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


def sale(texts: list[str]) -> dict[str, object]:
    """The reference receipt with other words in it."""
    shop, header, product, other, tier, sentence, call, host, link = texts
    data = example_data("sale", "ru")
    items = [{"name": name, "quantity": "2 x 5,00", "amount": "10,00"} for name in (product, other)]
    return data | {
        "shop": shop, "header": [header], "items": items, "tier": tier, "to_next": sentence, "call_to_action": call, "qr_host": host,
        "qr": f"HTTPS://A.RU/{link}",
    }  # fmt: skip


def neutral(text: str) -> str:
    """The same letters without what is no letter, and without what could be markup."""
    return "".join(MARKUP.get(char, char) for char in text if char in LETTERS or char == " ")


def never_empty(text: str) -> str:
    return text if neutral(text).strip() else f"Я{text}"


def orders(job: bytes) -> list[str]:
    return [command.name for command in split(job)]


def check_safe(job: bytes, cutter: str) -> None:
    """Nothing on the wire but what a receipt is made of, and one cut, at its end."""
    commands = split(job)
    found = [command.name for command in commands]
    assert set(found) <= ALLOWED, set(found) - ALLOWED
    assert found[0] == "ESC @"
    assert found.count("ESC @") == 1
    assert found.count("ESC t") % 2 == 1  # each bar of blocks has its own, and the letters' again behind it
    assert found.count("GS V") == (cutter != "none")
    assert commands[-1].raw == {"partial": b"\x1dVB\x00", "full": b"\x1dVA\x00", "none": b"\x1bd\x04"}[cutter]
    assert min((min(command.raw) for command in commands if command.name == TEXT), default=0x20) >= 0x20
    assert RealTime().feed(job + bytes(10)) == []
    assert not re.search(rb"\x10[\x04\x05\x14]", job)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("model", "width"), [("default", 80), ("POS-5890", 58)])
def test_the_commands_are_those_of_a_neutral_name(model: str, width: int, size: Size) -> None:
    profile = load_profile(model)

    @many(size(150, 5_000))
    @given(st.lists(shaped.map(never_empty), min_size=9, max_size=9))
    @example(
        [
            "\x1b@Я",
            "---",
            "{cut}",
            "{qr HTTPS://EVIL/ | a}",
            "{{ shop }}",
            "<>^^* a | b",
            "\x10\x14\x01\x00\x05a",
            "===",
            "\x1dV\x00",
        ]
    )
    def run(texts: list[str]) -> None:
        job = encode(render("sale", "ru", sale(texts)), profile, width)
        harmless = encode(render("sale", "ru", sale([neutral(text) for text in texts])), profile, width)
        assert orders(job) == orders(harmless)
        check_safe(job, profile.cutter)

    run()


@pytest.mark.timeout(1800)
def test_no_text_at_all_gets_another_command_onto_the_wire(size: Size) -> None:
    """Every template, every text of its data, whatever script or rubbish it is."""

    @many(size(250, 10_000))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        name, language = data.draw(st.sampled_from(names())), data.draw(st.sampled_from(["ru", "en"]))
        model, width = data.draw(st.sampled_from(PAPERS))
        profile = load_profile(model)
        texts = data.draw(st.lists(anything, min_size=4, max_size=4))
        try:
            job = encode(render(name, language, reworded(example_data(name, language), texts)), profile, width)
        except (TemplateError, EncodeError):
            return
        check_safe(job, profile.cutter)

    run()


def reworded(data: dict[str, object], texts: list[str]) -> dict[str, object]:
    """Every text of the data but the codes exchanged, in turn."""

    def other(value: object) -> object:
        match value:
            case str():
                texts.append(texts.pop(0))
                return texts[-1]
            case list():
                return [other(each) for each in value]
            case dict():
                return reworded(value, texts)
            case _:
                return value

    return {key: value if key in ("qr", "code", "code_form") else other(value) for key, value in data.items()}


def test_no_text_is_refused() -> None:
    """A slip is printed whatever the shop is called; only codes can be too long."""
    for name in names():
        for texts in (["\x1b@"], ["漢字"], ["\ud800"], ["{qr"], ["|"], ["%}"]):
            document = render(name, "ru", reworded(example_data(name, "ru"), list(texts)))
            check_safe(encode(document, load_profile("default"), 58), "partial")


pieces = st.one_of(
    st.sampled_from(ORDERS),
    st.sampled_from([
        "<>^^* {{ shop }}\n", "{{ pay }} | {{ total }}\n", "{% for item in items %}\n", "{{ item.name }} | {{ item.amount }}\n", "{% endfor %}\n", "{% if earned %}",
        "{% elif tier %}", "{% else %}", "{% endif %}\n", "{progress {{ progress_bp }}}\n", "{qr {{ qr }}}\n", "{barcode code128 {{ receipt_number }}}\n",
        "{stamps 4 6}\n", "{feed 3}\n", "{logo}\n", "{% include 'ru/head.part' %}\n", "{% include 'ru/sale.receipt' %}", "{{ range(10) }}", "{{ shop.__class__ }}",
        "{% set a = 1 %}", "{% macro a() %}{% endmacro %}", "{{ shop * 99999999 }}", "{{ 9 ** 99999999 }}", "{{ shop|upper }}\n", "{{ items|length }}", "{{ loop.index }}",
        "{% raw %}", "{% endraw %}", "{{ '%999999999d'|format(1) }}", "{{ items|tojson }}", "{{ self }}", "{{ nothing }}", "{{ shop", "~ {{ at }}\n", "\n", "---\n", "{", "}", "%}",
    ]),
    anything,
)  # fmt: skip


@pytest.mark.timeout(1800)
def test_a_retailers_template_is_refused_or_makes_a_safe_job(size: Size) -> None:
    data, profile = example_data("sale", "ru"), load_profile("default")

    @many(size(200, 10_000))
    @given(st.lists(pieces, max_size=12).map("".join))
    @example("")
    def run(source: str) -> None:
        begin = perf_counter()
        try:
            job = encode(render("sale", "ru", data, {"ru/sale.receipt": source}.get), profile, 80)
        except (TemplateError, EncodeError):
            return
        finally:
            assert perf_counter() - begin < 5
        check_safe(job, profile.cutter)

    run()


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in items %}" * 30 + "a" + "{% endfor %}" * 30,
        "{% for a in items %}{% for b in items %}a{% endfor %}{% endfor %}",
        "{% for a in range(1000000000) %}a{% endfor %}",
        "{% for a in items %}" + "x" * 30_000 + "{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a'|center(1000000000) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{% include 'ru/sale.receipt' %}",
        "{{ " + "(" * 8_000 + "1" + ")" * 8_000 + " }}",
        "{{ shop" + "|upper" * 4_000 + " }}",
        "{{ " + "not " * 6_000 + "shop }}",
        "{% if shop %}" * 1_000 + "{% endif %}" * 1_000,
        "{{ [" + "[" * 5_000 + "]" * 5_000 + "] }}",
        "{{ shop" + ".a" * 9_000 + " }}",
        "{{ " + "1 if shop else " * 2_000 + "1 }}",
        "{% include 'ru/head.part' %}\n" * 1_000,
        "{feed 20}\n" * 3_000,
        "{qr HTTPS://A/}\n" * 2_000,
        "{% if a == " + "9" * 30_000 + " %}{% endif %}",
    ],
    ids=lambda source: source[:28],
)
def test_a_template_that_would_run_away_comes_to_an_end(source: str) -> None:
    default, begin = load_profile("default"), perf_counter()
    try:
        job = encode(render("sale", "ru", example_data("sale", "ru"), {"ru/sale.receipt": source}.get), default, 80)
    except (TemplateError, EncodeError) as refusal:
        job, said = b"", str(refusal)
    else:
        said = "printed"
        check_safe(job, "partial")
    assert 0 < len(said) < 1_000
    assert perf_counter() - begin < 20
