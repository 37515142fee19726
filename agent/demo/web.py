"""The store as one page: scan, sell, watch the paper, pull the cable, see queue and ledger agree.

A thin Starlette app on loopback. The page asks for `/state` and sends orders as JSON; Host and Origin are checked like
those of the agent's own API, because a page of another site must not be able to play with the shop either.
"""

from __future__ import annotations

import json
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

from agent.demo.customer import read_qr
from agent.demo.pos import AgentAway, CashRegister, Refused
from agent.demo.screen import Screen
from agent.demo.store import CARDS, Store
from loyalty.quote import Line

PAGE = Path(__file__).parent / "page"
SHOWN_RECEIPTS = 12


class Order(msgspec.Struct):
    """What the page asks for: one verb and its words."""

    do: str
    code: str = ""
    lines: tuple[Line, ...] = ()
    redeem: bool = False
    on: bool = True


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


class Counter:
    """The shop's counter as the page works it."""

    def __init__(self, store: Store, register: CashRegister, screen: Screen, cashier_page: str) -> None:
        self._store = store
        self._register = register
        self._screen = screen
        self._cashier_page = cashier_page

    def state(self) -> dict[str, object]:
        """Everything that the page shows, except the ledger."""
        receipts = [path.stem for path in self._store.receipts()]
        return {
            "agent": self._store.agent_runs,
            "cable": self._store.cable.plugged,
            "cards": list(CARDS),
            "cashier_page": self._cashier_page,
            "codes": _last_codes(self._store.codes),
            "language": self._store.language,
            "parts": msgspec.to_builtins(self._screen.parts),
            "printer": self._store.printer("state"),
            "receipts": receipts[-SHOWN_RECEIPTS:],
        }

    def obey(self, order: Order) -> dict[str, object]:
        """Carry out one order. A refusal of the agent comes back as `refused`."""
        try:
            return self._obey(order)
        except Refused as refused:
            return {"refused": str(refused)}
        except AgentAway:
            return {"refused": "the agent does not answer; the register would sell on without it and ask again"}

    def _obey(self, order: Order) -> dict[str, object]:
        match order.do:
            case "scan":
                self._store.scan(order.code)
            case "basket":
                return {"quoted": msgspec.to_builtins(self._register.basket(order.lines, self._redeem(order)))}
            case "sell":
                quoted = self._register.basket(order.lines, self._redeem(order))
                return {"sold": msgspec.to_builtins(self._register.commit(quoted, self._register.next_number()))}
            case "cancel":
                self._register.cancel()
            case "cable":
                self._store.cable.plug() if order.on else self._store.cable.pull()
            case "paper":
                self._store.printer("paper_in" if order.on else "paper_out")
            case "kill":
                self._store.kill_agent()
                self._store.start_agent()
            case _:
                return {"refused": f"no such order: {order.do}"}
        return {}

    def _redeem(self, order: Order) -> int | str:
        return "max" if order.redeem else 0


def make_page(counter: Counter, store: Store, origin: str) -> Starlette:
    """The app behind the demo's address. `origin` is that address."""

    async def state(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(counter.state))

    async def order(request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await request.body(), type=Order)
        except msgspec.ValidationError as error:
            return JSONResponse({"refused": str(error)}, 400)
        return JSONResponse(await run_in_threadpool(counter.obey, wanted))

    async def ledger(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(store.ledger))

    async def receipt(request: Request) -> Response:
        path = store.paper / f"{int(request.path_params['number']):04d}.png"
        return FileResponse(path) if path.is_file() else Response(status_code=404)

    async def qr(request: Request) -> Response:
        path = store.paper / f"{int(request.path_params['number']):04d}.png"
        return JSONResponse({"url": await run_in_threadpool(read_qr, path) if path.is_file() else None})

    return Starlette(
        routes=[
            Route("/state", state),
            Route("/order", order, methods=["POST"]),
            Route("/ledger", ledger),
            Route("/receipts/{number:int}.png", receipt),
            Route("/receipts/{number:int}/qr", qr),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1"]),
            Middleware(SameOriginOnly, origin=origin),
        ],
    )


def _last_codes(outbox: Path) -> list[dict[str, str]]:
    path = outbox / "codes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()[-3:]] if path.is_file() else []
