"""Prints openapi.json from `routes.CALLS` and the structs: `python -m agent.api.openapi > agent/api/openapi.json`."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import msgspec

from agent import __version__
from agent.api.routes import CALLS, Call

_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "The loyalty agent of a till, on 127.0.0.1 only. Money is integer minor units, points are integer units of "
    "10^-point_decimals points, times are RFC 3339. A reader ignores fields that it does not know. Errors are "
    "application/problem+json with a stable `code`; `retryable` says whether the same request may succeed later."
)


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 description of every call."""
    structs = [one for call in CALLS for one in (call.body, *call.answers.values()) if isinstance(one, type)]
    unique = list(dict.fromkeys(structs))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    refs = dict(zip(unique, schemas, strict=True))
    paths: dict[str, Any] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, refs)
    bearer = {"type": "http", "scheme": "bearer", "description": "From POST /v1/pairing; pages send a cookie instead."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tillmate local API", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "http://127.0.0.1:8737"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"bearer": bearer}},
    }


def text() -> str:
    """The document as the file holds it."""
    return json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _operation(call: Call, refs: dict[type, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": call.summary,
        "operationId": call.handler.__name__,
        "security": [{"bearer": []}] if call.scope else [],
        "responses": {str(status): _answer(status, answer, refs) for status, answer in call.answers.items()},
    }
    if call.scope:
        operation["description"] = f"Needs the scope `{call.scope}`."
    names = [part[1:-1] for part in call.path.split("/") if part.startswith("{")]
    if names:
        operation["parameters"] = [_parameter(name) for name in names]
    if call.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": refs[call.body]}}}
    return operation


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _answer(status: int, answer: type[msgspec.Struct] | str | None, refs: dict[type, Any]) -> dict[str, Any]:
    if answer is None:
        return {"description": "Done"}
    if isinstance(answer, str):
        return {"description": "Success", "content": {answer: {}}}
    problem = answer.__name__ == "Problem"
    media = "application/problem+json" if problem else "application/json"
    description = "Refused" if problem else "Success" if status < 400 else "Not well"
    return {"description": description, "content": {media: {"schema": refs[answer]}}}


if __name__ == "__main__":
    sys.stdout.write(text())
