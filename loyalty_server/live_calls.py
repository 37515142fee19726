"""What a till asks while a customer waits: who a member is."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty.wire import MemberSearch, MemberSearchReply
from loyalty_server.devices import Device
from loyalty_server.edge import Server, authenticate, decode, json_reply, read_body
from loyalty_server.search import search


class LiveCalls:
    """Their endpoints."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        """All of them."""
        return [Route("/v1/members/search", self.search, methods=["POST"])]

    async def search(self, request: Request) -> Response:
        """POST /v1/members/search."""
        server = self._server
        device = await run_in_threadpool(authenticate, server, request)
        server.rates.search(device.id, server.clock.now())
        wish = decode(await read_body(request, server.limits), MemberSearch)
        return json_reply(await run_in_threadpool(self._search, device, wish))

    def _search(self, device: Device, wish: MemberSearch) -> MemberSearchReply:
        server = self._server
        with server.database.reading() as connection:
            return search(connection, server.keys, device, wish, server.clock.now())
