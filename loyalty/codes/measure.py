"""Labels of a store's scales: an in-store number that carries an item and its weight or its price.

A pattern has one letter for each digit: digits are literal, `x` any digit, `P` item, `W` the measure, `V` the check digit
of the measure, `C` the check digit of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from loyalty.codes.check_digit import has_check_digit, price_verifier_4, price_verifier_5
from loyalty.codes.gs1 import decimal
from loyalty.strict import between

MeasureCheck = Literal["GS1 price-verifier 4", "GS1 price-verifier 5"]

_PATTERN = re.compile(r"[0-9xPWV]*W[0-9xPWV]*C?", re.ASCII)
_CHECKS: dict[MeasureCheck, tuple[int, Callable[[str], int]]] = {
    "GS1 price-verifier 4": (4, price_verifier_4),
    "GS1 price-verifier 5": (5, price_verifier_5),
}


@dataclass(frozen=True)
class MeasureRule:
    """One kind of label, such as 22PPPPPWWWWWC. `decimals` = how many digits of the measure stand behind the point."""

    pattern: str
    decimals: Annotated[int, between(0, 6)] | None = None  # 3 for a weight, 2 for a price
    measure_check: MeasureCheck | None = None

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.pattern):
            raise ValueError(f"pattern '{self.pattern}': digits, x, P, W (at least one), V, and one C at the end")
        if self.measure_check:
            size, _ = _CHECKS[self.measure_check]
            if self.pattern.count("W") != size or self.pattern.count("V") != 1:
                raise ValueError(f"measure_check '{self.measure_check}' needs {size} W and one V in the pattern")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a label says."""

    plu: str | None
    amount: str


@dataclass(frozen=True, slots=True)
class Label:
    """A rule made ready: where its digits stand."""

    shape: re.Pattern[str]
    item: tuple[int, ...]
    measure: tuple[int, ...]
    verifier: int
    verified: Callable[[str], int] | None
    decimals: int
    checked: bool

    def read(self, digits: str) -> Measured | Literal["check_digit", "measure_check"] | None:
        """Return what the label says, what is wrong with it, or None for another number."""
        if not self.shape.fullmatch(digits):
            return None
        if self.checked and not has_check_digit(digits):
            return "check_digit"
        amount = "".join(digits[place] for place in self.measure)
        if self.verified is not None and self.verified(amount) != int(digits[self.verifier]):
            return "measure_check"
        return Measured("".join(digits[place] for place in self.item) or None, decimal(amount, self.decimals))


def label(rule: MeasureRule, usual: int) -> Label:
    """Make a rule ready; `usual` decimals where it says none."""
    pattern = rule.pattern
    return Label(
        shape=re.compile(re.sub("[xPWVC]", "[0-9]", pattern)),
        item=_places(pattern, "P"),
        measure=_places(pattern, "W"),
        verifier=pattern.find("V"),
        verified=_CHECKS[rule.measure_check][1] if rule.measure_check else None,
        decimals=usual if rule.decimals is None else rule.decimals,
        checked=pattern.endswith("C"),
    )


def _places(pattern: str, letter: str) -> tuple[int, ...]:
    return tuple(place for place, each in enumerate(pattern) if each == letter)
