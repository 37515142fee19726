"""The markup that templates are written in, and that data can never be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.document import Columns, Document, Element, Feed, Progress, Qr, Rule, Text
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
        ("*bold?", Text("*bold?")),
        ("--", Text("--")),
        ("*", Text("", bold=True)),
    ],
)
def test_each_line_is_an_element(line: str, element: Element) -> None:
    assert parse(f"{line}\nend", "ru") == Document((element, Text("end")), "ru")


@pytest.mark.parametrize("line", ["{cut}", "{qr}", "{progress many}", "{qr A", "{}"])
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(MarkupError, match="line 2"):
        parse(f"first\n{line}\n", "en")


@given(st.text(st.one_of(st.characters(), st.sampled_from("|{}^*<>-=\n\\"))))
def test_shielded_data_is_never_markup(data: str) -> None:
    """Whatever a name is made of, the line stays one text with exactly these letters."""
    (element, end) = parse(f"Name: {shield(data)}.\nend", "ru").elements
    assert element == Text(f"Name: {printable(data)}.".strip())
    assert end == Text("end")


@given(st.sampled_from(["---", "{qr A}", "* a", "<> a", "a | b", "^^", "{feed 9}", "==="]))
def test_a_whole_line_of_data_is_text_too(data: str) -> None:
    assert parse(shield(data), "en").elements == (Text(data),)
