"""The published JSON Schema says no to nothing that the loader takes, and no to what the loader calls a wrong shape."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from loyalty.programme import ProgrammeError, load
from loyalty.schema import programme_schema

from . import worlds
from .worlds import seeded

Json = dict[str, Any]
SCHEMA = programme_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "boolean": (bool,),
}  # fmt: skip


def fits(value: Any, schema: Json) -> bool:  # noqa: ANN401 - any JSON value
    """A small validator: the keywords that our schema uses, and no other. The type first, then what needs it."""
    names = sorted(schema, key=lambda name: name != "type")
    return all(KEYWORDS[name](value, schema[name], schema) for name in names)


def _type(value: Any, wanted: str, _: Json) -> bool:  # noqa: ANN401
    return isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))


def _properties(value: Any, wanted: Json, schema: Json) -> bool:  # noqa: ANN401
    extra = schema.get("additionalProperties", True)
    for name, each in value.items():
        rule = wanted.get(name, extra)
        if rule is False or (isinstance(rule, dict) and not fits(each, rule)):
            return False
    return True


def _additional(value: Any, wanted: Any, schema: Json) -> bool:  # noqa: ANN401
    return "properties" in schema or wanted is False or all(fits(each, wanted) for each in value.values())


KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("$schema", "$defs", "title", "description", "default", "format"), lambda *_: True),
    "$ref": lambda value, wanted, _: fits(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")]),
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": lambda value, wanted, _: all(fits(name, wanted) for name in value),
    "required": lambda value, wanted, _: set(wanted) <= set(value),
    "items": lambda value, wanted, _: all(fits(each, wanted) for each in value),
    "enum": lambda value, wanted, _: any(value == each and type(value) is type(each) for each in wanted),
    "anyOf": lambda value, wanted, _: any(fits(value, each) for each in wanted),
    "minimum": lambda value, wanted, _: value >= wanted,
    "maximum": lambda value, wanted, _: value <= wanted,
    "minItems": lambda value, wanted, _: len(value) >= wanted,
    "maxItems": lambda value, wanted, _: len(value) <= wanted,
    "maxLength": lambda value, wanted, _: len(value) <= wanted,
    "minProperties": lambda value, wanted, _: len(value) >= wanted,
    "maxProperties": lambda value, wanted, _: len(value) <= wanted,
    "pattern": lambda value, wanted, _: re.search(wanted, value) is not None,
}


@pytest.mark.parametrize("seed", range(400))
def test_what_the_loader_takes_fits_the_schema(seed: int) -> None:
    document = worlds.programme(seeded(seed))
    load(json.dumps(document), "json")
    assert fits(document, SCHEMA)


CHANGES: list[tuple[list[str | int], object]] = [
    (["programme", "id"], "a b"),
    (["programme", "revision"], 0),
    (["programme", "engine"], 2),
    (["programme", "law"], "russia"),
    (["programme", "currency"], "rub"),
    (["programme", "point_decimals"], 1),
    (["programme", "x"], 1),
    (["earn", "rate_bp"], 10_001),
    (["earn", "rate_bp"], True),
    (["earn", "rate"], 1),
    (["redeem", "step"], 0),
    (["redeem", "offline", "policy"], "cap"),
    (["redeem", "exclude", "categories"], "tea"),
    (["lots", "lives"], "12 months"),
    (["lots", "lives"], "P0D"),
    (["tier", 0, "discount_bp"], -1),
    (["tier", 0, "name"], {"de": "x"}),
    (["tier", 0, "name"], {"ru": 1}),
    (["offer", 0, "give"], {}),
    (["offer", 0, "give"], {"points": 1, "discount": 1}),
    (["offer", 0, "give"], {"prompt": 5}),
    (["offer", 0, "give"], {"slip": "lottery"}),
    (["offer", 0, "when", "weekdays"], [8]),
    (["offer", 0, "when", "weekdays"], []),
    (["offer", 0, "when", "birthday"], {"days": 1}),
    (["offer", 0, "when", "birthday"], 5),
    (["offer", 0, "on"], {"category": ["tea"]}),
    (["offer", 0, "priority"], 10**7),
    (["stamp_card", 0, "buy"], 0),
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=lambda each: json.dumps(each))
def test_wrong_shapes_are_wrong_for_both(path: list[str | int], value: object) -> None:
    document: Json = {
        "programme": {
            "id": "club", "revision": 1, "engine": 1, "starts_at": "2026-01-01T00:00:00+03:00",
            "timezone": "Europe/Moscow", "currency": "RUB",
        },
        "earn": {"rate_bp": 1}, "redeem": {"offline": {"policy": "none"}, "exclude": {"promo": True}},
        "lots": {"lives": "P1Y"}, "tier": [{"id": "a"}],
        "stamp_card": [{"id": "s", "buy": 5, "free": 1}], "offer": [{"id": "o", "give": {"points": 1}, "when": {}}],
    }  # fmt: skip
    assert fits(document, SCHEMA)
    load(json.dumps(document), "json")
    table: Any = document
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    assert not fits(document, SCHEMA)
    with pytest.raises(ProgrammeError):
        load(json.dumps(document), "json")


def test_every_table_and_key_of_the_design_is_there() -> None:
    assert list(SCHEMA["properties"]) == [
        "programme", "earn", "discount", "redeem", "lots", "returns", "fiscal", "tier", "stamp_card", "offer",
    ]  # fmt: skip
    assert SCHEMA["required"] == ["programme"]
    assert SCHEMA["$defs"]["Header"]["required"] == ["id", "revision", "engine", "starts_at", "timezone", "currency"]
    assert len(SCHEMA["$defs"]["Give"]["properties"]) == 10
    assert len(SCHEMA["$defs"]["When"]["properties"]) == 15
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
