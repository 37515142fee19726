"""The control port of the virtual devices: faults and questions as JSON lines over loopback TCP.

One request object a line, `{"do": "...", ...}`; one reply line for each, `{"ok": true, ...}` or `{"ok": false, "error": "..."}`.
A device gives `ControlServer` its commands by name and runs it in a thread beside its own loop; tests and the demo use `call`.
A line that is not a request ends the connection, so that a web page that posts to the port cannot smuggle one in.
"""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event

Request = Mapping[str, object]
Command = Callable[[Request], Mapping[str, object]]

LINE_LIMIT = 65536
_TICK = 0.1
_SEND_TIMEOUT = 2.0


class ControlError(Exception):
    """The device refused the request; the message says why and goes back to the client."""


class ControlServer:
    """Serves many clients from the one thread that calls `run`, so commands never overlap and must be quick."""

    def __init__(self, commands: Mapping[str, Command], port: int = 0) -> None:
        self._commands = commands
        self._listener = socket.create_server(("127.0.0.1", port))
        self._buffers: dict[socket.socket, bytearray] = {}

    @property
    def address(self) -> str:
        """`host:port`, as `call` takes it."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def run(self, stop: Event) -> None:
        """Serve until `stop` is set, then close everything."""
        with self._listener, selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ, self._accept)
            while not stop.is_set():
                for key, _ in selector.select(_TICK):
                    key.data(selector)
            for connection in self._buffers:
                connection.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_SEND_TIMEOUT)
        self._buffers[connection] = bytearray()
        selector.register(connection, selectors.EVENT_READ, partial(self._serve, connection))

    def _serve(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        if not self._talk(connection, self._buffers[connection]):
            selector.unregister(connection)
            del self._buffers[connection]
            connection.close()

    def _talk(self, connection: socket.socket, buffer: bytearray) -> bool:
        """Answer every whole line that has arrived; False ends the connection."""
        try:
            chunk = connection.recv(LINE_LIMIT)
            buffer += chunk
            while b"\n" in buffer:
                line, _, rest = bytes(buffer).partition(b"\n")
                buffer[:] = rest
                request = _parse(line)
                connection.sendall(_line(self._answer(request)))
                if request is None:
                    return False
        except OSError:
            return False
        return bool(chunk) and len(buffer) < LINE_LIMIT

    def _answer(self, request: Request | None) -> Request:
        if request is None:
            return {"ok": False, "error": 'not a request: one JSON object a line, {"do": "..."}'}
        command = self._commands.get(str(request["do"]))
        if command is None:
            return {
                "ok": False,
                "error": f"unknown command {request['do']!r}, known: {', '.join(sorted(self._commands))}",
            }
        try:
            return {"ok": True, **command(request)}
        except ControlError as refusal:
            return {"ok": False, "error": str(refusal)}


def call(address: str, request: Request, timeout: float = 5.0) -> dict[str, object]:
    """Send one request and return its reply. Raises ControlError when the device refuses, OSError when it is not there."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout) as connection, connection.makefile("rb") as lines:
        connection.sendall(_line(request))
        reply = lines.readline()
    if not reply.endswith(b"\n"):
        raise ConnectionError(f"the control port {address} hung up in the middle of its reply")
    answer: dict[str, object] = json.loads(reply)
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error")))
    return answer


def text(request: Request, key: str, default: str | None = None) -> str:
    """The string at `key`. Raises ControlError when it is missing without a default or is no string that UTF-8 can hold."""
    value = request.get(key, default)
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ControlError(f"{key!r} must be a string")
    return value


def number(request: Request, key: str, default: int | None = None) -> int:
    """The whole number >= 0 at `key`. Raises ControlError when it is missing without a default or is none."""
    value = request.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ControlError(f"{key!r} must be a whole number, 0 or more")
    return value


def _parse(line: bytes) -> Request | None:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) and isinstance(request.get("do"), str) else None


def _line(message: Request) -> bytes:
    return json.dumps(message).encode() + b"\n"
