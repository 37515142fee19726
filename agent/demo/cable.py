"""A network cable between agent and server that one may pull out: a TCP forwarder that cuts all connections at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Event, Thread

CHUNK = 65536


class Cable:
    """Forwards its own `port` on loopback to `server_port`; owns one thread between `start` and `stop`."""

    def __init__(self) -> None:
        self.port = 0
        self.server_port = 0
        self._plugged = True
        self._ready = Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), name="demo-cable", daemon=True)

    @property
    def plugged(self) -> bool:
        """Is the cable in?"""
        return self._plugged

    def start(self) -> None:
        """Listen on a free port, then `port` is set."""
        self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        """Cut everything and end the thread."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(2)

    def pull(self) -> None:
        """Pull the cable out: connections break, new ones are refused."""
        self._plugged = False
        self._loop.call_soon_threadsafe(self._cut)

    def plug(self) -> None:
        """Put the cable back."""
        self._plugged = True

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        listener.close()
        self._cut()

    def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._plugged:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()
