"""The HTTP application: every route of the central server, and nothing else.

`make_app` takes all that it works with; whoever calls it owns the database and closes it after the last request.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import nullcontext
from functools import partial
from importlib import resources

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from loyalty.columns import pack
from loyalty.wire import (
    ChangesPage,
    ClaimReply,
    ClaimRequest,
    EpochReply,
    EpochRequest,
    EventReply,
    Heartbeat,
    HeartbeatReply,
    Problem,
)
from loyalty_server.changes import changes_since
from loyalty_server.device_keys import DeviceKeys
from loyalty_server.devices import Device, claim
from loyalty_server.edge import Server, authenticate, decode, json_reply, read_batch, read_body, squeeze
from loyalty_server.enrolment.at_till import EnrolmentAtTill
from loyalty_server.enrolment.pages import trouble_page
from loyalty_server.enrolment.routes import Enrolment, wanted_language
from loyalty_server.enrolment.sender import Sender
from loyalty_server.enrolment.wording import Wordings
from loyalty_server.epochs import open_epoch
from loyalty_server.heartbeat import note_heartbeat
from loyalty_server.ingest import Batch, ingest
from loyalty_server.live_calls import LiveCalls
from loyalty_server.problems import Refused, problem, refuse, reply
from loyalty_server.programmes import in_force
from loyalty_server.storage.database import DatabaseBusy, again
from loyalty_server.storage.partitions import prepare_days
from loyalty_server.watch import Watched

log = logging.getLogger(__name__)

_LARGE = 64 << 10
"""Bytes of a batch that waits for its turn: two of them in one process take more than twice as long, each with locked rows."""


def make_app(server: Server, sender: Sender, wordings: Wordings | None = None) -> Starlette:
    """Return the application."""
    wordings = wordings or Wordings()
    enrolment = Enrolment(server, sender, wordings).routes() + EnrolmentAtTill(server, sender, wordings).routes()
    return application(
        server, Api(server).routes() + DeviceKeys(server).routes() + LiveCalls(server).routes() + enrolment
    )


def application(server: Server, routes: list[Route]) -> Starlette:
    """Return what answers these routes, watched, and says no with problems."""
    handlers = {Refused: _on_refused, DatabaseBusy: _on_busy, HTTPException: _on_http, Exception: _on_failure}
    watched = Middleware(Watched, meters=server.meters, routes=routes)
    return Starlette(routes=routes, middleware=[watched], exception_handlers=handlers)


class Api:
    """What tills ask. Bodies are read on the event loop, all SQL runs in worker threads."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._turn = asyncio.Lock()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/devices", self.claim, methods=["POST"]),
            Route("/v1/devices/epochs", self.epochs, methods=["POST"]),
            Route("/v1/programme", self.programme, methods=["GET"]),
            Route("/v1/members/changes", self.changes, methods=["GET"]),
            Route("/v1/events", self.events, methods=["POST"]),
            Route("/v1/heartbeat", self.heartbeat, methods=["POST"]),
            Route("/healthz", self.health, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
        ]

    async def claim(self, request: Request) -> Response:
        """POST /v1/devices."""
        address = "" if request.client is None else request.client.host
        self._server.rates.claim(address, self._server.clock.now())
        asked = decode(await read_body(request, self._server.limits), ClaimRequest)
        return json_reply(await run_in_threadpool(self._claim, asked), 201)

    async def epochs(self, request: Request) -> Response:
        """POST /v1/devices/epochs."""
        device = await run_in_threadpool(authenticate, self._server, request)
        wish = decode(await read_body(request, self._server.limits), EpochRequest)
        outcome = await run_in_threadpool(self._open_epoch, device, wish)
        return reply(outcome) if isinstance(outcome, Problem) else json_reply(outcome)

    async def programme(self, request: Request) -> Response:
        """GET /v1/programme, with an ETag."""
        return await run_in_threadpool(self._programme, request)

    async def changes(self, request: Request) -> Response:
        """GET /v1/members/changes?since=CURSOR&epoch=EPOCH."""
        return await run_in_threadpool(self._changes, request)

    async def events(self, request: Request) -> Response:
        """POST /v1/events."""
        device = await run_in_threadpool(authenticate, self._server, request)
        body = await read_batch(request, self._server.limits)
        async with self._turn if len(body) > _LARGE else nullcontext():
            outcome = await run_in_threadpool(self._ingest, device, decode(body, Batch))
        return reply(outcome) if isinstance(outcome, Problem) else json_reply(outcome)

    async def heartbeat(self, request: Request) -> Response:
        """POST /v1/heartbeat."""
        device = await run_in_threadpool(authenticate, self._server, request)
        beat = decode(await read_body(request, self._server.limits), Heartbeat)
        return json_reply(await run_in_threadpool(self._heartbeat, device, beat))

    async def health(self, _: Request) -> Response:
        """GET /healthz: 200 while the process answers."""
        return json_reply({"status": "ok"})

    async def openapi(self, _: Request) -> Response:
        """GET /openapi.json."""
        document = resources.files("loyalty_server").joinpath("openapi.json").read_bytes()
        return Response(document, media_type="application/json")

    def _claim(self, asked: ClaimRequest) -> ClaimReply:
        server = self._server
        with server.database.writing() as connection:
            answer = claim(connection, server.keys, asked, server.public_url, server.clock.now())
        log.info("claim device=%s store=%s", answer.device, answer.store.id)
        return answer

    def _open_epoch(self, device: Device, wish: EpochRequest) -> EpochReply | Problem:
        with self._server.database.writing() as connection:
            return open_epoch(connection, device, wish, self._server.clock.now())

    def _programme(self, request: Request) -> Response:
        authenticate(self._server, request)
        with self._server.database.reading() as connection:
            found = in_force(connection, self._server.clock.now())
        if found is None:
            raise refuse("no_programme")
        etag = f'"{hashlib.sha256(msgspec.json.encode(found)).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag, "cache-control": "no-cache"})
        return json_reply(found, etag=etag, cache_control="no-cache")

    def _changes(self, request: Request) -> Response:
        device = authenticate(self._server, request)
        asked = request.query_params
        page = pack(self._page(device, asked.get("since", ""), asked.get("epoch", "")))
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return json_reply(page)
        packed = squeeze(msgspec.json.encode(page))
        headers = {"content-encoding": "gzip", "vary": "accept-encoding", "cache-control": "no-store"}
        return Response(packed, headers=headers, media_type="application/json")

    def _page(self, device: Device, cursor: str, epoch: str) -> ChangesPage:
        server = self._server
        with server.database.reading() as connection:
            return changes_since(connection, server.keys, device, cursor, server.limits.page, server.clock.now(), epoch)

    def _ingest(self, device: Device, batch: Batch) -> EventReply | Problem:
        server = self._server
        outcome = again(partial(self._book, device, batch))
        if isinstance(outcome, EventReply):
            server.meters.batch(outcome)
        return outcome

    def _book(self, device: Device, batch: Batch) -> EventReply | Problem:
        server = self._server
        with server.database.writing() as connection:
            return ingest(connection, server.keys, device, batch, server.clock.now())

    def _heartbeat(self, device: Device, beat: Heartbeat) -> HeartbeatReply:
        server = self._server
        with server.database.writing() as connection:
            answer = note_heartbeat(connection, device, beat, server.clock.now())
        if server.life is not None and server.life.due(server.clock.now()):
            with server.database.reading() as connection:
                server.life.note(connection)
            prepare_days(server.database, server.clock.now().date())
        return answer


def _on_refused(_: Request, error: Exception) -> Response:
    return reply(error.problem) if isinstance(error, Refused) else reply(problem("internal"))


def _on_busy(request: Request, _: Exception) -> Response:
    return _trouble(request, "busy")


def _on_http(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: no such path, not this method, a client that has gone."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    answer = reply(problem({404: "not_found", 405: "method_not_allowed"}.get(status, "malformed")))
    if status == 405:
        answer.headers["allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    """What may be asked of this path, over all of its routes."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in fitting for method in route.methods or ()}


def _on_failure(request: Request, _: Exception) -> Response:
    """An unforeseen exception: uvicorn logs it; the client learns that the outcome is unknown."""
    log.error("failure method=%s", request.method)
    answer = _trouble(request, "internal")
    answer.headers["connection"] = "close"  # uvicorn ends it: a client that was not told would lose its next request
    return answer


def _trouble(request: Request, code: str) -> Response:
    """A problem for a till, a page for a customer."""
    said = problem(code)
    if request.url.path.lower().startswith("/e/"):
        return trouble_page(wanted_language(request), said.status)
    return reply(said)
