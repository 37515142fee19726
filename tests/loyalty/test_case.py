"""A case is read strictly: each thing that cannot be is a refusal with its place, never a traceback or a wrong number."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from loyalty import case
from loyalty.case import Answer, Case
from loyalty.programme import Programme, ProgrammeError, load
from loyalty.quote import Refusal

from . import worlds
from .worlds import seeded

Json = dict[str, Any]
AT = "2026-12-12T12:00:00+03:00"
CASE: Json = {"at": AT, "basket": {"lines": [{"sum": 100}]}}
HEAD = """
[programme]
id = "club"
revision = 1
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
"""


def refused(text: bytes | Json) -> tuple[str, str]:
    found = case.read(text if isinstance(text, bytes) else json.dumps(text).encode())
    if isinstance(found, Case):
        found = case.answer(load(HEAD, "toml"), found)  # type: ignore[assignment]
    assert isinstance(found, Refusal), found
    assert set(found.text) == {"ru", "en"}
    return found.code, found.at


def with_number(number: str) -> bytes:
    return b'{"at": "%s", "basket": {"lines": [{"sum": 1}, {"sum": %s}]}}' % (AT.encode(), number.encode())


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e308",
        "1E5",
        "1.0",
        "0.5",
        "-0.0",
        '"1"',
        "true",
        "null",
        "[]",
        "{}",
        "9" * 100,
        "-1",
    ],
)
def test_numbers_that_cannot_be(number: str) -> None:
    assert refused(with_number(number)) == ("bad_line", "basket.lines[1].sum")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff", "bad_json"),
        (b'{"at": 1} {}', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (with_number("9" * 5_000), "bad_json"),
        (b'{"store": "\\ud800"}', "bad_json"),
        (b"[]", "bad_case"),
        (b'"case"', "bad_case"),
        (b"{}", "bad_case"),
        (b" " * (case.MAX_BYTES + 1), "case_too_large"),
    ],
    ids=["nothing", "open", "bytes", "two", "deep", "digits", "half a letter", "list", "text", "empty", "large"],
)
def test_what_is_no_case(text: bytes, code: str) -> None:
    assert refused(text) == (code, "")


def test_a_deep_list_where_a_short_one_belongs() -> None:
    deep = b'{"at": "%s", "member": {"tags": %s}, "basket": {"lines": []}}' % (AT.encode(), b"[" * 900 + b"]" * 900)
    assert refused(deep)[0] in ("bad_member", "bad_json")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"redeme": 5}, ("unknown_key", "redeme")),
        ({"x": 5}, ("unknown_key", "x")),
        ({"basket": {"lines": [{"sum": 1}, {"smu": 1}]}}, ("unknown_key", "basket.lines[1].smu")),
        ({"basket": {"line": []}}, ("unknown_key", "basket.line")),
        ({"member": {"balanse": 5}}, ("unknown_key", "member.balanse")),
        ({"member": {"counters": {"purchase": {}}}}, ("unknown_key", "member.counters.purchase")),
        ({"member": {"counters": {"turnover": {"yaer": 1}}}}, ("unknown_key", "member.counters.turnover.yaer")),
        ({"member": {"lots": [{"id": "a", "points": 1, "expires": 1}]}}, ("unknown_key", "member.lots[0].expires")),
        ({"returns": [{"lines": [0]}, {"unit": []}]}, ("unknown_key", "returns[1].unit")),
        ({"redeem": "all"}, ("bad_redeem", "redeem")),
        ({"redeem": -1}, ("bad_redeem", "redeem")),
        ({"redeem": True}, ("bad_redeem", "redeem")),
        ({"redeem": 1.5}, ("bad_redeem", "redeem")),
        ({"at": "today"}, ("bad_time", "at")),
        ({"at": "2026-12-12T12:00:00"}, ("bad_time", "at")),
        ({"at": "1999-12-12T12:00:00Z"}, ("bad_time", "at")),
        ({"offline": 1}, ("bad_case", "offline")),
        ({"basket": None}, ("bad_case", "basket")),
        ({"basket": {"lines": {}}}, ("bad_case", "basket.lines")),
        ({"basket": {"lines": [{"sum": 1, "quantity": 0}]}}, ("bad_line", "basket.lines[0].quantity")),
        ({"basket": {"lines": [{"sum": 1, "minimum": -1}]}}, ("bad_line", "basket.lines[0].minimum")),
        ({"basket": {"lines": [{"sum": 1}] * 1_001}}, ("too_many_lines", "basket.lines")),
        ({"member": {"consent": "maybe"}}, ("bad_member", "member.consent")),
        ({"member": {"birthday": "2026-05-14"}}, ("bad_member", "member.birthday")),
        ({"member": {"birthday": "02-30"}}, ("bad_member", "member.birthday")),
        ({"member": {"birthday": "W05-1"}}, ("bad_member", "member.birthday")),
        ({"member": {"joined": "2025-02-29"}}, ("bad_member", "member.joined")),
        ({"member": {"membership": "20261212"}}, ("bad_member", "member.membership")),
        ({"member": {"as_of": "2026-12-12T12:00:00"}}, ("bad_member", "member.as_of")),
        ({"member": {"balance": 10**13}}, ("bad_member", "member.balance")),
        ({"member": {"stamps": {"spa": 10**13}}}, ("bad_member", "member.stamps.spa")),
        ({"member": {"counters": {"turnover": {"year": 10**13}}}}, ("bad_member", "member.counters.turnover.year")),
        ({"member": {"lots": [{"id": "a", "points": -1}]}}, ("bad_member", "member.lots[0].points")),
        ({"member": {"lots": [{"id": "a", "points": 1}] * 2}}, ("bad_member", "member.lots[1].id")),
        ({"member": {"lots": [{"id": f"{n}", "points": 1} for n in range(1_001)]}}, ("bad_member", "member.lots")),
        (
            {"member": {"lots": [{"id": "a", "points": 1, "expires_at": "2026-12-12T12:00:00"}]}},
            ("bad_member", "member.lots[0].expires_at"),
        ),
        ({"returns": [{"lines": [7]}]}, ("bad_return", "returns[0]")),
        ({"returns": [{"lines": ["0"]}]}, ("bad_return", "returns[0].lines[0]")),
    ],
)
def test_each_mistake_has_its_place(change: Json, expected: tuple[str, str]) -> None:
    assert refused(CASE | change) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b'{"at": 1, "at": 1}', "at"),
        (b'{"at": "2026-12-12T12:00:00Z", "basket": {"lines": [{"sum": 1, "sum": 2}]}}', "basket.lines[0].sum"),
        (b'{"member": {"counters": {"turnover": {"year": 1, "day": 2, "year": 3}}}}', "member.counters.turnover.year"),
        (b'{"member": {"stamps": {"spa": 1, "spa": 2}}}', "member.stamps.spa"),
    ],
)
def test_a_key_that_stands_twice(text: bytes, place: str) -> None:
    assert refused(text) == ("key_twice", place)


def test_near_misses_are_suggested() -> None:
    found = case.read(b'{"redeme": 5}')
    assert isinstance(found, Refusal)
    assert found.text["en"] == "There is no such key, did you mean 'redeem'?"


def test_a_file_that_was_saved_by_notepad_can_be_read() -> None:
    assert isinstance(case.read(b"\xef\xbb\xbf" + json.dumps(CASE).encode()), Case)


# --- fuzz -------------------------------------------------------------------------------------------------------------

STRANGE: tuple[object, ...] = (
    None, True, -1, 0, 1, 10**12, 10**12 + 1, -(10**13), 10**40, 1.5, 1e308, float("nan"), "", "x", "*", "NaN", "02-29",
    "2026-12-12", "2026-12-12T12:00:00+03:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", [], {}, [[]], [{}],
    "\ud800", "\x00\x1b[2J", "категория", "{}", "{number}", "P1D", {"": 1}, {"lifetime": 1}, [0], [[0, 1]],
)  # fmt: skip


def spoil(random: Random, value: object) -> object:
    """Somewhere in the value something else."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        name = random.choice(list(value))
        kind = random.random()
        if kind < 0.1:
            return {key: each for key, each in value.items() if key != name}
        if kind < 0.15:
            return value | {name + random.choice("sx_"): value[name]}
        return value | {name: spoil(random, value[name])}
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        return [*value[:place], spoil(random, value[place]), *value[place + 1 :]]
    return random.choice(STRANGE)


