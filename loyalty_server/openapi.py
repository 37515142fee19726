"""Prints openapi.json from the calls below and the wire structs: `python -m loyalty_server.openapi FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from loyalty.i18n import LANGUAGES
from loyalty.wire import (
    ClaimReply,
    ClaimRequest,
    EpochReply,
    EpochRequest,
    EventReply,
    Heartbeat,
    HeartbeatReply,
    Hold,
    HoldRequest,
    KeyReply,
    KeyRequest,
    MemberSearch,
    MemberSearchReply,
    PackedPage,
    Problem,
    Programmes,
)
from loyalty.wire_enrolment import EnrolmentCode, EnrolmentDone, EnrolmentReply, EnrolmentRequest
from loyalty_server.admin.api import ENDPOINTS, Endpoint
from loyalty_server.enrolment.wording import PURPOSES
from loyalty_server.ingest import Batch

_REF = "#/components/schemas/{name}"
_ABOUT = (
    "The central loyalty server. Tills sign each request: `Authorization: Bearer` with a compact JWS (alg Ed25519), "
    "60 seconds long and bound to the Host. Operators have a token of their own for `/v1/admin`, which is served on another port. Whole numbers are written without a point. Money is integer minor units, points are integer units of "
    "10^-point_decimals points, times are RFC 3339. A reader ignores fields that it does not know. Errors are "
    "application/problem+json with a stable `code`; `retryable` says whether the same request may succeed later."
)

Answer = type | Literal["page", "page or problem", "nothing"] | None
Answers = Mapping[int, Answer]


class Call(NamedTuple):
    """One call: what goes in, and what comes out by status."""

    method: str
    path: str
    name: str
    summary: str
    answers: Answers
    body: type | None = None
    form: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    asked: type | None = None
    by: Literal["device", "operator"] | None = "device"
    packed: bool = False


_PAGE: Answers = {200: "page", 404: "page", 410: "page", 500: "page", 503: "page or problem"}
_FORM: Answers = {
    **_PAGE, 422: "page", 429: "page", 400: Problem, 408: Problem, 413: Problem, 415: Problem,
}  # fmt: skip
_BAD: Answers = {400: Problem, 408: Problem, 413: Problem, 415: Problem, 500: Problem, 503: Problem}
_WHO: Answers = {401: Problem, 421: Problem, 429: Problem, 500: Problem, 503: Problem}
_JOIN: Answers = {404: Problem, 410: Problem, 422: Problem, **_BAD, **_WHO}


def _of_operators(endpoint: Endpoint[Any]) -> Call:
    body = None if endpoint.method == "GET" or not endpoint.wish.__struct_fields__ else endpoint.wish
    answers: dict[int, Answer] = dict.fromkeys((400, 401, 403, 429, 500, 503, *endpoint.refusals), Problem)
    if body is not None:
        answers |= _BAD
    return Call(
        endpoint.method, endpoint.path, f"admin_{endpoint.name}", endpoint.summary, {200: endpoint.answer, **answers},
        body=body, asked=endpoint.wish if endpoint.method == "GET" else None, by="operator",
    )  # fmt: skip


CALLS = (
    Call("POST", "/v1/devices", "claim", "A one-time code and a public key become a device of a store",
         {201: ClaimReply, 403: Problem, 409: Problem, 429: Problem, **_BAD}, body=ClaimRequest, by=None),
    Call("POST", "/v1/devices/epochs", "epochs", "A queue that cannot go on as it was goes on under a new epoch",
         {200: EpochReply, 403: Problem, 409: Problem, **_BAD, **_WHO}, body=EpochRequest),
    Call("PUT", "/v1/devices/me/key", "key", "The device goes on with another key; the old one is good for a day longer",
         {200: KeyReply, 403: Problem, 409: Problem, **_BAD, **_WHO}, body=KeyRequest),
    Call("GET", "/v1/programme", "programme", "The signed programme in force, and the next one; with an ETag",
         {200: Programmes, 304: "nothing", 404: Problem, **_WHO}),
    Call("GET", "/v1/members/changes", "changes", "Members that have changed since a cursor, oldest change first",
         {200: PackedPage, 410: Problem, **_WHO}, query=("since", "epoch")),
    Call("POST", "/v1/members/search", "search", "The member with a card or a telephone, as he is now",
         {200: MemberSearchReply, **_BAD, **_WHO}, body=MemberSearch),
    Call("PUT", "/v1/holds/{hold}", "hold", "Reserve points for an open receipt, under the till's own id",
         {200: Hold, 404: Problem, 409: Problem, **_BAD, **_WHO}, body=HoldRequest),
    Call("DELETE", "/v1/holds/{hold}", "release", "Let a hold be over, whether it is there or not",
         {200: None, 400: Problem, **_WHO}),
    Call("POST", "/v1/events", "events", "Rows of a device's queue, in order; each is booked once",
         {200: EventReply, 409: Problem, **_BAD, **_WHO}, body=Batch, packed=True),
    Call("POST", "/v1/enrolments", "enrol", "Somebody joins at the till: a code is sent to the phone",
         {201: EnrolmentReply, **_JOIN}, body=EnrolmentRequest),
    Call("POST", "/v1/enrolments/{enrolment}/confirm", "enrol_confirm", "The code; the member and his card come back",
         {200: EnrolmentDone, **_JOIN}, body=EnrolmentCode),
    Call("POST", "/v1/heartbeat", "heartbeat", "How a device is; commands come back",
         {200: HeartbeatReply, **_BAD, **_WHO}, body=Heartbeat),
    Call("GET", "/healthz", "health", "200 while the process answers", {200: None}, by=None),
    Call("GET", "/openapi.json", "openapi", "This document", {200: None}, by=None),
    Call("GET", "/e/{token}", "show", "The customer's enrolment page; the path is case-insensitive", _PAGE,
         query=("lang",), by=None),
    Call("POST", "/e/{token}", "ask", "Phone and consents; a code is sent to the phone", _FORM,
         form=("phone", "personal_data", "advertising", "lang", "texts", "shown"), by=None),
    Call("GET", "/e/{token}/confirm", "show_again", "The same page as /e/{token}", _PAGE, query=("lang",), by=None),
    Call("POST", "/e/{token}/confirm", "confirm", "The code; the card comes back", _FORM,
         form=("attempt", "code", "lang"), by=None),
    Call("GET", "/texts/{language}/{purpose}/{version}", "wording", "A consent text as it is agreed to",
         {200: "page", 404: Problem}, by=None),
    *map(_of_operators, ENDPOINTS),
)  # fmt: skip


def _one_of(given: str, empty: str) -> dict[str, Any]:
    return {"required": [given], "properties": {given: {"minLength": 1}, empty: {"maxLength": 0}}}


_NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 64, "description": "printable letters"}
_RULES: Mapping[str, dict[str, Any]] = {
    "HoldRequest": {
        "properties": {
            "member": _NAME,
            "till": _NAME,
            "points": {"type": "integer", "minimum": 0, "maximum": 10**12},
            "coupons": {"type": "array", "items": _NAME, "maxItems": 32},
        }
    },
    "MemberSearch": {"oneOf": [_one_of("card", "phone"), _one_of("phone", "card")]},
    "CodeFor": {"oneOf": [_one_of("store", "device"), _one_of("device", "store")]},
    "Correction": {"not": {"properties": {"points": {"const": 0}}}},
    "Find": {"oneOf": [_one_of("card", "phone"), _one_of("phone", "card")]},
}
"""What the structs themselves do not say."""


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 description of every call."""
    structs = [one for call in CALLS for one in (call.body, *call.answers.values()) if isinstance(one, type)]
    unique = list(dict.fromkeys(structs))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    for name, rule in _RULES.items():
        components[name].update(rule)
    refs = dict(zip(unique, schemas, strict=True))
    paths: dict[str, Any] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, refs)
    device = {"type": "http", "scheme": "bearer", "bearerFormat": "JWS", "description": "Signed with the device key."}
    operator = {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of an operator, on the port of `--admin`.",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tillmate central server", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"device": device, "operator": operator}},
    }


