"""The way in for `tillmate ...` on the same machine: a Unix socket in the state folder, one JSON request, one JSON answer.

The socket is 0600 and the kernel names the peer's user (SO_PEERCRED): only root and the agent's own user are heard.
Messages have the framing of multiprocessing.connection, so the client is a few lines. Windows gets its named pipe
together with its service; until then `run` only waits there.

    {"do": "pairing_code", "till": "1", "for": "screen" | "pos"} -> {"ok": true, "code", "url", "valid_seconds"}
    {"do": "status"}                                             -> {"ok": true, "status": {...}} as GET /v1/status
    anything else                                                -> {"ok": false, "error": "<code>", "detail": "..."}
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from agent.api.backend import Backend
from agent.api.pairing import VALID_SECONDS
from agent.api.tokens import SCOPES, Holder
from loyalty.errors import TillmateError

log = logging.getLogger(__name__)

Request = Mapping[str, object]
Answer = dict[str, object]
Command = Callable[[Request], Answer]

MOST_BYTES: Final = 64 * 1024
PEER_SECONDS: Final = 2.0


class AdminUnreachable(TillmateError):
    """The agent does not run, or this user may not talk to it."""

    code: ClassVar[str] = "admin_unreachable"


class SocketUnusable(TillmateError):
    """The socket cannot be made in the state folder: no rights, or a path of more than about 100 bytes."""

    code: ClassVar[str] = "state_folder"


class CommandRefused(TillmateError):
    """The command cannot be done; `reason` is a stable code."""

    code: ClassVar[str] = "command_refused"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail, reason=reason)
        self.reason = reason


def commands(backend: Backend, port: int) -> dict[str, Command]:
    """The commands of the API; the app may add its own."""

    def pairing_code(request: Request) -> Answer:
        till, holder = request.get("till"), request.get("for", "screen")
        if not isinstance(till, str) or till not in backend.tills:
            raise CommandRefused("till_unknown", f"no such till; there are: {', '.join(backend.tills)}")
        code = backend.pairing.issue(till, _holder(holder))
        return {"code": code, "url": f"http://127.0.0.1:{port}/pair#{code}", "valid_seconds": VALID_SECONDS}

    def status(_: Request) -> Answer:
        return {"status": msgspec.to_builtins(backend.report())}

    return {"pairing_code": pairing_code, "status": status}


def call(path: Path, request: Request, timeout: float = 5.0) -> Answer:
    """Ask the running agent. Raises AdminUnreachable, CommandRefused."""
    try:
        with Client(str(path), family="AF_UNIX") as connection:
            connection.send_bytes(msgspec.json.encode(request))
            if not connection.poll(timeout):
                raise AdminUnreachable(f"the agent does not answer on {path}", path=str(path))
            answer = msgspec.json.decode(connection.recv_bytes(), type=Answer)
    except (OSError, EOFError) as error:
        raise AdminUnreachable(f"no agent can be reached on {path}: {error}", path=str(path)) from error
    if answer.pop("ok", False) is not True:
        raise CommandRefused(str(answer.get("error")), str(answer.get("detail")))
    return answer


class AdminSocket:
    """`bind` in the thread that starts the agent, then `run` in a thread of its own. One caller at a time."""

    def __init__(self, path: Path, commands: Mapping[str, Command], users: frozenset[int] | None = None) -> None:
        self._path = path
        self._commands = commands
        self._users = users
        self._listener: socket.socket | None = None

    def bind(self) -> None:
        """Make the socket. A left-over of a killed agent is replaced: the queue's lock keeps a second agent away.

        Raises SocketUnusable.
        """
        if sys.platform == "win32":
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            listener.bind(str(self._path))
            self._path.chmod(0o600)  # nobody can connect before listen()
            listener.listen(8)
        except OSError as error:
            listener.close()
            reason = f"{self._path.name}: {error}"
            raise SocketUnusable(f"{self._path}: {error}", folder=str(self._path.parent), reason=reason) from error
        listener.settimeout(0.2)
        self._listener = listener

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop`."""
        if self._listener is None:
            self.bind()
        if self._listener is None:
            stop.wait()
            return
        listener, self._listener = self._listener, None
        with listener:
            while not stop.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                self._serve(peer)
        self._path.unlink(missing_ok=True)

    def _serve(self, peer: socket.socket) -> None:
        if not self._trusted(peer):
            peer.close()
            return
        seconds = struct.pack("ll", int(PEER_SECONDS), 0)
        peer.settimeout(None)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        with Connection(peer.detach()) as connection:
            try:
                answer = self._answer(connection.recv_bytes(MOST_BYTES))
                connection.send_bytes(msgspec.json.encode(answer))
            except (OSError, EOFError) as error:
                log.warning("admin socket: peer broke off reason=%s", error)

    def _trusted(self, peer: socket.socket) -> bool:
        if sys.platform == "win32":
            return False
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, user, _ = struct.unpack("3i", credentials)
        trusted = user in (self._users if self._users is not None else {0, os.geteuid()})
        if not trusted:
            log.warning("admin socket: user refused uid=%d", user)
        return trusted

    def _answer(self, message: bytes) -> Answer:
        try:
            request = msgspec.json.decode(message, type=dict[str, object])
            return {"ok": True, **self._command(str(request.get("do")))(request)}
        except msgspec.MsgspecError as error:
            return {"ok": False, "error": "bad_json", "detail": str(error)}
        except CommandRefused as refused:
            return {"ok": False, "error": refused.reason, "detail": str(refused)}

    def _command(self, name: str) -> Command:
        if name not in self._commands:
            raise CommandRefused("command_unknown", f"there are: {', '.join(sorted(self._commands))}")
        return self._commands[name]


def _holder(word: object) -> Holder:
    for holder in SCOPES:
        if holder == word:
            return holder
    raise CommandRefused("holder_unknown", f"`for` is one of: {', '.join(SCOPES)}")
