"""The problems (RFC 9457) that the API itself answers with, before a till has been asked: one table of stable codes."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from agent.problems import Table, problem
from loyalty.wire import Problem

RETRY_AFTER: Final = "1"

_TABLE: Final[Table] = {
    "host": (421, False, "The Host header is not one of this agent's own addresses"),
    "origin": (403, False, "Pages of this origin may not ask"),
    "no_origin": (403, False, "A browser must name its origin for this method"),
    "not_json": (415, False, "The body must be application/json"),
    "no_token": (401, False, "A token is needed: pair first (tillmate open)"),
    "bad_token": (401, False, "This token is not known here: pair again (tillmate open)"),
    "scope": (403, False, "This token does not allow that call"),
    "other_till": (403, False, "This token belongs to another till"),
    "not_found": (404, False, "No such call"),
    "method": (405, False, "This call does not take that method"),
    "headers_too_large": (431, False, "Headers may have 16 KiB in all"),
    "body_too_large": (413, False, "A body may have 64 KiB"),
    "body_too_slow": (408, True, "The body did not arrive in time"),
    "body_broken": (400, True, "The connection ended within the body"),
    "bad_json": (400, False, "The body is not JSON"),
    "bad_body": (422, False, "The body has the wrong shape"),
    "till_unknown": (404, False, "The configuration has no such till"),
    "job_unknown": (404, False, "This till has no such print job"),
    "job_not_now": (409, False, "This receipt may still be printed, or is already decided"),
    "not_stored": (503, True, "The local queue did not take it; ask again"),
    "too_many_screens": (503, True, "All places for event clients are taken"),
    "pairing_refused": (403, False, "This code is wrong, used or too old: ask for a new one (tillmate open)"),
    "unforeseen": (500, True, "An unforeseen error; it is in the log"),
}


def refusal(code: str, detail: str = "") -> Problem:
    """Make the problem of that code; an unknown code is a mistake of the programmer (KeyError)."""
    return problem(code, detail, _TABLE)


def respond(refused: Problem) -> Response:
    """The problem as an HTTP response. Where the body was not read the connection closes."""
    headers = {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refused.status == 503:
        headers["Retry-After"] = RETRY_AFTER
    if refused.status in (408, 413):
        headers["Connection"] = "close"
    return Response(msgspec.json.encode(refused), refused.status, headers, "application/problem+json")
