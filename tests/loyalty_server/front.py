"""One listening socket for all tests."""

from __future__ import annotations

import threading

from starlette.types import ASGIApp, Receive, Scope, Send

from loyalty_server.listener import bind, serve


class Front:
    """One listening socket for all tests; behind it stands the application of the test that runs."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        listener = bind("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._stop, ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=serve, args=(self, listener, self._stop, ready.set))
        self._thread.start()
        assert ready.wait(5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()
