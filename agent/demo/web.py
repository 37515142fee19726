"""The store as one page: scan, sell, watch the paper, pull the cable, see queue and ledger agree.

A thin Starlette app on loopback. The page asks for `/state` and sends orders as JSON; Host and Origin are checked like
those of the agent's own API, because a page of another site must not be able to play with the shop either.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.demo.counter import Counter, Order
from agent.demo.processes import NotReady

PAGE = Path(__file__).parent / "page"


class SameOriginOnly:
    """Refuse unsafe requests that do not come from the page itself, and those that are not JSON."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app = app
        self._origin = origin.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            own = headers.get(b"origin") == self._origin
            if not own or not headers.get(b"content-type", b"").startswith(b"application/json"):
                await Response("only the page itself may do that", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def make_page(counter: Counter, paper: Path, origin: str) -> Starlette:
    """The app behind the demo's address, which is `origin`; receipts lie in `paper`."""

    async def state(_: Request) -> Response:
        try:
            return JSONResponse(await run_in_threadpool(counter.state))
        except OSError as error:
            return _broken(error)

    async def order(request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await request.body(), type=Order)
        except msgspec.MsgspecError as error:
            return JSONResponse({"refused": "malformed", "detail": str(error)}, 400)
        return JSONResponse(await run_in_threadpool(counter.obey, wanted))

    async def ledger(_: Request) -> Response:
        try:
            return JSONResponse(await run_in_threadpool(counter.ledger))
        except NotReady as error:
            return _broken(error)

    async def receipt(request: Request) -> Response:
        path = paper / f"{request.path_params['number']:04d}.png"
        return FileResponse(path) if path.is_file() else Response(status_code=404)

    return Starlette(
        routes=[
            Route("/state", state),
            Route("/order", order, methods=["POST"]),
            Route("/ledger", ledger),
            Route("/receipts/{number:int}.png", receipt),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1"]),
            Middleware(SameOriginOnly, origin=origin),
        ],
    )


def _broken(error: Exception) -> Response:
    """One of the shop's programs is gone; its own log says why."""
    return JSONResponse({"refused": "not_ready", "detail": str(error)}, 503)
