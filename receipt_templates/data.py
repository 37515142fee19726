"""Holds the data of a slip against the fields that its template takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from receipt_templates.fields import Field, Kind
from receipt_templates.mistakes import Mistake, Place, TemplateError, suggestion

ROWS_LIMIT = 500
TEXT_LIMIT = 2000


def checked(where: str, data: Mapping[str, object], fields: Sequence[Field]) -> dict[str, object]:
    """`data` with None, or an empty list, for every field that is not given. Raises TemplateError."""
    known = {field.name: field for field in fields}
    for key in data:
        if key not in known:
            raise TemplateError(Place(where), Mistake("unknown_key", name=key, hint=suggestion(key, known)))
    return {name: _value(where, field, data.get(name)) for name, field in known.items()}


def _value(where: str, field: Field, value: object) -> object:
    if value is None:
        if field.required:
            raise TemplateError(Place(where), Mistake("missing", name=field.name))
        return () if field.kind in ("texts", "rows") else None
    if field.kind == "rows" and isinstance(value, Sequence) and not isinstance(value, str):
        return _rows(f"{where}: {field.name}", field, value)
    if not _fits(field.kind, value):
        raise TemplateError(Place(where), Mistake(f"not_{field.kind}", name=field.name, given=f"{value!r:.40}"))
    for text in (value,) if isinstance(value, str) else value if isinstance(value, Sequence) else ():
        if len(text) > TEXT_LIMIT:
            wrong = Mistake("long_text", name=field.name, size=len(text), limit=TEXT_LIMIT)
            raise TemplateError(Place(where), wrong)
    return value


def _fits(kind: Kind, value: object) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "flag":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9
        case _:
            return isinstance(value, (list, tuple)) and len(value) <= ROWS_LIMIT and _all_text(value)


def _all_text(values: Sequence[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _rows(where: str, field: Field, rows: Sequence[object]) -> list[dict[str, object]]:
    if len(rows) > ROWS_LIMIT:
        raise TemplateError(Place(where), Mistake("many_rows", count=len(rows), limit=ROWS_LIMIT))
    return [_row(f"{where}[{index}]", field, row) for index, row in enumerate(rows)]


def _row(where: str, field: Field, row: object) -> dict[str, object]:
    if not isinstance(row, Mapping):
        keys = ", ".join(each.name for each in field.rows)
        raise TemplateError(Place(where), Mistake("not_row", keys=keys, given=f"{row!r:.40}"))
    return checked(where, row, field.rows)
