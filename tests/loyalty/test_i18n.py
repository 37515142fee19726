from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterator
from importlib import resources

import pytest

from loyalty import i18n
from loyalty.enrolment_token import BadToken
from loyalty.jws import BadSignature, ClockSkew
from loyalty.programme import ProgrammeError

PLURAL = ["one", "few", "many"]


def plain(sentence: str) -> str:
    return sentence.replace(i18n.NO_BREAK, " ")


def flat(table: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            assert isinstance(value, str), prefix + name
            yield prefix + name, value


def catalogue(language: str) -> dict[str, str]:
    return dict(flat(tomllib.loads(resources.files("loyalty").joinpath(f"{language}.toml").read_text("utf-8"))))


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(catalogue("ru")) == list(catalogue("en"))


def test_both_languages_have_the_same_placeholders() -> None:
    russian, english = catalogue("ru"), catalogue("en")
    differ = [key for key in russian if placeholders(russian[key]) != placeholders(english.get(key, ""))]
    assert differ == []


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_no_sentence_is_empty_and_every_placeholder_has_a_name(language: str) -> None:
    for key, sentence in catalogue(language).items():
        assert sentence.strip() or key == "number.group", key
        assert all(name.isidentifier() for name in placeholders(sentence)), key


def test_a_noun_to_count_has_all_three_forms() -> None:
    for name, section in tomllib.loads(resources.files("loyalty").joinpath("ru.toml").read_text("utf-8")).items():
        if set(section) & set(PLURAL):
            assert list(section) == PLURAL, name


def test_no_sentence_ends_with_an_amount_and_a_second_full_stop() -> None:
    """ "руб." brings its own."""
    doubled = re.compile(r"\{(money|missing|step)\}\.$")
    assert [key for key, sentence in catalogue("ru").items() if doubled.search(sentence)] == []


def test_russian_sentences_are_russian() -> None:
    latin = {"currency.amount", "number.decimal", "number.group", "number.percent", "screen.other_language"}
    for key, sentence in catalogue("ru").items():
        assert key in latin or re.search("[а-яё]", re.sub(r"\{\w+\}", "", sentence), re.IGNORECASE), key


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 бонусов"), (1, "1 бонус"), (2, "2 бонуса"), (4, "4 бонуса"), (5, "5 бонусов"), (10, "10 бонусов"),
        (11, "11 бонусов"), (12, "12 бонусов"), (14, "14 бонусов"), (15, "15 бонусов"), (20, "20 бонусов"),
        (21, "21 бонус"), (22, "22 бонуса"), (25, "25 бонусов"), (100, "100 бонусов"), (101, "101 бонус"),
        (111, "111 бонусов"), (112, "112 бонусов"), (121, "121 бонус"), (1000, "1 000 бонусов"),
        (1_234_561, "1 234 561 бонус"), (-1, "-1 бонус"), (-3, "-3 бонуса"), (-11, "-11 бонусов"),
    ],
)  # fmt: skip
def test_russian_counts(count: int, words: str) -> None:
    assert plain(i18n.points(count, 0, "ru")) == words
    assert plain(i18n.counted("points", count, "ru")) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 points"), (1, "1 point"), (2, "2 points"), (21, "21 points"), (-1, "-1 point")]
)
def test_english_counts(count: int, words: str) -> None:
    assert plain(i18n.points(count, 0, "en")) == words


@pytest.mark.parametrize(
    ("amount", "russian", "english"),
    [
        (0, "0 бонусов", "0 points"),
        (100, "1 бонус", "1 point"),
        (250, "2,50 бонуса", "2.50 points"),
        (1, "0,01 бонуса", "0.01 points"),
        (-250, "-2,50 бонуса", "-2.50 points"),
        (-500, "-5 бонусов", "-5 points"),
    ],
)
def test_points_with_two_decimals(amount: int, russian: str, english: str) -> None:
    assert plain(i18n.points(amount, 2, "ru")) == russian
    assert plain(i18n.points(amount, 2, "en")) == english


@pytest.mark.parametrize(
    ("minor", "currency", "russian", "english"),
    [
        (0, "RUB", "0,00 руб.", "RUB 0.00"),
        (5, "RUB", "0,05 руб.", "RUB 0.05"),
        (99_999, "RUB", "999,99 руб.", "RUB 999.99"),
        (123_456_789, "RUB", "1 234 567,89 руб.", "RUB 1,234,567.89"),
        (-150, "RUB", "-1,50 руб.", "RUB -1.50"),
        (1234, "JPY", "1 234 JPY", "JPY 1,234"),
        (1234, "KWD", "1,234 KWD", "KWD 1.234"),
    ],
)
def test_money_is_written_as_people_write_it(minor: int, currency: str, russian: str, english: str) -> None:
    assert plain(i18n.money(minor, currency, "ru")) == russian
    assert plain(i18n.money(minor, currency, "en")) == english


def test_no_line_can_end_inside_an_amount() -> None:
    assert " " not in i18n.money(123_456_789, "RUB", "ru") + i18n.points(5000, 0, "ru") + i18n.percent(250, "ru")


@pytest.mark.parametrize(
    ("rate", "russian", "english"),
    [(0, "0 %", "0%"), (100, "1 %", "1%"), (250, "2,5 %", "2.5%"), (5, "0,05 %", "0.05%"), (10_000, "100 %", "100%")],
)
def test_rates_have_no_idle_zeros(rate: int, russian: str, english: str) -> None:
    assert plain(i18n.percent(rate, "ru")) == russian
    assert plain(i18n.percent(rate, "en")) == english


def test_a_parameter_that_is_a_function_speaks_each_language() -> None:
    said = i18n.texts("prompt.earn", points=lambda language: i18n.points(2, 0, language))
    assert {language: plain(each) for language, each in said.items()} == {
        "ru": "За этот чек начислим 2 бонуса.",
        "en": "This receipt earns 2 points.",
    }


def test_braces_in_a_parameter_are_only_text() -> None:
    assert "{0.__class__}" in i18n.text("prompt.new_tier", "en", tier="{0.__class__}")


def test_an_unknown_key_and_a_missing_parameter_are_refused() -> None:
    with pytest.raises(KeyError):
        i18n.text("prompt.nothing_like_it", "ru")
    with pytest.raises(KeyError):
        i18n.text("prompt.earn", "ru")


@pytest.mark.parametrize(
    ("names", "word"), [({"ru": "Золотой", "en": "Gold"}, "Золотой"), ({"en": "Gold"}, "Gold"), ({}, "gold")]
)
def test_a_retailers_own_word_falls_back_to_another_language_and_then_to_the_id(
    names: dict[i18n.Language, str], word: str
) -> None:
    assert i18n.named(names, "ru", "gold") == word


@pytest.mark.parametrize(
    "error", [ProgrammeError(()), BadToken("no"), BadSignature("no"), ClockSkew("no")], ids=lambda error: error.code
)
def test_every_error_of_this_package_has_a_sentence(error: ProgrammeError) -> None:
    assert set(i18n.texts(error.key, **error.params)) == {"ru", "en"}


def test_an_error_says_itself_in_both_languages() -> None:
    assert BadSignature("what a log may hold").said("en") == "The signature does not hold."
    assert "Подпись" in BadSignature("what a log may hold").said("ru")
