"""The hub behind the event streams: any thread publishes, every page of that till hears it.

`publish` never waits: it encodes once and appends to the bounded queue of each client. A client whose queue is full is
dropped; its page connects again and is told the latest view and status first. Clients live in the one event loop of
the server and are woken through `call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

QUEUED: Final = 64
MOST_CLIENTS: Final = 16
BEAT_SECONDS: Final = 5.0
REMEMBERED: Final = ("view", "status")

_HELLO: Final = b"retry: 1000\n\n"
_BEAT: Final = b"event: beat\ndata: {}\n\n"


class Client:
    """One event stream. Made by `Hub.join`; its iteration ends when the hub lets it go."""

    def __init__(self, till: str, frames: tuple[bytes, ...], beat: float) -> None:
        self.till = till
        self._queue = deque(frames)
        self._beat = beat
        self._gone = False
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def offer(self, frame: bytes) -> bool:
        """From any thread: queue the frame. False when there is no room, and then the stream ends."""
        if len(self._queue) >= QUEUED:
            self.end()
            return False
        self._queue.append(frame)
        self._stir()
        return True

    def end(self) -> None:
        """From any thread: end the stream; what is still queued is not sent."""
        self._gone = True
        self._stir()

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield what to send, with a beat in silence so that the page can tell a quiet agent from a dead one."""
        yield _HELLO
        while not self._gone:
            self._wake.clear()
            while self._queue and not self._gone:
                yield self._queue.popleft()
            try:
                await asyncio.wait_for(self._wake.wait(), self._beat)
            except TimeoutError:
                yield _BEAT

    def _stir(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and this stream with it
            self._loop.call_soon_threadsafe(self._wake.set)


class Hub:
    """Thread-safe; `join` is called in the event loop. Closed until the server opens it, and again when it stops."""

    def __init__(self, beat: float = BEAT_SECONDS) -> None:
        self._beat = beat
        self._lock = threading.Lock()
        self._clients: set[Client] = set()
        self._latest: dict[tuple[str, str], bytes] = {}
        self._closed = True

    def publish(self, till: str, event: str, data: object) -> None:
        """Tell all streams of that till. `data` is anything that msgspec writes as JSON. Never waits."""
        frame = b"event: %b\ndata: %b\n\n" % (event.encode(), msgspec.json.encode(data))
        with self._lock:
            if event in REMEMBERED:
                self._latest[till, event] = frame
            mine = [client for client in self._clients if client.till == till]
            self._clients.difference_update([client for client in mine if not client.offer(frame)])

    def has_room(self) -> bool:
        """Would `join` let a client in now?"""
        with self._lock:
            return not self._closed and len(self._clients) < MOST_CLIENTS

    def join(self, till: str) -> Client | None:
        """Open a stream that begins with the latest view and status. None: all places are taken, or the agent stops."""
        with self._lock:
            if self._closed or len(self._clients) >= MOST_CLIENTS:
                return None
            latest = tuple(self._latest[till, event] for event in REMEMBERED if (till, event) in self._latest)
            client = Client(till, latest, self._beat)
            self._clients.add(client)
            return client

    def leave(self, client: Client) -> None:
        """The connection has ended. May be called for a client that was dropped before."""
        with self._lock:
            self._clients.discard(client)

    def open(self) -> None:
        """Take clients (again): the server's thread begins."""
        with self._lock:
            self._closed = False

    def close(self) -> None:
        """End all streams and take no more: the server's thread ends."""
        with self._lock:
            self._closed = True
            for client in self._clients:
                client.end()
            self._clients.clear()


class EventStream(StreamingResponse):
    """The response of an event stream; gives its place back however the connection ends."""

    def __init__(self, hub: Hub, client: Client) -> None:
        super().__init__(client.frames(), media_type="text/event-stream")
        self._hub, self._client = hub, client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client goes, is dropped, or the hub closes."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(self._client)
