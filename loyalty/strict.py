"""Turns plain tables (TOML, JSON) into frozen dataclasses, strictly, and names every mistake at once.

cattrs does the walking; the hooks below decide what fits (`true` is no number, 1.0 is no whole number, text is no list)
and `_collect` turns its tree of exceptions into flat mistakes, each with the key path a person can search for:

    printer[0].widht: unknown key, did you mean 'width'?

A field may stand under another key (`field(metadata=key("tier"))`), a type may carry checks (`Annotated[int,
between(0, 10_000)]`), and a dataclass may check itself in `__post_init__` by raising ValueError or, for several places
below it, Mistakes. Values are never repeated in a message, because some of them are secrets.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from functools import cache, partial
from operator import is_
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cattrs import Converter
from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]
HookFactory = Callable[[Any, Converter], Hook]
_KEY = "key"
_LARGEST = 10**18


@dataclasses.dataclass(frozen=True)
class Mistake:
    """What is wrong at one place. `path` is a key path like `printer[0].width`; "" is the document itself."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class Mistakes(ValueError):
    """Everything that is wrong with a document, in the order of its types."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


@dataclasses.dataclass(frozen=True)
class Check:
    """A condition on one value, hung on a type with Annotated; `text` says what the value must be.

    `schema` says the same in JSON Schema, as far as that can.
    """

    holds: Callable[[Any], bool]
    text: str
    schema: Mapping[str, object] = dataclasses.field(default_factory=dict, compare=False)


def between(low: int, high: int) -> Check:
    """Both ends belong to it."""
    schema = {"minimum": low, "maximum": high}
    return Check(lambda value: low <= value <= high, f"must be from {low} to {high}", schema)


def at_least(low: int) -> Check:
    """`low` itself is allowed."""
    return Check(lambda value: value >= low, f"must be {low} or more", {"minimum": low})


def key(name: str) -> dict[str, str]:
    """Metadata of a field that stands under `name` in the document."""
    return {_KEY: name}


def structure(data: Mapping[str, object], cls: type[T]) -> T:
    """Return `data` as a `cls`. Raises Mistakes."""
    try:
        return _converter().structure(data, cls)
    except (BaseValidationError, ValueError) as error:
        raise Mistakes(list(_collect(error, ""))) from error


def unstructure(value: object) -> object:
    """Return a dataclass as a plain table that `structure` reads back; what equals its default is left out."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        pairs = ((field, getattr(value, field.name)) for field in fields)
        return {key_of(field): unstructure(each) for field, each in pairs if each != _default_of(field)}
    if isinstance(value, tuple):
        return [unstructure(each) for each in value]
    if isinstance(value, Mapping):
        return {name: unstructure(each) for name, each in value.items()}
    return value.isoformat() if isinstance(value, date | time) else value


@cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for kind, hook in _SCALARS.items():
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(partial(is_, object), lambda value, _: value)
    converter.register_structure_hook(
        float, _structure_number
    )  # the agent's config has seconds; loyalty has no such field
    converter.register_structure_hook_func(partial(_made_of, Literal), _structure_literal)
    factories: list[tuple[Callable[[Any], bool], HookFactory]] = [
        (partial(_made_of, tuple), _tuple_hook),
        (partial(_made_of, dict), _dict_hook),
        (dataclasses.is_dataclass, _dataclass_hook),
        (partial(_made_of, Annotated), _annotated_hook),
        (_is_choice, _choice_hook),
    ]
    for applies, factory in factories:
        converter.register_structure_hook_factory(applies, factory)
    return converter


def _made_of(origin: object, cls: object) -> bool:
    return get_origin(cls) is origin


# --- what fits ------------------------------------------------------------------------------------------------------


def _plain(kind: type) -> Hook:
    def hook(value: object, _: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"must be {_WORDS[kind]}, not {_say(value)}")
        return value

    return hook


def _moment(kind: type[date] | type[time], example: str) -> Hook:
    def hook(value: object, _: object) -> object:
        try:
            moment = kind.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if type(moment) is not kind:
            raise ValueError(f"must be {_WORDS[kind]} like {example}")
        if isinstance(moment, datetime) and moment.tzinfo is None:
            raise ValueError(f"needs its offset, like {example}")
        return moment

    return hook


def _structure_number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {_say(value)}")
    if not -_LARGEST <= value <= _LARGEST:
        raise ValueError("is out of range")
    return float(value)


def _structure_literal(value: object, cls: object) -> object:
    choices = get_args(cls)
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    raise ValueError(f"must be one of {', '.join(map(repr, choices))}{_did_you_mean(value, choices)}")


