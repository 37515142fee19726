"""What a till asks while a customer waits: who a member is, and points that nobody else may pay with meanwhile."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty.wire import Hold, HoldRequest, MemberSearch, MemberSearchReply
from loyalty_server import regulars
from loyalty_server.devices import Device
from loyalty_server.edge import Server, authenticate, decode, json_reply, read_body
from loyalty_server.holds import put_hold, release, sweep
from loyalty_server.problems import refuse
from loyalty_server.redemption import redemption_stopped
from loyalty_server.search import search
from loyalty_server.storage.database import DatabaseBusy

log = logging.getLogger(__name__)

_SWEEP = timedelta(minutes=1)


class LiveCalls:
    """Their endpoints."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._swept = server.clock.now()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/members/search", self.search, methods=["POST"]),
            Route("/v1/holds/{hold}", self.hold, methods=["PUT"]),
            Route("/v1/holds/{hold}", self.release, methods=["DELETE"]),
        ]

    async def search(self, request: Request) -> Response:
        """POST /v1/members/search."""
        server = self._server
        device = await run_in_threadpool(authenticate, server, request)
        server.rates.search(device.id, server.clock.now())
        wish = decode(await read_body(request, server.limits), MemberSearch)
        return json_reply(await run_in_threadpool(self._search, device, wish))

    async def hold(self, request: Request) -> Response:
        """PUT /v1/holds/{hold}."""
        server = self._server
        device = await run_in_threadpool(authenticate, server, request)
        wish = decode(await read_body(request, server.limits), HoldRequest)
        return json_reply(await run_in_threadpool(self._hold, device, request.path_params["hold"], wish))

    async def release(self, request: Request) -> Response:
        """DELETE /v1/holds/{hold}."""
        device = await run_in_threadpool(authenticate, self._server, request)
        await run_in_threadpool(self._release, device, request.path_params["hold"])
        return json_reply({})

    def _search(self, device: Device, wish: MemberSearch) -> MemberSearchReply:
        """Whom a till looks for is a regular of its store from then on."""
        server, now = self._server, self._server.clock.now()
        with server.database.reading() as connection:
            reply = search(connection, server.keys, device, wish, now)
            known = reply.found is None or regulars.is_one(connection, device.store, reply.found.member)
        if reply.found is not None and not known:
            self._welcome(device, reply.found.member)
        return reply

    def _welcome(self, device: Device, member: str) -> None:
        """A customer waits: the answer stands without it, and whoever buys becomes a regular anyway."""
        try:
            with self._server.database.writing() as connection:
                regulars.welcome(connection, device.store, member)
        except DatabaseBusy as error:
            log.warning("regular=not_yet store=%s error=%s", device.store, error)

    def _hold(self, device: Device, name: str, wish: HoldRequest) -> Hold:
        server, now = self._server, self._server.clock.now()
        with server.database.writing() as connection:
            if wish.points and redemption_stopped(connection, device):
                raise refuse("redemption_stopped")
            granted = put_hold(connection, device, name, wish, now)
        self._sweep(now)
        return granted

    def _release(self, device: Device, name: str) -> None:
        server, now = self._server, self._server.clock.now()
        with server.database.writing() as connection:
            release(connection, device, name, now)
        self._sweep(now)

    def _sweep(self, now: datetime) -> None:
        if now - self._swept >= _SWEEP:
            self._swept = now
            with self._server.database.writing() as connection:
                sweep(connection, now)
