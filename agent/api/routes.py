"""The calls of the local API, each declared once in `CALLS`: router, guard and openapi.json are made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent.api import guard, handlers, refusals, schemas
from agent.api.backend import Backend
from agent.views import Enrolled, Identified, PartState, Quoted, Sold
from loyalty.wire import Problem

Handler = Callable[[Backend, Request], Awaitable[Response]]
Answers = Mapping[int, type[msgspec.Struct] | str | None]


@dataclass(frozen=True)
class Call:
    """One call. `scope` None = no token; `answers` = struct by status, or a media type where it is not JSON."""

    method: str
    path: str
    scope: schemas.Scope | None
    handler: Handler
    summary: str
    answers: Answers
    body: type[msgspec.Struct] | None = None


_POS: Final[Answers] = dict.fromkeys((400, 401, 403, 404, 422, 503, 504), Problem)

CALLS: Final = (
    Call(
        method="POST",
        path="/v1/tills/{till}/identify",
        scope="scan",
        handler=handlers.identify,
        summary="Who is this?",
        body=schemas.IdentifyRequest,
        answers={200: Identified, **_POS},
    ),
    Call(
        method="PUT",
        path="/v1/tills/{till}/basket",
        scope="sale",
        handler=handlers.put_basket,
        summary="Quote the open receipt",
        body=schemas.BasketRequest,
        answers={200: Quoted, **_POS},
    ),
    Call(
        method="DELETE",
        path="/v1/tills/{till}/basket",
        scope="sale",
        handler=handlers.cancel_basket,
        summary="The receipt is not going to happen",
        answers={204: None, **_POS},
    ),
    Call(
        method="POST",
        path="/v1/tills/{till}/sales",
        scope="sale",
        handler=handlers.commit_sale,
        summary="The receipt is closed: commit the sale",
        body=schemas.SaleRequest,
        answers={200: Sold, 201: Sold, 409: Problem, **_POS},
    ),
    Call(
        method="POST",
        path="/v1/tills/{till}/enrolments",
        scope="print",
        handler=handlers.enrol,
        summary="Print an enrolment QR now",
        body=schemas.EnrolRequest,
        answers={201: Enrolled, **_POS},
    ),
    Call(
        method="GET",
        path="/v1/tills/{till}/receipts/doubtful",
        scope="scan",
        handler=handlers.doubtful,
        summary="Receipts of the last minutes of which nobody knows whether they were printed",
        answers={200: schemas.DoubtfulReceipts, **_POS},
    ),
    Call(
        method="POST",
        path="/v1/tills/{till}/receipts/{job}",
        scope="scan",
        handler=handlers.decide,
        summary="Somebody has looked at the paper: print a marked copy, or leave it",
        body=schemas.Decision,
        answers={204: None, 409: Problem, **_POS},
    ),
    Call(
        method="GET",
        path="/v1/tills/{till}/events",
        scope="scan",
        handler=handlers.events,
        summary="What happens at this till; the stream begins with the latest view and status",
        answers={200: "text/event-stream", 401: Problem, 403: Problem, 404: Problem, 503: Problem},
    ),
    Call(
        method="GET",
        path="/v1/status",
        scope="scan",
        handler=handlers.status,
        summary="How this agent is",
        answers={200: schemas.StatusReport, 401: Problem, 403: Problem},
    ),
    Call(
        method="POST",
        path="/v1/pairing",
        scope=None,
        handler=handlers.pair,
        summary="Pay with a one-time code for a token (POS) or a cookie (page)",
        body=schemas.PairingRequest,
        answers={201: schemas.Paired, 400: Problem, 403: Problem, 422: Problem},
    ),
    Call(
        method="GET",
        path="/healthz",
        scope=None,
        handler=handlers.healthz,
        summary="Do all threads live?",
        answers={200: schemas.Health, 503: schemas.Health},
    ),
    Call(
        method="GET",
        path="/readyz",
        scope=None,
        handler=handlers.readyz,
        summary="Can this agent take a sale?",
        answers={200: schemas.Health, 503: schemas.Health},
    ),
    Call(
        method="GET",
        path="/openapi.json",
        scope=None,
        handler=handlers.openapi,
        summary="This description",
        answers={200: "application/json"},
    ),
    Call(
        method="GET",
        path="/till/{till}",
        scope=None,
        handler=handlers.till_page,
        summary="The cashier page; its shell holds no data",
        answers={200: "text/html", 404: Problem},
    ),
    Call(
        method="GET",
        path="/pair",
        scope=None,
        handler=handlers.pair_page,
        summary="The pairing page; the code stands behind the #",
        answers={200: "text/html"},
    ),
    Call(
        method="GET",
        path="/screen/{name}",
        scope=None,
        handler=handlers.asset,
        summary="Script and style of the pages",
        answers={200: "text/*", 404: Problem},
    ),
)


def make_app(backend: Backend, port: int) -> guard.Guard:
    """Make the guarded app for that port, and let the hub hear of every change on the status board."""
    publish = _publisher(backend)
    backend.status.subscribe(publish)
    publish(backend.status.snapshot())
    app = Starlette(
        routes=[Route(call.path, _endpoint(backend, call.handler), methods=[call.method]) for call in CALLS],
        exception_handlers={handlers.Refused: _refused, Exception: _unforeseen},
    )
    rules = [guard.Rule(call.method, call.path, call.scope) for call in CALLS]
    origins = backend.allowed_origins
    return guard.Guard(app, port=port, allowed_origins=origins, rules=rules, find=backend.pairing.grant)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, handlers.Refused):
        raise error
    return refusals.respond(error.problem)


async def _unforeseen(_: Request, __: Exception) -> Response:
    return refusals.respond(refusals.refusal("unforeseen"))


def _endpoint(backend: Backend, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await handler(backend, request)

    return endpoint


_OWNED: Final = ("printer", "scanner", "till")
"""Parts that belong to one till; the others are everybody's."""


def _publisher(backend: Backend) -> Callable[[tuple[PartState, ...]], None]:
    """Tell each till of its own devices and of what all tills share."""

    def publish(board: tuple[PartState, ...]) -> None:
        for till in backend.tills:
            mine = {till} | backend.devices.get(till, frozenset(part.name for part in board))
            shown = [part for part in board if part.part not in _OWNED or part.name in mine]
            backend.hub.publish(till, "status", shown)

    return publish
