"""The slow model of the programme design against cases that were worked out by hand from its text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.loyalty.model import lot_expiry, model_quote

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def only(expected: object, got: object) -> object:
    """Of `got` the keys that `expected` names, at any depth: texts, and errors' other fields, are left out."""
    if isinstance(expected, dict) and isinstance(got, dict) and ("code" in expected or "rule" in expected):
        return {key: got.get(key) for key in expected}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [only(a, b) for a, b in zip(expected, got, strict=True)]
    return got


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    answer = model_quote(case["programme"], case["case"])
    for field, expected in case["expect"].items():
        assert only(expected, answer.get(field)) == expected, f"{case['what']} ({field})"


@pytest.mark.parametrize(
    ("lives", "until", "at", "burns"),
    [
        ("P12M", "exact", "2026-12-12T12:00:00+03:00", "2027-12-12T12:00:00+03:00"),
        ("P12M", "end_of_month", "2026-12-12T12:00:00+03:00", "2028-01-01T00:00:00+03:00"),
        ("P1M", "exact", "2027-01-31T12:00:00+03:00", "2027-02-28T12:00:00+03:00"),  # no month is longer than it is
        ("P1M", "exact", "2028-01-31T12:00:00+03:00", "2028-02-29T12:00:00+03:00"),
        ("P12M", "exact", "2028-02-29T12:00:00+03:00", "2029-02-28T12:00:00+03:00"),
        ("P1Y", "exact", "2028-02-29T12:00:00+03:00", "2029-02-28T12:00:00+03:00"),
        ("P14D", "exact", "2026-12-25T12:00:00+03:00", "2027-01-08T12:00:00+03:00"),
        ("P2W", "end_of_month", "2026-12-25T12:00:00+03:00", "2027-02-01T00:00:00+03:00"),
        ("P1M", "end_of_month", "2026-11-30T23:59:59+03:00", "2027-01-01T00:00:00+03:00"),
        ("P1M", "end_of_month", "2026-11-30T21:00:00+00:00", "2027-02-01T00:00:00+03:00"),  # 1 December in the shop
        ("P1Y2M3D", "exact", "2026-01-01T00:00:00+03:00", "2027-03-04T00:00:00+03:00"),
    ],
)
def test_lots_burn(lives: str, until: str, at: str, burns: str) -> None:
    programme = {"programme": {"timezone": "Europe/Moscow"}, "lots": {"lives": lives, "until": until}}
    found = lot_expiry(programme, at)
    assert found is not None
    assert found.isoformat() == burns


def test_lots_without_a_life_never_burn() -> None:
    programme = {"programme": {"timezone": "Europe/Moscow"}}
    assert lot_expiry(programme, "2026-12-12T12:00:00+03:00") is None
