"""Fills in the templates, ours or a retailer's, and gives the document: `render`.

A template is a text in a small part of Jinja2 (see `dialect`) that makes line markup (see `markup`). It sees the fields of
its declaration (see `fields`) and nothing else; a field that is not given is None, and one that nobody knows is an error,
in the data and in the template. Ours are the files `ru/*.receipt` and `en/*.receipt` beside this module, with `*.part` for
what several share; a retailer's come through the function `extra` and go before ours, file by file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast, get_args

import msgspec

from receipt_templates.data import checked
from receipt_templates.document import Document, Language
from receipt_templates.fields import FIELDS, Field
from receipt_templates.filling import OURS, Extra, fill, none, place
from receipt_templates.markup import MarkupError, parse
from receipt_templates.mistakes import Mistake, Place, TemplateError, suggestion

__all__ = ["Extra", "TemplateError", "example", "fields", "names", "render", "samples"]


def names() -> tuple[str, ...]:
    """The templates that exist, in the order in which people look for them."""
    return tuple(FIELDS)


def fields(name: str) -> tuple[Field, ...]:
    """What the template takes. Raises TemplateError for a name that does not exist."""
    if name not in FIELDS:
        raise TemplateError(Place(name), Mistake("no_template", hint=suggestion(name, FIELDS)))
    return FIELDS[name]


def example(name: str, language: str) -> dict[str, object]:
    """Data that show the template at its fullest, a new copy for each caller. Raises TemplateError."""
    fields(name)
    data = (OURS / "examples" / _language(language) / f"{name}.json").read_bytes()
    return cast(dict[str, object], msgspec.json.decode(data))


def samples(name: str, language: str) -> Iterator[dict[str, object]]:
    """The example, the least that the template can do with, and the example without each thing it can do without."""
    full = example(name, language)
    yield full
    yield {field.name: full[field.name] for field in fields(name) if field.required}
    for field in fields(name):
        if not field.required and field.name in full:
            yield {key: value for key, value in full.items() if key != field.name}


def render(name: str, language: str, context: Mapping[str, object], extra: Extra = none) -> Document:
    """The slip `name` in `language`, filled in with `context`. Raises TemplateError."""
    path = f"{_language(language)}/{name}.receipt"
    data = checked(path, context, fields(name))
    source = fill(path, data, extra)
    try:
        return parse(source, cast(Language, language))
    except MarkupError as error:
        raise TemplateError(place(path, data, extra, error.line), error.wrong) from error


def _language(language: str) -> str:
    if language not in get_args(Language):
        raise TemplateError(Place(language), Mistake("no_language"))
    return language