def text() -> str:
    """The document as the file holds it."""
    return json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _operation(call: Call, refs: dict[type, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": call.summary,
        "operationId": call.name,
        "security": [] if call.by is None else [{call.by: []}],
        "responses": {
            str(status): _answer(answer, refs)
            for status, answer in sorted({431: Problem, 503: Problem, **call.answers}.items())
        },
    }
    names = [part[1:-1] for part in call.path.split("/") if part.startswith("{")]
    places = [(name, "path") for name in names] + [(name, "query") for name in call.query]
    if call.packed:
        places.append(("Content-Encoding", "header"))
    parameters = [_parameter(name, place) for name, place in places] + _asked(call.asked)
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None:
        operation["requestBody"] = _content("application/json", refs[call.body])
    if call.form:
        fields = {name: {"type": "string"} for name in call.form}
        operation["requestBody"] = _content(
            "application/x-www-form-urlencoded", {"type": "object", "properties": fields}
        )
    return operation


_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "version": {"type": "integer", "minimum": 1},
    "language": {"type": "string", "enum": list(LANGUAGES)},
    "purpose": {"type": "string", "enum": list(PURPOSES)},
    "hold": {"type": "string", "maxLength": 64, "pattern": "^-*[A-Za-z0-9][A-Za-z0-9-]*$"},
    "correction": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
    "flag": {"type": "integer", "minimum": 0},
    "Content-Encoding": {"type": "string", "enum": ["identity", "gzip"]},
}


def _parameter(name: str, place: str) -> dict[str, Any]:
    schema = _SCHEMAS.get(name, {"type": "string"})
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _asked(wish: type | None) -> list[dict[str, Any]]:
    """Each field of what a query says."""
    if wish is None:
        return []
    _, components = msgspec.json.schema_components([wish], ref_template=_REF)
    shape = components[wish.__name__]
    return [
        {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": schema}
        for name, schema in shape["properties"].items()
    ]


def _content(media: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {media: {"schema": schema}}}


def _answer(answer: Answer, refs: dict[type, Any]) -> dict[str, Any]:
    match answer:
        case "nothing":
            return {"description": "Not changed"}
        case "page":
            return {"description": "A page", "content": {"text/html": {"schema": {"type": "string"}}}}
        case "page or problem":
            problem = _answer(Problem, refs)
            return {**problem, "content": {**problem["content"], **_answer("page", refs)["content"]}}
        case None:
            return {"description": "Done", "content": {"application/json": {"schema": {"type": "object"}}}}
        case _ if answer is Problem:
            return {"description": "Refused", "content": {"application/problem+json": {"schema": refs[Problem]}}}
        case _ if isinstance(answer, type):
            return {"description": "Done", "content": {"application/json": {"schema": refs[answer]}}}
    raise AssertionError(answer)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
