"""Pure: where a HID POS scanner keeps a code in its reports, as its own report descriptor says.

The Bar Code Scanner page (0x8C) of the HID usage tables names the fields; makers order and size them differently. Byte
Count is of the Generic Desktop page, and not everybody has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

PAGE = 0x8C
_BYTE_COUNT = 0x1003B
_SYMBOLOGY = (PAGE << 16 | 0xFB, PAGE << 16 | 0xFC, PAGE << 16 | 0xFD)
_DATA, _CONTINUED = PAGE << 16 | 0xFE, PAGE << 16 | 0xFF

_AIM = re.compile(rb"\][A-Za-z][0-9A-Za-z]")

_LONG_ITEM = 0xFE
_INPUT, _OUTPUT, _FEATURE, _COLLECTION, _END = 0x80, 0x90, 0xB0, 0xA0, 0xC0
_USAGE_PAGE, _REPORT_SIZE, _REPORT_ID, _REPORT_COUNT, _PUSH, _POP = 0x04, 0x74, 0x84, 0x94, 0xA4, 0xB4
_USAGE, _USAGE_FROM, _USAGE_TO = 0x08, 0x18, 0x28
_CONSTANT, _VARIABLE = 1, 2
_MOST_USAGES = 256


@dataclass(frozen=True)
class Field:
    """Bits of a report, counted from its first byte, which is its number where reports have numbers."""

    start: int
    bits: int

    def value(self, report: bytes) -> int:
        """As a number, low byte first."""
        return int.from_bytes(report, "little") >> self.start & (1 << self.bits) - 1

    def bytes(self, report: bytes) -> bytes:
        """As bytes."""
        first = self.start // 8
        return report[first : first + self.bits // 8]


@dataclass(frozen=True)
class Part:
    """What one report holds of a code. `aim` is as `]E0`, or empty."""

    aim: bytes
    data: bytes
    more: bool


@dataclass(frozen=True)
class Layout:
    """The report that carries codes."""

    report: int  # its number, 0 = reports have none
    data: Field
    count: Field | None = None
    symbology: tuple[Field, ...] = ()
    more: Field | None = None

    def part(self, report: bytes) -> Part | None:
        """What a report holds; None = it is another report."""
        if self.report and report[:1] != bytes([self.report]):
            return None
        data = self.data.bytes(report)
        data = data.rstrip(b"\0") if self.count is None else data[: self.count.value(report)]
        aim = b"".join(each.bytes(report) for each in self.symbology)
        return Part(aim if _AIM.fullmatch(aim) else b"", data, self.more is not None and self.more.value(report) != 0)


@dataclass
class _State:
    """The items that count for all that follow."""

    page: int = 0
    size: int = 0
    count: int = 0
    report: int = 0


@dataclass
class _Found:
    """The fields of one report so far."""

    bits: int
    fields: dict[int, Field] = field(default_factory=dict)


def layout_of(descriptor: bytes) -> Layout | None:
    """Where codes are; None = such reports carry none."""
    for number, fields in sorted(_reports(descriptor).items()):
        if _DATA in fields:
            return Layout(
                number,
                fields[_DATA],
                fields.get(_BYTE_COUNT),
                tuple(fields[usage] for usage in _SYMBOLOGY if usage in fields),
                fields.get(_CONTINUED),
            )
    return None


def is_scanner(descriptor: bytes) -> bool:
    """Whether it says a word of bar codes."""
    return any(tag == _USAGE_PAGE and value == PAGE for tag, value in _items(descriptor))


def has_feature(descriptor: bytes, report: int) -> bool:
    """Whether there is a feature report of that number."""
    number = 0
    for tag, value in _items(descriptor):
        number = value if tag == _REPORT_ID else number
        if tag == _FEATURE and number == report:
            return True
    return False


def _reports(descriptor: bytes) -> dict[int, dict[int, Field]]:
    """For each number of an input report its fields by usage, where the page is the upper half."""
    state, stack = _State(), list[_State]()
    usages: list[int] = []
    lowest = 0
    reports: dict[int, _Found] = {}
    for tag, value in _items(descriptor):
        if tag == _USAGE:
            usages.append(_usage(state.page, value))
        elif tag == _USAGE_FROM:
            lowest = _usage(state.page, value)
        elif tag == _USAGE_TO:
            usages += range(lowest, min(_usage(state.page, value), lowest + _MOST_USAGES) + 1)
        elif tag in (_INPUT, _OUTPUT, _FEATURE, _COLLECTION, _END):
            if tag == _INPUT:
                found = reports.setdefault(state.report, _Found(8 if state.report else 0))
                _place(found, state, [] if value & _CONSTANT else usages)
            usages = []
        else:
            state = _changed(state, stack, tag, value)
    return {number: found.fields for number, found in reports.items()}


def _place(found: _Found, state: _State, usages: list[int]) -> None:
    """Put the fields of one input item behind those that are there. The last usage holds for all that are left."""
    start, left = found.bits, state.count
    found.bits += state.size * state.count
    for number, usage in enumerate(usages[:left]):
        length = left - number if number == len(usages) - 1 else 1
        found.fields.setdefault(usage, Field(start, state.size * length))
        start += state.size * length


def _changed(state: _State, stack: list[_State], tag: int, value: int) -> _State:
    names = {_USAGE_PAGE: "page", _REPORT_SIZE: "size", _REPORT_ID: "report", _REPORT_COUNT: "count"}
    if tag == _PUSH:
        stack.append(_State(**vars(state)))
    elif tag == _POP and stack:
        return stack.pop()
    elif tag in names:
        return _State(**{**vars(state), names[tag]: value})
    return state


def _usage(page: int, value: int) -> int:
    return value if value > 0xFFFF else page << 16 | value


def _items(descriptor: bytes) -> Iterator[tuple[int, int]]:
    """Tag and value of each short item; one that is cut off ends it."""
    at = 0
    while at < len(descriptor):
        prefix = descriptor[at]
        if prefix == _LONG_ITEM:
            at += 3 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
            continue
        size = (0, 1, 2, 4)[prefix & 3]
        value = descriptor[at + 1 : at + 1 + size]
        if len(value) == size:
            yield prefix & 0xFC, int.from_bytes(value, "little")
        at += 1 + size