def programme_of(document: object) -> Programme | None:
    try:
        return load(json.dumps(document), "json")
    except ProgrammeError as error:
        mistakes = error.mistakes
    assert mistakes
    assert all(each.text for each in mistakes)
    return None


@pytest.mark.no_cover  # traced, it takes twice as long and reaches no line that others do not
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
def test_there_is_always_an_answer(part: int, size: Callable[[int, int], int]) -> None:
    counts = {"answers": 0, "refusals": 0, "programmes": 0}
    for seed in range(part, size(5_000, 100_000), 4):
        random = seeded(seed)
        document: object = worlds.programme(random)
        question: object = worlds.case(random, document)  # type: ignore[arg-type]
        if random.random() < 0.4:
            document = spoil(random, document)
        for _ in range(random.randint(0, 3)):
            question = spoil(random, question)
        programme = programme_of(document)
        if programme is None:
            counts["programmes"] += 1
            continue
        text = json.dumps(question, ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")
        if random.random() < 0.05:
            text = text[: random.randint(0, len(text))]
        read = case.read(text)
        found = case.answer(programme, read) if isinstance(read, Case) else read
        if isinstance(found, Refusal):
            counts["refusals"] += 1
            assert found.code
        else:
            counts["answers"] += 1
            check(found)
    assert min(counts.values()) > 100, counts


def check(found: Answer) -> None:
    """Whole numbers that add up, and JSON that can be read."""
    quote = found.quote
    assert quote.pay + quote.discount + sum(quote.line_redeemed) == quote.total
    assert all(type(each) is int for each in (quote.pay, quote.earned, quote.balance_after, *quote.line_discounts))
    assert quote.pay >= 0
    assert json.loads(found.to_json())["pay"] == quote.pay
