"""Texts for people: one sentence a key, in Russian and in English, with the same keys and placeholders.

The texts stand in ru.toml and en.toml beside this file, in sections: `text("prompt.no_card", "ru", points=...)`. A
section with the keys one, few, many is a noun to count with: `counted("points", 5, "ru")` is "5 бонусов".
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Literal

from loyalty.money import exponent
from loyalty.quote import Texts

Language = Literal["ru", "en"]

Param = str | int | Callable[[Language], str]

LANGUAGES: tuple[Language, ...] = ("ru", "en")

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Stands between the parts of a number and before its unit, so that no line ends inside."""

_GROUPS = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")


def text(key: str, language: Language, /, **params: str | int) -> str:
    """Return the sentence of `key`. Raises KeyError for an unknown key or a missing parameter."""
    return _catalogue(language)[key].format(**params)


def texts(key: str, /, **params: Param) -> Texts:
    """Return the sentence in every language; a parameter that is a function is asked for its word in each."""
    return {
        language: text(
            key, language, **{name: each(language) if callable(each) else each for name, each in params.items()}
        )
        for language in LANGUAGES
    }


def counted(noun: str, count: int, language: Language) -> str:
    """Return the count with its noun in the right form: "1 покупка", "2 покупки", "5 покупок"."""
    return f"{_digits(count, 0, language)}{NO_BREAK}{text(f'{noun}.{_form(count, language)}', language)}"


def points(amount: int, decimals: int, language: Language) -> str:
    """Return points (in units of 10^-decimals) with their noun: "5 бонусов", "2,50 бонуса"."""
    whole, fraction = divmod(abs(amount), 10**decimals)
    if not fraction:
        return counted("points", whole if amount >= 0 else -whole, language)
    return f"{_digits(amount, decimals, language)}{NO_BREAK}{text('points.few', language)}"


def money(minor: int, currency: str, language: Language) -> str:
    """Return an amount as people write it: "1 234,50 руб.", "RUB 1,234.50"."""
    amount = _digits(minor, exponent(currency), language)
    unit = _catalogue(language).get(f"currency.{currency}", currency)
    return text("currency.amount", language, amount=amount, unit=unit).replace(" ", NO_BREAK)


def percent(basis_points: int, language: Language) -> str:
    """Return a rate without idle zeros: "5%", "2,5 %"."""
    whole, fraction = divmod(basis_points, 100)
    digits = f"{whole}.{fraction:02}".rstrip("0") if fraction else str(whole)
    digits = digits.replace(".", text("number.decimal", language))
    return text("number.percent", language, digits=digits).replace(" ", NO_BREAK)


def factor(basis_points: int, language: Language) -> str:
    """Return how many times something counts: "2", "1,5"."""
    whole, fraction = divmod(basis_points, 10_000)
    digits = f"{whole}.{fraction:04}".rstrip("0").rstrip(".")
    return digits.replace(".", text("number.decimal", language))


def named(names: Mapping[Language, str], language: Language, otherwise: str) -> str:
    """Return a retailer's own word for a thing: in this language, else in any, else `otherwise` (its id)."""
    return names.get(language) or next(iter(names.values()), otherwise)


def _digits(amount: int, decimals: int, language: Language) -> str:
    whole, fraction = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    group = text("number.group", language).replace(" ", NO_BREAK)
    tail = f"{text('number.decimal', language)}{fraction:0{decimals}}" if decimals else ""
    return f"{sign}{_GROUPS.sub(group, str(whole))}{tail}"


def _form(count: int, language: Language) -> str:
    count = abs(count)
    if language == "en":
        return "one" if count == 1 else "many"
    if 11 <= count % 100 <= 14:
        return "many"
    return {1: "one", 2: "few", 3: "few", 4: "few"}.get(count % 10, "many")


@cache
def _catalogue(language: Language) -> dict[str, str]:
    source = resources.files("loyalty").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(source), ""))


def _flat(table: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in table.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, str(value))]
    return pairs
