"""Around every request: a bound on how many are at work, one line in the log, and the counters of monitoring.

A line names the route and not the address, which may be the secret of a receipt.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loyalty_server.listener import MOST_HEADERS
from loyalty_server.meters import CONTENT_TYPE, Meters
from loyalty_server.problems import problem, reply

log = logging.getLogger(__name__)

MOST: Final = 256
"""Requests at work at once; forty of them have a thread, the others wait for one."""
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))


class Watched:
    """The application, watched."""

    def __init__(self, app: ASGIApp, meters: Meters, routes: Sequence[Route], most: int = MOST) -> None:
        self._app = app
        self._meters = meters
        self._routes = routes
        self._most = most
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say that there is too much to do."""
        status, began, running = 500, time.monotonic(), True

        def ended() -> None:
            nonlocal running
            if running:
                running = False
                self._running -= 1
                self._note(scope, status, time.monotonic() - began)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body"):
                ended()  # before the client can know
            await send(message)

        self._running += 1
        self._meters.began()
        try:
            refused = self._refused(scope)
            app = self._app if refused is None else reply(problem(refused))
            await app(scope, receive, watched)
        finally:
            ended()

    def _refused(self, scope: Scope) -> str | None:
        """A header that came at once was not counted while it came."""
        parts = [scope["raw_path"], scope["query_string"], *(part for field in scope["headers"] for part in field)]
        if sum(map(len, parts)) > MOST_HEADERS:
            return "header_too_large"
        return "busy" if self._running > self._most else None

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route, state = self._route(scope), scope.get("state", {})
        code, device = state.get("problem", ""), state.get("device", "-")
        self._meters.ended(method, route, status, seconds, code)
        about = f" code={code}" if code else ""
        log.info(
            "request method=%s route=%s status=%d ms=%d device=%s%s",
            method,
            route,
            status,
            seconds * 1000,
            device,
            about,
        )

    def _route(self, scope: Scope) -> str:
        """The pattern of the address: the first route that takes the method, else the first that knows the path."""
        known = ""
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return _shown(route)
            known = known or (_shown(route) if match is Match.PARTIAL else "")
        return known or "unknown"


class MetricsPage:
    """The counters, for monitoring, and nothing else."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if (scope["method"], scope["path"]) == ("GET", "/metrics"):
            await Response(self._meters.text(), media_type=CONTENT_TYPE)(scope, receive, send)
        else:
            await reply(problem("not_found"))(scope, receive, send)


class ByPort:
    """What comes to a port of its own is answered by the application there, all else by the first one."""

    def __init__(self, app: ASGIApp, others: Mapping[int, ASGIApp]) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._others.get(scope["server"][1], self._app)(scope, receive, send)


def _shown(route: Route) -> str:
    return route.path_format.replace("/E/", "/e/")
