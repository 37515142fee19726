"""A small shop around the real API: real sockets, real uvicorn thread, tills that answer as a test tells them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.api.backend import Backend
from agent.api.events import Hub
from agent.api.pairing import Pairing
from agent.api.routes import make_app
from agent.api.schemas import QueueState, StatusReport
from agent.api.server import Server
from agent.api.tokens import Holder, Tokens
from agent.messages import Answer, PosCall
from agent.status import Status
from agent.views import Identified, View
from offline_queue import Job, UnknownJob


@dataclass
class StoppedClock:
    """Time goes on when the test says so."""

    at: datetime = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    seconds: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.at += timedelta(seconds=seconds)


def nobody(till: str) -> View:
    return View(till=till, state="idle")


@dataclass
class ToldTill:
    """A till port that keeps what was posted and answers with `answer(event)`; None = it stays silent."""

    name: str
    room: bool = True
    posted: list[PosCall] = field(default_factory=list)
    answer: Callable[[PosCall], Answer | None] | None = None

    def post(self, event: PosCall) -> bool:
        if not self.room:
            return False
        self.posted.append(event)
        told = self.answer(event) if self.answer else Identified("not_loyalty", nobody(self.name))
        if told is not None:
            event.reply.set_result(told)
        return True


@dataclass
class HttpReply:
    """What came back on a raw socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"]) if self.body else ""


class NoDoubts:
    """Every receipt came out."""

    def open_questions(self, printer: str, now: datetime) -> list[Job]:
        assert (printer, now) is not None
        return []

    def job(self, number: int) -> Job:
        raise UnknownJob(f"there is no print job {number}", id=number)


class Shop:
    """The API of two tills, "1" and "2", running in its own thread."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.clock = StoppedClock()
        self.status = Status(self.clock)
        self.hub = Hub(beat=float(options.pop("beat", 5.0)))
        port = int(options.pop("port", 0))
        self.tokens = Tokens(folder / "tokens.json")
        self.pairing = Pairing(self.tokens, self.clock)
        self.tills = {name: ToldTill(name) for name in ("1", "2")}
        self.failing: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.backend = Backend(
            tills=self.tills,
            hub=self.hub,
            pairing=self.pairing,
            status=self.status,
            report=self.report,
            receipts=options.pop("receipts", NoDoubts()),
            clock=self.clock,
            failing=lambda: self.failing,
            unready=lambda: self.failing,
            **options,
        )
        self.stop = threading.Event()
        self.server = Server(port, lambda port: make_app(self.backend, port), self.hub)
        self.port = self.server.bind()
        self.thread = threading.Thread(target=self.server.run, args=(self.stop,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def report(self) -> StatusReport:
        """While the gate is shut this hangs, and the server's one thread with it."""
        assert self.gate.wait(30)
        queue = QueueState(pending=3, oldest_at=None, rejected=0, last_seq=7)
        parts = self.status.snapshot()
        return StatusReport(version="0", device="d1", store="S1", parts=parts, queue=queue)

    def open(self) -> None:
        self.thread.start()

    def close(self) -> None:
        self.stop.set()
        self.thread.join(5)
        assert not self.thread.is_alive()

    def token(self, till: str = "1", holder: Holder = "pos") -> str:
        return self.tokens.mint(till, holder, self.clock.now())

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(10)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def raw(self, request: bytes) -> HttpReply:
        """Send exactly these bytes and read one answer."""
        with self.connect() as connection:
            connection.sendall(request)
            return self.read(connection)

    def read(self, connection: socket.socket, method: str = "GET") -> HttpReply:
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = b"" if headers.get("content-type", "").startswith("text/event-stream") else response.read()
        return HttpReply(response.status, headers, body)

    def ask(self, method: str, path: str, body: object = None, token: str | None = "", **headers: str) -> HttpReply:
        """One well-formed request; `token` "" = a fresh one of till 1, None = none at all."""
        sent = {"Host": f"127.0.0.1:{self.port}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token()}"
        payload = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if payload or method in ("POST", "PUT"):
            sent.setdefault("Content-Length", str(len(payload)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        with self.connect() as connection:
            connection.sendall("\r\n".join(lines).encode("latin-1") + payload)
            return self.read(connection, method)

    def listen(self, till: str = "1", token: str = "", receive_buffer: int | None = None) -> Stream:
        """Open an event stream."""
        connection = self.connect(receive_buffer)
        bearer = token or self.token(till)
        lines = f"GET /v1/tills/{till}/events HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        connection.sendall(lines.encode())
        return Stream(connection)


class Stream:
    """The client's side of an event stream, on a raw socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._response = http.client.HTTPResponse(connection, method="GET")
        self._response.begin()
        self.status = self._response.status

    def next(self) -> tuple[str, object]:
        """The next event; raises EOFError when the stream has ended."""
        name = ""
        while True:
            line = self._response.readline().decode()
            if not line:
                raise EOFError
            if line.startswith("event: "):
                name = line[7:].strip()
            if line.startswith("data: "):
                return name, json.loads(line[6:])

    def close(self) -> None:
        self._response.close()
        self.connection.close()


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Open shops with options of `Backend`; each is closed at the end of the test."""
    shops: list[Shop] = []

    def make(**options: object) -> Shop:
        shop = Shop(tmp_path, **options)
        shops.append(shop)
        shop.open()
        return shop

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()


@pytest.fixture(scope="session")
def shop_type() -> type[Shop]:
    """For fixtures that keep one shop open for a whole module."""
    return Shop


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds, at most five seconds."""

    def wait(condition: Callable[[], bool]) -> None:
        tick, tries = threading.Event(), 0
        while not condition():
            tries += 1
            assert tries < 500, "it never became true"
            tick.wait(0.01)

    return wait
