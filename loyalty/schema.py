"""JSON Schema (2020-12) of the programme document, read off the types that the loader holds it against."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, time
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from loyalty.offers import Give
from loyalty.programme import Programme
from loyalty.strict import Check, key_of, unstructure

Schema = dict[str, Any]

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
}
_ONE_OF_ITS_KEYS: dict[type, Schema] = {Give: {"minProperties": 1, "maxProperties": 1}}


def programme_schema() -> Schema:
    """Return the schema; the same tables, keys and limits as `loyalty.programme.load` takes."""
    definitions: dict[str, Schema] = {}
    whole = _table(Programme, definitions)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Tillmate loyalty programme"}
    return {**head, **whole, "$defs": dict(sorted(definitions.items()))}


def _table(cls: type[Any], definitions: dict[str, Schema]) -> Schema:
    hints = get_type_hints(cls, include_extras=True)
    every = dataclasses.fields(cls)
    return {
        "description": (cls.__doc__ or "").strip().splitlines()[0],
        "type": "object",
        "additionalProperties": False,
        "properties": {key_of(each): _field(each, hints[each.name], definitions) for each in every},
        "required": [key_of(each) for each in every if _is_needed(each)],
        **_ONE_OF_ITS_KEYS.get(cls, {}),
    }


def _field(each: dataclasses.Field[Any], hint: object, definitions: dict[str, Schema]) -> Schema:
    schema = _of(hint, definitions)
    plain = isinstance(each.default, str | int) and each.default is not None
    return {**schema, "default": unstructure(each.default)} if plain else schema


def _is_needed(each: dataclasses.Field[Any]) -> bool:
    return each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING


def _of(hint: object, definitions: dict[str, Schema]) -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        base, *extras = arguments
        checks = [dict(extra.schema) for extra in extras if isinstance(extra, Check)]
        return {name: value for part in (_of(base, definitions), *checks) for name, value in part.items()}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is dict:
        names, values = (_of(each, definitions) for each in arguments)
        return {"type": "object", "propertyNames": names, "additionalProperties": values}
    return _choice(hint, definitions)


def _choice(hint: object, definitions: dict[str, Schema]) -> Schema:
    members = [each for each in get_args(hint) if each is not NoneType]
    if len(members) > 1:
        return {"anyOf": [_of(each, definitions) for each in members]}
    if members:
        return _of(members[0], definitions)
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        return dict(_SCALARS[hint])
    name = hint.__name__
    if name not in definitions:
        definitions[name] = _table(hint, definitions)
    return {"$ref": f"#/$defs/{name}"}
