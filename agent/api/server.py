"""The one thread of the local API: our own bound socket, uvicorn with h11 on it, and a stop event that ends it."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import ClassVar, Final

import uvicorn
from starlette.types import ASGIApp

from agent.api.events import Hub
from agent.api.protocol import BoundedProtocol
from loyalty.errors import TillmateError

log = logging.getLogger(__name__)

ADDRESS: Final = "127.0.0.1"
MOST_HEADERS: Final = 16 * 1024


class PortInUse(TillmateError):
    """Another program listens on the port of the local API (exit 69)."""

    code: ClassVar[str] = "port_in_use"


class Server:
    """`bind` in the thread that starts the agent, then `run` in a thread of its own."""

    def __init__(self, port: int, make_app: Callable[[int], ASGIApp], hub: Hub) -> None:
        self._port = port
        self._make_app = make_app
        self._hub = hub
        self._socket: socket.socket | None = None
        self._app: ASGIApp | None = None

    def bind(self) -> int:
        """Listen on the loopback address; from here on connections wait. Returns the port. Raises PortInUse."""
        self._socket = _listen(self._port)
        self._port = int(self._socket.getsockname()[1])
        return self._port

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop`; then end the event streams, give running answers a second, and return."""
        if self._socket is None:
            self.bind()
        listener, self._socket = self._socket, None
        if listener is None:
            return
        self._app = self._app or self._make_app(self._port)  # once: it listens to the status board
        config = uvicorn.Config(
            self._app,
            http=BoundedProtocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MOST_HEADERS,
        )
        log.info("api listens address=%s port=%d", ADDRESS, self._port)
        self._hub.open()
        try:
            _Uvicorn(config, stop, self._hub).run(sockets=[listener])
        finally:
            self._hub.close()
            listener.close()

    def close(self) -> None:
        """Give a bound socket back that `run` never took."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _Uvicorn(uvicorn.Server):
    """uvicorn looks at its own flag ten times a second; here it looks at our stop event too."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event, hub: Hub) -> None:
        super().__init__(config)
        self._stop = stop
        self._hub = hub

    async def on_tick(self, counter: int) -> bool:
        if self._stop.is_set():
            self._hub.close()
            self.should_exit = True
        return await super().on_tick(counter)


def _listen(port: int) -> socket.socket:
    """Bind and listen at once: on Linux only a listening socket keeps others off a port that is bound for reuse."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle on
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUse(f"port {port} on {ADDRESS} cannot be taken: {error.strerror}", port=port) from error
    listener.setblocking(False)
    return listener
