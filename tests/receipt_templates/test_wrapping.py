"""Lines that end where a reader expects them to."""

from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.wrapping import balanced, breaks_a_word, unorphaned, wrap

texts = st.text("абвг zx и«»(),.!—0 \u00a0", max_size=90)
widths = st.integers(1, 64)


def letters(text: str) -> str:
    return text.replace(" ", "")


@given(texts, widths, st.sampled_from([wrap, balanced, unorphaned]))
def test_no_letter_is_lost_and_no_line_too_long(text: str, width: int, way: object) -> None:
    assert callable(way)
    lines = way(text, width)
    assert letters("".join(lines)) == letters(text)
    assert all(len(line) <= width for line in lines)
    assert all(line == line.strip(" ") for line in lines)
    assert len(lines) == 1 or all(lines)


@given(texts, widths)
def test_balanced_takes_no_more_lines(text: str, width: int) -> None:
    assert len(balanced(text, width)) <= len(wrap(text, width))


@given(st.lists(st.text("абвг", min_size=3, max_size=9), min_size=1, max_size=8), st.integers(14, 40))
def test_words_that_fit_are_not_broken(words: list[str], width: int) -> None:
    text = " — ".join(words)
    assert not breaks_a_word(text, width)
    lines = wrap(text, width)
    assert " ".join(lines).split(" ") == text.split(" ")
    assert not any(line.startswith("—") for line in lines)


def test_signs_and_short_words_stay_with_what_they_belong_to() -> None:
    assert wrap("Кофейня « Зерно »", 14) == ["Кофейня", "« Зерно »"]
    assert wrap("скидка в кафе", 8) == ["скидка", "в кафе"]
    assert wrap("и в кафе", 4) == ["и в", "кафе"]
    assert wrap("Кофе !", 4) == ["Кофе", "!"]


def test_a_long_word_breaks_beside_no_sign() -> None:
    assert wrap("«Зерно»", 6) == ["«Зерн", "о»"]
    assert wrap("слово(сноска", 6) == ["слово", "(сноск", "а"]
    assert wrap("»»»»", 3) == ["»»»", "»"]
    assert breaks_a_word("а «Зерно»", 6)
    assert not breaks_a_word("а «Зерно»", 7)


def test_a_last_line_of_one_word_is_given_company() -> None:
    assert unorphaned("раз два три четыре", 11) == ["раз два", "три четыре"]
    assert unorphaned("раз два", 4) == ["раз", "два"]
