"""Turns a template and its data into line markup, in a sandbox, and knows the place in the template of whatever fails.

The sandbox is Jinja2's; what keeps a template from running away is the small dialect that a retailer's must keep to, and
the bound on what it makes. An environment with its compiled templates lives as long as the process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import jinja2
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment

from receipt_templates import dialect
from receipt_templates.fields import FIELDS
from receipt_templates.markup import shield
from receipt_templates.mistakes import Mistake, Place, TemplateError

Extra = Callable[[str], str | None]
"""Gives a retailer's own text of the file "ru/sale.receipt", or None. What it gave is kept while the process lives."""

SOURCE_LIMIT, OUTPUT_LIMIT = 16_384, 65_536  # characters of a template with its parts, and of the markup it makes
REPEATED_LIMIT = 300  # names, filters and the like inside loops; the usual list of products has 30
OURS = Path(__file__).parent

_EVERY_FIELD = {field.name: field for group in FIELDS.values() for field in group}
_FILE = re.compile(r"(?:ru|en)/[a-z_]+\.(?:receipt|part)")
_PLACE = re.compile("\ue100(.*?):([0-9]+)\ue101")
_STATEMENT = re.compile(r"\s*(?:\{%[^%]*%\}|\{#[^#]*#\})\s*")


def none(_path: str) -> str | None:
    """The `extra` of a retailer with no templates of his own."""
    return None


def fill(path: str, data: Mapping[str, object], extra: Extra) -> str:
    """The markup that the template makes of the data. Raises TemplateError."""
    return _fill(_environment(extra), path, data)


def place(path: str, data: Mapping[str, object], extra: Extra, line: int) -> Place:
    """Where in the templates a line of the markup comes from: filled in once more, each line marked with its place."""
    try:
        lines = _fill(_new_environment(_Loader(extra, _with_places)), path, data).splitlines()
    except TemplateError:
        return Place(path)
    places = _PLACE.findall(lines[line - 1]) if line <= len(lines) else []
    return Place(places[-1][0], int(places[-1][1])) if places else Place(path)


def _fill(environment: jinja2.Environment, path: str, data: Mapping[str, object]) -> str:
    try:
        return _bounded(path, environment.get_template(path).generate(data))
    except TemplateError:
        raise
    except jinja2.TemplateNotFound as error:
        raise TemplateError(Place(path), Mistake("include_missing", name=str(error.name))) from error
    except jinja2.TemplateSyntaxError as error:
        wrong = Mistake("syntax", message=str(error.message))
        raise TemplateError(Place(error.name or path, error.lineno), wrong) from error
    except RecursionError as error:
        raise TemplateError(Place(path), Mistake("deep")) from error
    except Mistake as error:
        raise TemplateError(_raised_in(error, path), error) from error
    except (jinja2.TemplateError, TypeError, ValueError, LookupError, SyntaxError) as error:
        raise TemplateError(_raised_in(error, path), Mistake("syntax", message=str(error))) from error


def _bounded(path: str, pieces: Iterator[str]) -> str:
    made: list[str] = []
    size = 0
    for piece in pieces:
        made.append(piece)
        size += len(piece)
        if size > OUTPUT_LIMIT:
            raise TemplateError(Place(path), Mistake("long_output", limit=OUTPUT_LIMIT))
    return "".join(made)


def _raised_in(error: Exception, path: str) -> Place:
    """The deepest template in the traceback, with its line; `path` where there is none."""
    trace, place = error.__traceback__, Place(path)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith((".receipt", ".part")):
            place = Place(file, trace.tb_lineno)
        trace = trace.tb_next
    return place


def _finished(value: object) -> str:
    """Every value that a template inserts passes here: None prints as nothing, the rest as plain text."""
    if value is None:
        return ""
    if isinstance(value, str | jinja2.Undefined) or type(value) is int:
        return shield(str(value))
    raise Mistake("not_printed")


def _of_text(name: str) -> Callable[..., str]:
    """The filter, but not of a list, whose whole text takes long to make."""
    apply = FILTERS[name]

    def filtered(value: object, *args: str) -> str:
        if isinstance(value, list | tuple | dict):
            raise Mistake("filter_text", name=name)
        return str(apply(value, *args))

    return filtered


class _Loader(jinja2.BaseLoader):
    """A retailer's file where there is one, held to the dialect; else ours."""

    def __init__(self, extra: Extra, edit: Callable[[str, str], str]) -> None:
        self._extra, self._edit = extra, edit

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        source = self._source(template)
        if self._extra(template) is not None:
            self._hold(environment, template, source)
        return self._edit(template, source), template, None

    def _source(self, path: str) -> str:
        own = self._extra(path)
        if own is not None:
            return own.removeprefix("\ufeff")
        if _FILE.fullmatch(path) and (file := OURS / path).is_file():
            return file.read_text("utf-8")
        raise jinja2.TemplateNotFound(path)

    def _hold(self, environment: jinja2.Environment, path: str, source: str) -> None:
        _check_length(path, len(source))
        whole = _checked(environment, path, source)
        parts = {part: self._source(part) for part in whole.parts}
        _check_length(path, len(source) + sum(len(parts[part]) for part in whole.parts))
        repeated = {part: _checked(environment, part, text).repeated for part, text in parts.items()}
        if whole.repeated + sum(repeated[part] for part in whole.parts) > REPEATED_LIMIT:
            raise TemplateError(Place(path), Mistake("much_in_loops"))


def _checked(environment: jinja2.Environment, path: str, source: str) -> dialect.Checked:
    name = path.partition("/")[2].removesuffix(".receipt")
    return dialect.check(path, environment.parse(source, path), FIELDS.get(name) or tuple(_EVERY_FIELD.values()))


def _check_length(path: str, length: int) -> None:
    if length > SOURCE_LIMIT:
        raise TemplateError(Place(path), Mistake("long_source", size=length, limit=SOURCE_LIMIT))


@lru_cache(maxsize=4)
def _environment(extra: Extra) -> jinja2.Environment:
    return _new_environment(_Loader(extra, lambda _, source: source))


def _new_environment(loader: _Loader) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        finalize=_finished,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        autoescape=False,
    )
    environment.globals.clear()
    environment.filters.update({name: _of_text(name) for name in ("capitalize", "lower", "trim", "upper")})
    return environment


def _with_places(path: str, source: str) -> str:
    return "\n".join(
        line if _STATEMENT.fullmatch(line) else f"{line}\ue100{path}:{number}\ue101"
        for number, line in enumerate(source.split("\n"), 1)
    )