def _tuple_hook(cls: type[Any], converter: Converter) -> Hook:
    inner = homogenous_tuple_structure_factory(cls, converter)

    def hook(value: object, _: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError(f"must be a list, not {_say(value)}")
        return inner(value, cls)

    return hook


def _dict_hook(cls: type[Any], converter: Converter) -> Hook:
    return _tables_only(mapping_structure_factory(cls, converter), cls)


def _dataclass_hook(cls: type[Any], converter: Converter) -> Hook:
    hints = get_type_hints(cls, include_extras=True)
    options: dict[str, Any] = {"_cattrs_use_linecache": False}
    for field in dataclasses.fields(cls):
        field.type = hints[field.name]  # cattrs resolves annotations that are text, but drops Annotated on the way
        options[field.name] = override(rename=key_of(field))
    return _tables_only(make_dict_structure_fn(cls, converter, **options), cls)


def _tables_only(inner: Hook, cls: object) -> Hook:
    def hook(value: object, _: object) -> object:
        if not isinstance(value, Mapping):
            raise ValueError(f"must be a table, not {_say(value)}")
        return inner(value, cls)

    return hook


def _annotated_hook(cls: type[Any], converter: Converter) -> Hook:
    base, *extras = get_args(cls)
    inner = converter.get_structure_hook(base)
    checks = [extra for extra in extras if isinstance(extra, Check)]

    def hook(value: object, _: object) -> object:
        result = inner(value, base)
        for check in checks:
            if not check.holds(result):
                raise ValueError(check.text)
        return result

    return hook


def _is_choice(cls: object) -> bool:
    """True for a union of several types; `X | None` alone is no choice."""
    return get_origin(cls) in (Union, UnionType) and len(_members(cls)) > 1


def _members(cls: object) -> list[Any]:
    return [member for member in get_args(cls) if member is not NoneType]


def _choice_hook(cls: object, converter: Converter) -> Hook:
    members = [(member, converter.get_structure_hook(member)) for member in _members(cls)]
    optional = NoneType in get_args(cls)

    def hook(value: object, _: object) -> object:
        if value is None and optional:
            return None
        for member, inner in members:
            if _looks_like(member, value):
                return inner(value, member)
        raise ValueError(f"must be {' or '.join(_name(member) for member, _ in members)}, not {_say(value)}")

    return hook


def _looks_like(member: object, value: object) -> bool:
    """Tell the member of a choice by the shape of the value alone; what is wrong inside is then said of that member."""
    if isinstance(value, Mapping):
        return dataclasses.is_dataclass(member) or get_origin(member) is dict
    if isinstance(value, str) and member in (date, datetime):
        return (member is datetime) == (len(value) > len("2026-01-31"))
    return type(value) is member


def _name(member: object) -> str:
    return _WORDS.get(member, "a table") if isinstance(member, type) else "a table"


# --- what is said ---------------------------------------------------------------------------------------------------

_WORDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    datetime: "a date and time",
    date: "a date",
    time: "a time",
    dict: "a table",
    list: "a list",
    tuple: "a list",
    type(None): "nothing",
}

_SCALARS: dict[type, Hook] = {
    **{kind: _plain(kind) for kind in (str, int, bool)},
    datetime: _moment(datetime, "2026-01-31T09:30:00+03:00"),
    date: _moment(date, "2026-01-31"),
    time: _moment(time, "09:30:00"),
}


def _say(value: object) -> str:
    return _WORDS.get(type(value), "a fraction")


def _collect(error: Exception, path: str) -> Iterator[Mistake]:
    match error:
        case Mistakes():
            yield from (Mistake(_join(path, each.path), each.text) for each in error.mistakes)
        case ForbiddenExtraKeysError():
            known = [key_of(field) for field in dataclasses.fields(error.cl)]
            for extra in sorted(error.extra_fields):
                yield Mistake(_join(path, extra), f"unknown key{_did_you_mean(extra, known)}")
        case BaseValidationError():
            for each in error.exceptions:
                yield from _collect(each, _place(path, each, error.cl))
        case KeyError() if _notes(error):
            yield Mistake(path, "is missing")
        case ValueError():
            yield Mistake(path, str(error))
        case _:
            raise error


def _notes(error: Exception) -> list[AttributeValidationNote | IterableValidationNote]:
    notes = getattr(error, "__notes__", ())
    return [note for note in notes if isinstance(note, AttributeValidationNote | IterableValidationNote)]


def _place(path: str, error: Exception, cls: type[Any]) -> str:
    for note in _notes(error):
        if isinstance(note, AttributeValidationNote):
            names = {field.name: key_of(field) for field in dataclasses.fields(cls)}
            return _join(path, names[note.name])
        return f"{path}[{note.index}]" if isinstance(note.index, int) else _join(path, str(note.index))
    return path


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def key_of(field: dataclasses.Field[Any]) -> str:
    """Return the name that a field has in the document."""
    name: str = field.metadata.get(_KEY, field.name)
    return name


def _default_of(field: dataclasses.Field[Any]) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _did_you_mean(given: object, known: tuple[object, ...] | list[str]) -> str:
    names = [name for name in known if isinstance(name, str)]
    near = difflib.get_close_matches(given, names, n=1) if isinstance(given, str) else []
    return f", did you mean '{near[0]}'?" if near else ""
