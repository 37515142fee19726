"""The network between agent and server, which keeps a quarter of all replies for itself.

The server has heard each request and done what it says; the reply is dropped, cut in half, held for seconds and then
dropped, or replaced by 500 or 429.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from threading import Event, Thread

FAULTS = ("dropped", "halved", "stalled", "500", "429")
SHARE = 0.25
STALL = 2.0
_WORDS = {"500": "Internal Server Error", "429": "Too Many Requests"}


class BadNetwork:
    """Listens on its own `port` on loopback for what is meant for `server_port`; one thread between `start` and `stop`."""

    def __init__(self, seed: int) -> None:
        self.port = 0
        self.server_port = 0
        self.plugged = True
        self.bad = True
        self.replies = 0
        self.spoilt: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self._tasks: set[object] = set()  # asyncio itself keeps no hold of them
        self._ready = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), name="bad-network", daemon=True)

    def start(self) -> None:
        """Listen on a free port, then `port` is set."""
        self._thread.start()
        assert self._ready.wait(5)

    def stop(self) -> None:
        """Cut everything and end the thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(5)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        listener.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request and its reply; a client that wants more connects again."""
        self._tasks.add(asyncio.current_task())
        try:
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await self._converse(reader, writer)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            self._tasks.discard(asyncio.current_task())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = await self._forward(await _message(reader))
        self.replies += 1
        fault = self._chance.choice(FAULTS) if self.bad and self._chance.random() < SHARE else ""
        if fault:
            self.spoilt[fault] += 1
        await self._answer(writer, reply, fault)

    async def _forward(self, request: bytes) -> bytes:
        head, blank, body = request.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            writer.write(b"\r\n".join([*lines, b"Connection: close"]) + blank + body)
            await writer.drain()
            reply = await reader.read(-1)
        finally:
            writer.transport.abort()
        if not reply:
            raise ConnectionResetError("the server is dead")
        return reply

    async def _answer(self, writer: asyncio.StreamWriter, reply: bytes, fault: str) -> None:
        if fault == "dropped":
            writer.transport.abort()
            return
        if fault == "halved":
            reply = reply[: len(reply) // 2]
        elif fault == "stalled":
            writer.write(reply[: len(reply) // 2])
            await writer.drain()
            await asyncio.sleep(self._chance.uniform(0, STALL))
            return
        elif fault:
            reply = f"HTTP/1.1 {fault} {_WORDS[fault]}\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".encode()
        writer.write(reply)
        await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A whole request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return head + await reader.readexactly(int(length.partition(b":")[2]))
