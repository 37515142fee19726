"""Prints an example TOML file from frozen dataclasses: what a key means stands in the metadata of its field.

`metadata={"doc": "..."}` is the comment above the key. A field that holds a dataclass becomes a table, a tuple of
dataclasses that have comments an array of tables; a dataclass without comments is written on one line.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def toml_lines(table: object, heading: str = "") -> Iterator[str]:
    """Yield the lines of `table` (a dataclass instance that is the example itself), plain keys before tables."""
    fields = dataclasses.fields(table)  # type: ignore[arg-type]  # any dataclass instance; the stub wants its protocol
    plain = [item for item in fields if not _is_table(getattr(table, item.name))]
    for item in plain:
        yield from _comment(item)
        yield f"{item.name} = {toml_value(getattr(table, item.name))}"
    for item in fields:
        if item not in plain:
            yield from _table(item, getattr(table, item.name), heading)


def toml_value(value: object) -> str:
    """Write one value on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            return (
                "{ " + ", ".join(f"{key} = {toml_value(each)}" for key, each in value.items()) + " }" if value else "{}"
            )
        case Sequence():
            return "[" + ", ".join(toml_value(each) for each in value) + "]"
        case _:
            return toml_value(_as_mapping(value))


def _as_mapping(value: object) -> Mapping[str, object]:
    fields = dataclasses.fields(value)  # type: ignore[arg-type]  # any dataclass instance; the stub wants its protocol
    return {item.name: getattr(value, item.name) for item in fields if getattr(value, item.name) != item.default}


def _is_table(value: object) -> bool:
    return dataclasses.is_dataclass(value) or (
        isinstance(value, tuple) and bool(value) and all(_has_docs(each) for each in value)
    )


def _has_docs(value: object) -> bool:
    return dataclasses.is_dataclass(value) and any(item.metadata.get("doc") for item in dataclasses.fields(value))


def _table(item: dataclasses.Field[Any], value: object, heading: str) -> Iterator[str]:
    name = f"{heading}.{item.name}" if heading else item.name
    tables, brackets = (value, "[[{}]]") if isinstance(value, tuple) else ((value,), "[{}]")
    for number, table in enumerate(tables):
        yield ""
        if number == 0:
            yield from _comment(item)
        yield brackets.format(name)
        yield from toml_lines(table, name)


def _comment(item: dataclasses.Field[Any]) -> Iterator[str]:
    for line in item.metadata.get("doc", "").splitlines():
        yield f"# {line}"
