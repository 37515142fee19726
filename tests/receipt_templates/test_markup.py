"""The markup that templates are written in, and that data can never be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.document import (
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
from receipt_templates.markup import MarkupError, parse, shield
from receipt_templates.printable import printable


@pytest.mark.parametrize(
    ("line", "element"),
    [
        ("Привет", Text("Привет")),
        ("<> middle", Text("middle", align="center")),
        (">> right", Text("right", align="right")),
        ("* bold", Text("bold", bold=True)),
        ("^ tall", Text("tall", height=2)),
        ("^^ big", Text("big", width=2, height=2)),
        ("<>^^* Shop", Text("Shop", bold=True, width=2, height=2, align="center")),
        ("a | b", Columns("a", "b")),
        ("* a | b", Columns("a", "b", bold=True)),
        ("| b", Columns("", "b")),
        ("---", Rule("-")),
        ("=====", Rule("=")),
        ("", Feed(1)),
        ("{feed 3}", Feed(3)),
        ("{progress 4000}", Progress(4000)),
        ("{progress 99999}", Progress(10000)),
        ("{qr HTTPS://A/E/B}", Qr("HTTPS://A/E/B")),
        ("{qr HTTPS://A/E/B | a.ru}", Qr("HTTPS://A/E/B", "a.ru")),
        ("~ small", Text("small", font="B")),
        ("<>~* small", Text("small", bold=True, align="center", font="B")),
        ("~ a | b", Columns("a", "b", font="B")),
        ("^* a | b", Columns("a", "b", bold=True, height=2)),
        ("{logo}", Logo()),
        ("{stamps 4 6}", Stamps(4, 6)),
        ("{stamps 9 6}", Stamps(6, 6)),
        ("{barcode code128 COFFEE 15}", Barcode("COFFEE 15", "code128")),
        ("{barcode ean13 4600000000008 | hot}", Barcode("4600000000008", "ean13", "hot")),
        ("*bold?", Text("*bold?")),
        ("--", Text("--")),
        ("*", Text("", bold=True)),
    ],
)
def test_each_line_is_an_element(line: str, element: Element) -> None:
    assert parse(f"{line}\nend", "ru") == Document((element, Text("end")), "ru")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{cut}", "known: barcode, feed, logo, progress, qr, stamps"),
        ("{}", "unknown command"),
        ("{qr A", "must end with }"),
        ("{qr}", "qr: a QR code holds 1 to"),
        ("{progress many}", "progress: 'many' is not a whole number"),
        ("{logo big}", "logo: takes nothing"),
        ("{stamps 4}", "stamps: takes how many"),
        ("{stamps 4 0}", "stamps: takes how many"),
        ("{barcode qr 1}", "barcode: no kind 'qr', there are ean13, "),
        ("{barcode ean13 4600000000009}", "check digit 8"),
    ],
)
def test_a_wrong_line_is_named(line: str, why: str) -> None:
    with pytest.raises(MarkupError, match="line 2: ") as caught:
        parse(f"first\n{line}\n", "en")
    assert caught.value.line == 2
    assert why in str(caught.value.wrong)


@given(st.text(st.one_of(st.characters(), st.sampled_from("|{}^*<>-=~\n\\"))))
def test_shielded_data_is_never_markup(data: str) -> None:
    """Whatever a name is made of, the line stays one text with exactly these letters."""
    (element, end) = parse(f"Name: {shield(data)}.\nend", "ru").elements
    assert element == Text(f"Name: {printable(data)}.".strip())
    assert end == Text("end")


@given(st.sampled_from(["---", "{qr A}", "* a", "<> a", "a | b", "^^", "{feed 9}", "===", "~ a", "{logo}"]))
def test_a_whole_line_of_data_is_text_too(data: str) -> None:
    assert parse(shield(data), "en").elements == (Text(data),)
