"""A case: everything that one quote depends on, as JSON. Read strictly, because people write cases by hand.

Unlike the messages between machines, a case may have no key that nobody knows, none twice, no fraction, NaN or number
without end. Each mistake is a refusal that names its place.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

import msgspec

from loyalty import engine, returns
from loyalty.i18n import texts
from loyalty.programme import Programme
from loyalty.quote import Basket, Counters, MemberState, Quote, Refusal, Returned, ReturnRequest
from loyalty.rules.validation import refusal

MAX_BYTES = 4_000_000
"""Far more than a thousand lines need."""

_PERIODS = ("lifetime", "year", "month", "day")
_CODES = {
    "at": "bad_time",
    "basket.lines[": "bad_line",
    "member": "bad_member",
    "redeem": "bad_redeem",
    "returns": "bad_return",
}
_PLACE = re.compile(r" - at `\$\.?(.*)`$")


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What `tillmate quote` reads."""

    at: datetime
    basket: Basket
    store: str = ""
    redeem: int | Literal["max"] = 0
    offline: bool = False
    member: MemberState | None = None
    returns: tuple[ReturnRequest, ...] | None = None


class Answer(msgspec.Struct, frozen=True):
    """A case with its quote, and what its returns do."""

    case: Case
    quote: Quote
    returns: tuple[Returned, ...] | None = None

    def to_json(self) -> bytes:
        """Return one line of JSON, the same bytes for the same answer."""
        table: dict[str, Any] = msgspec.to_builtins(self.quote)
        if self.returns is not None:
            table["returns"] = msgspec.to_builtins(self.returns)
        return msgspec.json.encode(table)


def read(text: bytes) -> Case | Refusal:
    """Return the case, or its first mistake."""
    if len(text) > MAX_BYTES:
        return refusal("case_too_large", "", limit=MAX_BYTES)
    try:
        raw = json.loads(
            text.decode("utf-8-sig"), object_pairs_hook=_Table.of, parse_float=_NotWhole, parse_constant=_NotWhole
        )
        json.dumps(raw, ensure_ascii=False, default=str).encode()  # half a letter (\ud800) cannot be answered
        strange = next(_strange(raw, Case, ""), None)
    except (ValueError, RecursionError) as error:
        return refusal("bad_json", "", detail=str(error))
    return strange if strange is not None else _convert(raw)


def answer(programme: Programme, case: Case) -> Answer | Refusal:
    """Return what the programme makes of a case."""
    quote = engine.quote(programme, case.member, case.basket, case.at, case.redeem, case.offline, case.store)
    if isinstance(quote, Refusal) or case.returns is None:
        return quote if isinstance(quote, Refusal) else Answer(case, quote)
    sold = returns.Sold(
        programme=programme, member=case.member, basket=case.basket, at=case.at, quote=quote, store=case.store
    )
    settled = returns.settle(sold, case.returns)
    return settled if isinstance(settled, Refusal) else Answer(case, quote, settled)


def _convert(raw: object) -> Case | Refusal:
    try:
        return msgspec.convert(raw, Case)
    except msgspec.ValidationError as error:
        detail = str(error).replace(_NotWhole.__name__, "a number that is not whole")
        found = _PLACE.search(detail)
        place = found[1] if found else ""
        code = next((code for start, code in _CODES.items() if place.startswith(start)), "bad_case")
        return refusal(code, place, detail=_PLACE.sub("", detail))


class _NotWhole:
    """A number that no field of a case takes."""

    def __init__(self, text: str) -> None:
        self.text = text


class _Table(dict[str, Any]):
    """A JSON object that remembers a key that it has twice."""

    twice: str | None = None

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Table:
        table = cls(pairs)
        if len(table) < len(pairs):
            seen: set[str] = set()
            table.twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        return table


def _strange(value: object, kind: object, place: str) -> Iterator[Refusal]:
    """Yield what no reader would look at: keys that the types do not have, and keys that stand twice."""
    if isinstance(value, _Table):
        if value.twice is not None:
            yield refusal("key_twice", _join(place, value.twice))
        yield from _strange_keys(value, _struct(kind), place)
    if isinstance(value, list):
        inner = next((each for each in (kind, *get_args(kind)) if get_origin(each) is tuple), None)
        for number, each in enumerate(value):
            yield from _strange(each, get_args(inner)[0] if inner else object, f"{place}[{number}]")


def _strange_keys(table: _Table, struct: type[msgspec.Struct] | None, place: str) -> Iterator[Refusal]:
    if struct is None:
        return
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for name, value in table.items():
        if name in fields:
            yield from _strange(value, fields[name], _join(place, name))
            periods = value if struct is Counters and isinstance(value, _Table) else ()
            yield from (_unknown(each, list(_PERIODS), _join(place, name)) for each in periods if each not in _PERIODS)
        else:
            yield _unknown(name, list(fields), place)


def _struct(kind: object) -> type[msgspec.Struct] | None:
    for each in (kind, *get_args(kind)):
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            return each
    return None


def _unknown(name: str, known: list[str], place: str) -> Refusal:
    near = difflib.get_close_matches(name, known, n=1)
    said = texts("refusal.unknown_key_near", near=near[0]) if near else texts("refusal.unknown_key")
    return Refusal(code="unknown_key", at=_join(place, name), text=said)


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
