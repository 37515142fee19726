"""Element strings of GS1: what stands behind FNC1 in GS1-128, GS1 DataMatrix, GS1 QR and DataBar.

`parse` takes a frame apart by the table of identifiers. A value of fixed length whose GS was swallowed ends where it
must; a value of open length then takes the rest. The first thing that is wrong is kept as a `Fault`: one of form ends
the reading, a wrong check digit or date does not, so that a marking code with a wrong GTIN can still be told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from loyalty.codes.check_digit import has_check_digit
from loyalty.codes.gs1_table import IDENTIFIERS, LENGTHS, Spec, ends_by_itself
from loyalty.codes.kinds import Elements

GS = "\x1d"
_YEAR = 31_556_952  # seconds
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BRACKETS = re.compile(r"\(([0-9]{2,4})\)")

Reason = Literal["check_digit", "length", "characters", "structure", "date", "no_such_ai", "repeated"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What breaks the rules of GS1, and at which identifier."""

    reason: Reason
    ai: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """What was read up to the first fault of form. An identifier stands once, as often as the code repeats it."""

    elements: Elements
    fault: Fault | None

    @property
    def whole(self) -> bool:
        """Each value has its form, up to the end; a check digit or a date may be wrong."""
        return bool(self.elements) and (self.fault is None or self.fault.reason in ("check_digit", "date"))

    def get(self, ai: str) -> str | None:
        """The value of that identifier."""
        return next((value for each, value in self.elements if each == ai), None)


def parse(data: str) -> Message:
    """Take element strings apart. GS may stand in front and at the end."""
    found: dict[str, str] = {}
    fault: Fault | None = None
    at = 0
    while at < len(data):
        if data[at] == GS:
            at += 1
            continue
        ai = data[at : at + LENGTHS.get(data[at : at + 2], 0)]
        spec = IDENTIFIERS.get(ai)
        if spec is None:
            return Message(tuple(found.items()), Fault("no_such_ai", ai or None))
        value, at = _value(data, at + len(ai), ai, spec)
        wrong = _wrong(value, spec, found.get(ai, value))
        if wrong in ("length", "characters"):
            return Message(tuple(found.items()), Fault(wrong, ai))
        if wrong:
            fault = fault or Fault(wrong, ai)
        found.setdefault(ai, value)
    return Message(tuple(found.items()), fault)


def parse_brackets(text: str) -> Message | None:
    """Read the form for people, `(01)04606203090785(10)A1`. None when the text is not of that form."""
    parts = _BRACKETS.split(text) if text[:1] == "(" else [text]
    if parts[0] or len(parts) < 3 or any(ai not in IDENTIFIERS for ai in parts[1::2]):
        return None
    return parse_pairs(list(zip(parts[1::2], parts[2::2], strict=True)))


def parse_pairs(pairs: list[tuple[str, str]]) -> Message:
    """Check values that were apart already; all identifiers are known ones."""
    found: dict[str, str] = {}
    fault: Fault | None = None
    for ai, value in pairs:
        wrong = _wrong(value, IDENTIFIERS[ai], found.get(ai, value))
        if wrong:
            fault = fault or Fault(wrong, ai)
        found.setdefault(ai, value)
    return Message(tuple(found.items()), fault)


def iso_date(value: str, now: int) -> str:
    """Write a checked YYMMDD as ISO. The century is the one within 50 years of `now`; day 00 is the last of its month."""
    this_year = 1970 + now // _YEAR
    year = this_year - this_year % 100 + int(value[:2])
    if year - this_year > 50:
        year -= 100
    elif year - this_year < -49:
        year += 100
    month, day = int(value[2:4]), int(value[4:])
    return f"{year:04}-{month:02}-{day or _last_day(year, month):02}"


def decimal(digits: str, places: int) -> str:
    """Write digits as a number with that many decimal places: 01250, 3 -> 1.250."""
    whole = digits.zfill(places + 1)
    point = len(whole) - places
    return (whole[:point].lstrip("0") or "0") + ("." + whole[point:] if places else "")


def _value(data: str, start: int, ai: str, spec: Spec) -> tuple[str, int]:
    """The value and where the next identifier begins."""
    if spec.fixed and ends_by_itself(ai):
        end = start + spec.most
        return data[start:end], end
    end = data.find(GS, start)
    end = len(data) if end < 0 else end
    stop = start + spec.most
    if spec.fixed and stop < end and data[stop : stop + LENGTHS.get(data[stop : stop + 2], 0)] in IDENTIFIERS:
        end = stop
    return data[start:end], end


def _wrong(value: str, spec: Spec, before: str) -> Reason | None:
    if not spec.shape.fullmatch(value):
        return "characters" if spec.least <= len(value) <= spec.most else "length"
    if value != before:
        return "repeated"
    if spec.built is not None and not spec.built.fullmatch(value):
        return "structure"
    for start, end in spec.checks:
        if not has_check_digit(value[start:end]):
            return "check_digit"
    for start, any_day in spec.dates:
        if not _is_date(value[start : start + 6], any_day):
            return "date"
    return None


def _is_date(value: str, any_day: bool) -> bool:
    month, day = int(value[2:4]), int(value[4:])
    if not 1 <= month <= 12 or (day == 0 and not any_day):
        return False
    return day <= _last_day(int(value[:2]), month)


def _last_day(year: int, month: int) -> int:
    return 29 if month == 2 and year % 4 == 0 else _DAYS[month - 1]
