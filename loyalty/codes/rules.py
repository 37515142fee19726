"""The site rules of `[codes]` in config.toml: which codes are ours. Ordered, the first that matches wins.

A pattern stands for the whole code: digits are literal, `x` is any digit, `C` at the end is the check digit. It is tried
on the code as it came and, when that is shorter, on the code zero-padded to 13 digits, because scanners send an EAN-13
that begins with 0 as the 12 digits of a UPC-A.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from loyalty.codes.check_digit import has_check_digit

_PATTERN = re.compile(r"[0-9x]+C?|C", re.ASCII)
_EAN_13 = 13

Verdict = Literal["match", "wrong_check_digit", "no_match"]


@dataclass(frozen=True)
class Rule:
    """Either `pattern` (such as 29xxxxxxxxxxC) or `regex` (the whole code must match it)."""

    pattern: str = ""
    regex: str = ""

    def __post_init__(self) -> None:
        if bool(self.pattern) == bool(self.regex):
            raise ValueError('a rule has either "pattern" or "regex"')
        if self.pattern and not _PATTERN.fullmatch(self.pattern):
            raise ValueError(f"pattern {self.pattern!r}: only digits, x (any digit) and one C (check digit) at the end")
        try:
            re.compile(self.regex, re.ASCII)
        except re.error as error:
            raise ValueError(f"regex {self.regex!r}: {error}") from error


@dataclass(frozen=True)
class CodeRules:
    """What `[codes]` in config.toml says."""

    member_card: tuple[Rule, ...] = ()


def match(rule: Rule, code: str) -> tuple[Verdict, str]:
    """Return the verdict and the code in the form in which the rule knows it."""
    if rule.regex:
        return ("match" if re.fullmatch(rule.regex, code, re.ASCII) else "no_match"), code
    padded = code.zfill(_EAN_13) if code.isascii() and code.isdigit() else code
    for form in dict.fromkeys((code, padded)):
        if _expression(rule.pattern).fullmatch(form):
            wrong = rule.pattern.endswith("C") and not has_check_digit(form)
            return ("wrong_check_digit" if wrong else "match"), form
    return "no_match", code


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub("[xC]", "[0-9]", pattern))
