"""Rows of any width hold every letter of the document, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.document import (
    Align,
    Barcode,
    Columns,
    Document,
    Element,
    Feed,
    Font,
    Logo,
    Progress,
    Qr,
    Rule,
    Size,
    Stamps,
    Text,
)
from receipt_templates.layout import BarcodeRow, FeedRow, LogoRow, TextRow, lay_out, slip_lines

WIDTHS = st.sampled_from([16, 32, 42, 48])
SIZES = st.sampled_from([1, 2])
ALIGNS = st.sampled_from(["left", "center", "right"])
FONTS = st.sampled_from(["A", "B"])
words = st.text("абв АБВ xyz 0₽«»(—!\u00a0", max_size=120)


def lines(*elements: Element, columns: int) -> list[str]:
    return slip_lines(Document(elements, "ru"), columns)


def letters(text: str) -> str:
    return text.replace(" ", "")


def text_rows(element: Element, columns: int) -> list[TextRow]:
    return [row for row in lay_out(Document((element,), "ru"), columns) if isinstance(row, TextRow)]


def room(row: TextRow, columns: int) -> int:
    """Letters of this row's font and width that the paper takes."""
    return (columns if row.font == "A" else columns * 12 // 9) // row.width


@given(words, SIZES, SIZES, ALIGNS, FONTS, WIDTHS)
def test_a_paragraph_keeps_its_letters_and_its_width(
    text: str, width: Size, height: Size, align: Align, font: Font, columns: int
) -> None:
    rows = text_rows(Text(text, width=width, height=height, align=align, font=font), columns)
    assert letters("".join(row.spans[0].text for row in rows)) == letters(text)
    for row in rows:
        assert len(row.spans[0].text) <= room(row, columns)
        assert (row.height, row.align, row.font) == (height, align, font)


@given(words, words, FONTS, WIDTHS)
def test_two_columns_keep_their_letters_and_do_not_touch(left: str, right: str, font: Font, columns: int) -> None:
    rows = text_rows(Columns(left, right, font=font), columns)
    assert letters("".join(span.text for row in rows for span in row.spans)) == letters(left + right)
    for row in rows:
        assert len(row.line(room(row, columns))) <= room(row, columns)
        assert row.font == font
        if len(row.spans) == 2:
            first, second = row.spans
            assert first.column + len(first.text) < second.column
            assert second.column + len(second.text) == room(row, columns)


@given(st.integers(1, 40), st.integers(0, 40), WIDTHS)
def test_a_stamp_card_has_all_its_boxes_in_rows_of_like_length(of: int, filled: int, columns: int) -> None:
    filled = min(filled, of)
    rows = text_rows(Stamps(filled, of), columns)
    boxes = "".join(row.spans[0].text for row in rows)
    assert boxes == "[■]" * filled + "[ ]" * (of - filled)
    lengths = [len(row.spans[0].text) for row in rows]
    assert max(lengths) * 2 <= columns
    assert max(lengths) - min(lengths) < 3 * len(rows)


def test_columns_on_one_line_on_more_and_apart() -> None:
    assert lines(Columns("Сумма", "5,00"), columns=16) == ["Сумма       5,00"]
    assert lines(Columns("Кофе с молоком", "5,00"), columns=16) == ["Кофе", "с молоком   5,00"]
    assert lines(Columns("Итог", "1 234 567,00 р."), columns=16) == ["Итог", " 1 234 567,00 р."]
    assert lines(Columns("", "5,00"), columns=16) == ["            5,00"]
    assert lines(Columns("Шестнадцать букв", ""), columns=16) == ["Шестнадцать букв"]


def test_blanks_that_fall_at_line_ends_do_not_count_when_a_sentence_is_balanced() -> None:
    document = Document((Text("Чаю — №7:: 2 × 5 р. > съешь ещё", width=2, align="center"),), "ru")
    assert [line.strip() for line in slip_lines(document, 20)] == ["Чаю — №7::", "2 × 5 р. >", "съешь ещё"]


def test_a_centred_sentence_is_balanced_and_a_long_word_is_broken() -> None:
    sentence = "Третья покупка в месяце — скидка 15\u00a0%"
    assert lines(Text(sentence, align="center"), columns=32) == [
        "         Третья покупка",
        "     в месяце — скидка 15 %",
    ]
    assert lines(Text("абвгд" * 4), columns=16) == ["абвгдабвгдабвгда", "бвгд"]
    assert lines(Text("один " + "абвгд" * 4, align="center"), columns=16) == [
        "      один",
        "абвгдабвгдабвгда",
        "      бвгд",
    ]


def test_no_sign_stands_alone_on_a_line() -> None:
    assert lines(Text("«Шестнадцатибукв»", align="center"), columns=16) == ["«Шестнадцатибук", "       в»"]
    assert lines(Text("Пятнадцатьбукв —— и ещё"), columns=16) == ["Пятнадцатьбукв", "—— и ещё"]
    assert lines(Text("Четырнадцать — и ещё"), columns=14) == ["Четырнадцать —", "и ещё"]
    assert lines(Text("Двенадцать « Зерно »"), columns=16) == ["Двенадцать", "« Зерно »"]
    assert lines(Columns("Скидка (тринадцать)", "1,00"), columns=16) == [
        "Скидка",
        "(тринадцать)",
        "            1,00",
    ]


def test_a_bullet_hangs_and_no_word_is_left_alone() -> None:
    assert lines(Text("• день рождения — кофе в подарок"), columns=24) == ["• день рождения — кофе", "  в подарок"]
    assert lines(Text("Не обменивается на деньги, чеки."), columns=28) == ["Не обменивается", "на деньги, чеки."]
    assert lines(Text("• a b", align="right"), columns=16) == [" " * 11 + "• a b"]


def test_a_bullet_hangs_by_letters_of_its_own_width() -> None:
    rows = text_rows(Text("• чашка кофе на день рождения", width=2), 32)
    assert [row.line(16) for row in rows] == ["• чашка кофе", "  на день", "  рождения"]


def test_tall_columns_are_tall_on_every_line() -> None:
    rows = text_rows(Columns("Оплачено картой", "1 234 567,00", bold=True, height=2), 16)
    assert [(row.line(16), row.height, row.bold) for row in rows] == [
        ("Оплачено картой", 2, True),
        ("    1 234 567,00", 2, True),
    ]


def test_wide_letters_become_narrow_where_a_word_would_break() -> None:
    def widths(text: str) -> set[int]:
        return {row.width for row in text_rows(Text(text, width=2, height=2, align="center"), 32)}

    assert widths("Кофейня Шестнадцатибуквч") == {2}
    assert widths("Кофейня «Шестнадцатибукв»") == {1}


def test_small_print_has_more_columns() -> None:
    document = Document((Text("a" * 42, font="B"), Columns("a", "b", font="B")), "en")
    rows = [row for row in lay_out(document, 32) if isinstance(row, TextRow)]
    assert [row.line(42) for row in rows] == ["a" * 42, "a" + " " * 40 + "b"]
    narrow = [row for row in lay_out(document, 32, small_columns=40) if isinstance(row, TextRow)]
    assert [row.line(40) for row in narrow] == ["a" * 40, "aa", "a" + " " * 38 + "b"]
    assert slip_lines(document, 32) == ["a" * 32, "a" * 10, "a" + " " * 30 + "b"]


def test_a_printer_without_small_print_prints_font_a() -> None:
    document = Document((Text("a", font="B"), Columns("a", "b", font="B")), "en")
    assert [row.font for row in lay_out(document, 32, small_columns=32) if isinstance(row, TextRow)] == ["A", "A"]


def test_a_barcode_has_its_payload_or_its_caption_below() -> None:
    assert lay_out(Document((Barcode("4600000000008", "ean13"), Logo()), "ru"), 16) == [
        BarcodeRow("4600000000008", "ean13"),
        *text_rows(Text("4600000000008", align="center"), 16),
        LogoRow(),
    ]
    assert lines(Barcode("COFFEE-15", "code128", "кофе"), Logo(), columns=16) == ["[barcode COFFEE-15]", "      кофе"]


def test_stamps_of_a_printer_without_the_block_are_crosses() -> None:
    (row,) = lay_out(Document((Stamps(1, 2),), "ru"), 32, lambda text: text.replace("■", "#"))
    assert isinstance(row, TextRow)
    assert row.spans[0].text == "[X][ ]"


def test_the_other_elements() -> None:
    assert lines(Rule(), Rule("="), columns=16) == ["-" * 16, "=" * 16]
    assert lines(Progress(4999), columns=32) == ["   " + "█" * 9 + "░" * 11 + " 49 %"]
    assert lines(Progress(0), columns=32) == ["    " + "░" * 20 + " 0 %"]
    assert lines(Progress(10000), columns=42) == [" " * 8 + "█" * 20 + " 100 %"]
    assert lines(Qr("HTTPS://A/E/B", "a.ru"), columns=16) == ["[qr HTTPS://A/E/B]", "      a.ru"]
    assert lines(Feed(2), Text("a"), columns=16) == ["", "", "a"]
    assert lay_out(Document((Feed(2),), "ru"), 16) == [FeedRow(2)]


def test_big_letters_take_two_columns_and_on_plain_lines_one() -> None:
    (middle,) = text_rows(Text("25 бонусов", width=2, align="center"), 32)
    (right,) = text_rows(Text("25 бонусов", width=2, align="right"), 32)
    assert (middle.line(32), right.line(32)) == (" " * 6 + "25 бонусов", " " * 12 + "25 бонусов")
    assert lines(Text("25 бонусов", width=2, align="center"), columns=32) == [" " * 11 + "25 бонусов"]
    assert lines(Text("12 345 бонусов и ещё", width=2), columns=32) == ["12 345 бонусов", "и ещё"]


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
