"""uvicorn's HTTP/1.1 protocol with the deadlines that it lacks, a bound on connections, and problems for what is not HTTP.

A connection has one timer: for the header while none or half of one is here, then for the whole request, until its last
byte is written; another one runs while the peer does not read. Whoever is slower is cut off; nobody else waits for him. (A
body has a deadline of its own and an answer: see `loyalty_server.edge.read_bounded`.)
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Callable
from typing import ClassVar, Final, cast

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from loyalty_server.problems import problem

log = logging.getLogger(__name__)

_LINGER_NOT: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class BoundedProtocol(H11Protocol):
    """One connection."""

    header_seconds: ClassVar[float] = 10.0
    request_seconds: ClassVar[float] = 60.0
    stall_seconds: ClassVar[float] = 20.0
    most_connections: ClassVar[int] = 512

    _timer: asyncio.TimerHandle | None = None
    _timed: object | None = None  # what the timer is for: a request, or (the connection itself) its next header
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse beyond the limit; else the first header is awaited."""
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > self.most_connections:
            log.warning("connections=too_many most=%d", self.most_connections)
            self.transport.abort()
            return
        self._time()

    def data_received(self, data: bytes) -> None:
        """Read on, and see what is awaited now."""
        super().data_received(data)
        self._time()

    def on_response_complete(self) -> None:
        """Idle from now on, unless the next request has come behind the last one."""
        self._stop_timer()
        super().on_response_complete()
        if self._answering():
            self._time()

    def pause_writing(self) -> None:
        """The peer does not read."""
        super().pause_writing()
        self._stall_timer = self._later(self.stall_seconds, "reader")

    def resume_writing(self) -> None:
        """It reads again."""
        self._stall_ended()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The timers go with the connection."""
        self._stop_timer()
        self._stall_ended()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Not HTTP, or a header that is too large. In the middle of an answer there is nothing left to say."""
        del msg
        if self.conn.our_state is not h11.IDLE:
            self.transport.abort()
            return
        said = problem("malformed", "this is not HTTP/1.1, or its header is too large")
        body = msgspec.json.encode(said)
        headers = [
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        for event in (
            h11.Response(status_code=said.status, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _time(self) -> None:
        """Run the timer of what is awaited now; one that runs for it already goes on."""
        awaited: object = self.cycle if self._answering() else self
        if self.transport.is_closing() or (self._timer is not None and self._timed is awaited):
            return
        self._stop_timer()
        self._timed = awaited
        if awaited is self:
            self._timer = self._later(self.header_seconds, "header")
        else:
            self._timer = self._later(self.request_seconds, "request")

    def _later(self, seconds: float, what: str) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, cast("Callable[..., None]", self._cut_off), what)

    def _cut_off(self, what: str) -> None:
        """Forget what was not sent, too: without this the system would go on offering it to the peer."""
        log.warning("connection=cut_off too_slow=%s", what)
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.transport.abort()

    def _stall_ended(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
