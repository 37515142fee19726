"""Serving: one uvicorn in the calling thread, on a socket that was bound before, until the stop event or SIGTERM.

Bound before anything else, so that the port is known (also when 0 was asked for) and a taken one is refused at once.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from loyalty_server.connections import BoundedProtocol

MOST_HEADERS: Final = 16 * 1024


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises OSError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle on
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def serve(
    app: ASGIApp,
    listener: socket.socket,
    stop: threading.Event,
    ready: Callable[[], None],
    *more: socket.socket,
    protocol: type[BoundedProtocol] = BoundedProtocol,
) -> None:
    """Answer requests until `stop`; `ready` is called once they are answered. In the main thread SIGTERM stops it too.

    What comes to `more` sockets is answered by the same application.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",  # access lines would hold the tokens of enrolment addresses
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MOST_HEADERS,
    )
    try:
        _Uvicorn(config, stop, ready).run(sockets=[listener, *more])
    finally:
        for each in (listener, *more):
            each.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn looks at its own flag ten times a second; here it looks at our stop event too."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        if self._stop.is_set():
            self.should_exit = True
        return await super().on_tick(counter)
