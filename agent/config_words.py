"""The loader's sentences about config.toml, and about a programme, in the language of the reader.

`loyalty.strict` and the checks of the types speak English. Their sentences stand in en.toml under `mistake`; what
matches one of them is said again with the same key in the other language. A sentence that is not there, such as one of
a stranger's driver, stays as it is.
"""

from __future__ import annotations

import re
from functools import cache

from loyalty.i18n import Language, text
from loyalty.strict import Mistake

_SENTENCES = (
    "code_page", "near", "unknown", "missing", "one_of_near", "one_of", "like", "not", "between", "at_least",
    "finite", "folder", "name", "origin", "rule", "url", "hex", "label_check", "label_pattern", "rule_pattern",
    "rule_regex", "wallet_once", "wallet_pair",
)  # fmt: skip
_OF_PROGRAMMES = (
    "brace", "choices", "currency", "empty", "engine_name", "first_tier", "give", "group", "id", "life",
    "local", "offline", "offset", "placeholder", "point_value", "prompt", "step_or_rate", "step_pair", "tier_condition",
    "tier_rate", "tier_steps", "timezone", "twice", "unreadable", "word",
)  # fmt: skip
_PLACES = (
    "choices", "example", "given", "group", "head", "high", "kind", "known", "listed", "low", "name", "near", "other",
    "reason", "wanted",
)  # fmt: skip
_WORDS = ("bool", "date", "float", "int", "list", "moment", "none", "number", "str", "table", "time")


def say(mistake: Mistake, language: Language) -> Mistake:
    """The same mistake in that language."""
    if language == "en":
        return mistake
    for key in (*_OF_PROGRAMMES, *_SENTENCES):
        found = _pattern(key).fullmatch(mistake.text)
        if found:
            words = {name: _word(word, language) for name, word in found.groupdict().items()}
            return Mistake(mistake.path, text(f"mistake.{key}", language, **words))
    return mistake


@cache
def _pattern(key: str) -> re.Pattern[str]:
    marked = text(f"mistake.{key}", "en", **{name: f"<{name}>" for name in _PLACES})
    return re.compile(re.sub(r"<(\w+)>", r"(?P<\1>.+?)", re.escape(marked)))


def _word(word: str, language: Language) -> str:
    for key in _WORDS:
        if text(f"word.{key}", "en") == word:
            return text(f"word.{key}", language)
    return word
