"""uvicorn's HTTP/1.1 protocol with the deadlines that it lacks: slow headers, stalled readers, too many connections."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import ClassVar, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

_LINGER_NOT: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class BoundedProtocol(H11Protocol):
    """One connection. A peer that dawdles is cut off; nobody else waits for it."""

    header_seconds: ClassVar[float] = 5.0
    stall_seconds: ClassVar[float] = 2.0
    most_connections: ClassVar[int] = 64

    _header_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse beyond the limit; else give the peer `header_seconds` for its first request."""
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > self.most_connections:
            self.transport.abort()
            return
        self._await_header()

    def data_received(self, data: bytes) -> None:
        """Stop the header timer while a request is being answered, run it while half a request is here."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await_header()
        else:
            self._header_arrived()

    def pause_writing(self) -> None:
        """The peer does not read: give it `stall_seconds`."""
        super().pause_writing()
        self._stall_timer = self.loop.call_later(self.stall_seconds, self._reset)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._stall_ended()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timers go with the connection."""
        self._header_arrived()
        self._stall_ended()
        super().connection_lost(exc)

    def _await_header(self) -> None:
        if self._header_timer is None and not self.transport.is_closing():
            self._header_timer = self.loop.call_later(self.header_seconds, self.transport.abort)

    def _reset(self) -> None:
        """Cut off and forget what was not sent: without this the system would go on offering it to the peer."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.transport.abort()

    def _header_arrived(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _stall_ended(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
