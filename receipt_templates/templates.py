"""Our own templates, ru and en: `render` fills one in and returns the document.

A template is a sandboxed Jinja2 text that makes line markup (see `markup`). It sees the fields listed here and nothing
else; a field that is not given is None, and a field that nobody knows is an error, in the caller and in the template.
All values are finished text in the customer's language; only `copy`, `card_only` (flags) and `progress_bp` (0..10000) are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Literal, cast, get_args

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from receipt_templates.document import Document
from receipt_templates.markup import MarkupError, parse, shield

Language = Literal["ru", "en"]

_INVITATION = frozenset({"shop", "at", "copy", "qr", "qr_host", "valid_until", "valid_days"})
_FIGURES = frozenset({"receipt_number", "total", "discount", "pay", "earned", "redeemed", "prompt"})
_MEMBER = frozenset({"balance", "as_of", "tier", "to_next", "progress_bp", "card_only"})

FIELDS: Mapping[str, frozenset[str]] = {
    "sale": _INVITATION | _FIGURES | _MEMBER,
    "enrolment": _INVITATION,
}
"""The templates that exist and the fields that each takes."""


class TemplateError(ValueError):
    """A template that does not exist, or fields that it does not take or cannot do without."""


def render(name: str, language: str, context: Mapping[str, object]) -> Document:
    """The slip `name` in `language`, filled in with `context`. Raises TemplateError."""
    fields = FIELDS.get(name)
    if fields is None or language not in get_args(Language):
        raise TemplateError(f"no template {name!r} in {language!r}; there are {', '.join(sorted(FIELDS))} in ru and en")
    if unknown := sorted(context.keys() - fields):
        raise TemplateError(f"{name}: unknown fields {', '.join(unknown)}; it takes {', '.join(sorted(fields))}")
    source = _environment().get_template(f"{language}/{name}.receipt").render({**dict.fromkeys(fields), **context})
    try:
        return parse(source, cast(Language, language))
    except MarkupError as error:
        raise TemplateError(f"{name}: {error}") from error


def _finished(value: object) -> str:
    """Every value that a template inserts passes here: None prints as nothing, the rest as plain text.

    An undefined name raises jinja2.UndefinedError as it is turned into text.
    """
    return "" if value is None else shield(str(value))


def _shipped(path: str) -> str | None:
    file = resources.files("receipt_templates") / path
    return file.read_text("utf-8") if file.is_file() else None


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(_shipped),
        undefined=jinja2.StrictUndefined,
        finalize=_finished,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        autoescape=False,
    )
