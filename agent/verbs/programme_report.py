"""What can be said of programme files: their mistakes, the answers of cases, and what a new revision would change."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from agent import config_words
from loyalty import case
from loyalty.case import Answer
from loyalty.i18n import Language
from loyalty.inspection import inspect
from loyalty.programme import Programme, ProgrammeError, load
from loyalty.quote import Refusal
from loyalty.rules.validation import refusal

_COMPARED = ("pay", "discount", "max_redeem", "redeemed", "earned", "balance_after", "tier", "tier_after")


class Remark(msgspec.Struct, frozen=True):
    """One thing about a programme file: a mistake, a rule that never holds, or a warning; `at` is its key path."""

    severity: Literal["mistake", "never", "warning"]
    at: str
    text: str


class Change(msgspec.Struct, frozen=True):
    """What a case costs and earns by two programmes: (old, new) of each number that differs."""

    case: str
    tier: str | None
    fields: dict[str, tuple[str | int | None, str | int | None]]


def form_of(file: Path) -> Literal["toml", "json"]:
    """Return how a programme file is written: JSON by its name, else TOML."""
    return "json" if file.suffix.lower() == ".json" else "toml"


def look(file: Path, language: Language) -> tuple[Remark, ...]:
    """Return everything that a person should know about a programme file."""
    try:
        programme = load(file.read_bytes(), form_of(file))
    except ProgrammeError as error:
        mistakes = (config_words.say(each, language) for each in error.mistakes)
        return tuple(Remark("mistake", each.path, each.text) for each in mistakes)
    return tuple(Remark(each.severity, each.path, each.say(language)) for each in inspect(programme))


def answer_file(programme: Programme, file: Path) -> Answer | Refusal:
    """Return what the programme makes of a case in a file."""
    try:
        with file.open("rb") as source:
            text = source.read(case.MAX_BYTES + 1)
    except OSError as error:
        return refusal("case_unreadable", "", reason=error.strerror or str(error))
    read = case.read(text)
    return read if isinstance(read, Refusal) else case.answer(programme, read)


def changes(old: Programme, new: Programme, files: Iterable[Path]) -> tuple[Change, ...]:
    """Return for each case what would change with the new programme."""
    return tuple(_change(file, answer_file(old, file), answer_file(new, file)) for file in files)


def _change(file: Path, before: Answer | Refusal, after: Answer | Refusal) -> Change:
    one, other = _numbers(before), _numbers(after)
    names = [name for name in (*_COMPARED, "refused") if one.get(name) != other.get(name)]
    return Change(file.stem, _tier(before), {name: (one.get(name), other.get(name)) for name in names})


def _tier(answer: Answer | Refusal) -> str | None:
    return None if isinstance(answer, Refusal) else answer.quote.tier


def _numbers(answer: Answer | Refusal) -> dict[str, str | int | None]:
    if isinstance(answer, Refusal):
        return {"refused": answer.code}
    return {name: getattr(answer.quote, name) for name in _COMPARED}
