"""The listening sockets of all tests."""

from __future__ import annotations

import threading

from starlette.types import ASGIApp, Receive, Scope, Send

from loyalty_server.listener import bind, serve
from loyalty_server.watch import ByPort


class Front:
    """Two listening sockets, for tills and for operators; behind them stand the applications of the test that runs."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.admin: ASGIApp | None = None
        listener, beside = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
        self.url, self.admin_url = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in (listener, beside))
        self._stop, ready = threading.Event(), threading.Event()
        app = ByPort(self._tills, {beside.getsockname()[1]: self._operators})
        self._thread = threading.Thread(target=serve, args=(app, listener, self._stop, ready.set, beside))
        self._thread.start()
        assert ready.wait(5)

    async def _tills(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    async def _operators(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.admin is not None
        await self.admin(scope, receive, send)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()
