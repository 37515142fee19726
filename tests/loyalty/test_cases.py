"""The product against the cases that were worked out by hand from the design; the same cases hold the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .answers import answer

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))

REFUSED_BY_THE_LOADER = {
    "offline_without_limits": "redeem.offline",  # `capped` without its caps is no cap: the loader wants both
}


def only(expected: object, got: object) -> object:
    """Of `got` what `expected` names: sentences, and an error's other fields, are left out."""
    if isinstance(expected, dict) and isinstance(got, dict) and ("code" in expected or "rule" in expected):
        return {key: got.get(key) for key in expected}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [only(one, other) for one, other in zip(expected, got, strict=True)]
    return got


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found = answer(case["programme"], case["case"])
    if path.stem in REFUSED_BY_THE_LOADER:
        assert found["error"] == {"code": "programme", "at": REFUSED_BY_THE_LOADER[path.stem]}
        return
    for field, expected in case["expect"].items():
        assert only(expected, found.get(field)) == expected, f"{case['what']} ({field})"


def test_there_are_cases() -> None:
    assert len(CASES) > 400
