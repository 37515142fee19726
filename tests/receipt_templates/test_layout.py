"""Rows of any width hold every letter of the document, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.document import Columns, Document, Element, Feed, Progress, Qr, Rule, Text
from receipt_templates.layout import FeedRow, TextRow, lay_out, slip_lines

WIDTHS = st.sampled_from([16, 32, 42, 48])
words = st.text("абв АБВ xyz 0₽«»\u00a0", max_size=120)


def lines(*elements: Element, columns: int) -> list[str]:
    return slip_lines(Document(elements, "ru"), columns)


def letters(text: str) -> str:
    return text.replace(" ", "")


@given(words, st.sampled_from([1, 2]), st.sampled_from(["left", "center", "right"]), WIDTHS)
def test_a_paragraph_keeps_its_letters_and_its_width(text: str, width: int, align: str, columns: int) -> None:
    paragraph = Text(text, width=width, align=align)  # type: ignore[arg-type]
    rows = [row for row in lay_out(Document((paragraph,), "ru"), columns) if isinstance(row, TextRow)]
    assert letters("".join(row.spans[0].text for row in rows)) == letters(text)
    assert all(len(row.spans[0].text) * width <= columns for row in rows)


@given(words, words, WIDTHS)
def test_two_columns_keep_their_letters_and_do_not_touch(left: str, right: str, columns: int) -> None:
    rows = [row for row in lay_out(Document((Columns(left, right),), "ru"), columns) if isinstance(row, TextRow)]
    assert letters("".join(span.text for row in rows for span in row.spans)) == letters(left + right)
    for row in rows:
        assert len(row.line(columns)) <= columns
        if len(row.spans) == 2:
            first, second = row.spans
            assert first.column + len(first.text) < second.column
            assert second.column + len(second.text) == columns


def test_columns_on_one_line_on_more_and_apart() -> None:
    assert lines(Columns("Сумма", "5,00"), columns=16) == ["Сумма       5,00"]
    assert lines(Columns("Кофе с молоком", "5,00"), columns=16) == ["Кофе с", "молоком     5,00"]
    assert lines(Columns("Итог", "1 234 567,00 р."), columns=16) == ["Итог", " 1 234 567,00 р."]
    assert lines(Columns("", "5,00"), columns=16) == ["            5,00"]
    assert lines(Columns("Шестнадцать букв", ""), columns=16) == ["Шестнадцать букв"]


def test_a_centred_sentence_is_balanced_and_a_long_word_is_broken() -> None:
    sentence = "Третья покупка в месяце — скидка 15\u00a0%"
    assert lines(Text(sentence, align="center"), columns=32) == [
        "        Третья покупка в",
        "      месяце — скидка 15\u00a0%",
    ]
    assert lines(Text("абвгд" * 4), columns=16) == ["абвгдабвгдабвгда", "бвгд"]
    assert lines(Text("один " + "абвгд" * 4, align="center"), columns=16) == [
        "      один",
        "абвгдабвгдабвгда",
        "      бвгд",
    ]


def test_the_other_elements() -> None:
    assert lines(Rule(), Rule("="), columns=16) == ["-" * 16, "=" * 16]
    assert lines(Progress(4999), columns=32) == ["    " + "█" * 9 + "░" * 11 + " 49%"]
    assert lines(Progress(0), columns=32) == ["    " + "░" * 20 + " 0%"]
    assert lines(Progress(10000), columns=42) == [" " * 8 + "█" * 20 + " 100%"]
    assert lines(Qr("HTTPS://A/E/B", "a.ru"), columns=16) == ["[qr HTTPS://A/E/B]", "      a.ru"]
    assert lines(Feed(2), Text("a"), columns=16) == ["", "", "a"]
    assert lay_out(Document((Feed(2),), "ru"), 16) == [FeedRow(2)]


def test_big_letters_take_two_columns() -> None:
    assert lines(Text("25 бонусов", width=2, align="center"), columns=32) == [" " * 6 + "25 бонусов"]
    assert lines(Text("25 бонусов", width=2, align="right"), columns=32) == [" " * 12 + "25 бонусов"]
    assert lines(Text("12 345 бонусов и ещё", width=2), columns=32) == ["12 345 бонусов и", "ещё"]


@pytest.mark.parametrize("columns", [32, 42])
def test_stand_ins_are_measured_before_they_are_placed(columns: int) -> None:
    """What a printer prints instead of a letter may be longer, and must still end at the edge."""
    document = Document((Columns("Сумма", "5,00 ₽"),), "ru")
    (row,) = lay_out(document, columns, lambda text: text.replace("₽", "руб."))
    assert isinstance(row, TextRow)
    assert row.line(columns) == "Сумма" + "5,00 руб.".rjust(columns - 5)


def test_a_bar_of_ascii_is_held_together() -> None:
    (row,) = lay_out(Document((Progress(5000),), "en"), 32, lambda text: text.replace("█", "#").replace("░", "."))
    assert isinstance(row, TextRow)
    assert row.spans[0].text == "[##########..........] 50%"
