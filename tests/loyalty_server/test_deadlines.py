"""Clients that are slow, too many or no HTTP at all, on real sockets: cut off in time, and nobody else waits for them."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from loyalty_server.connections import BoundedProtocol
from loyalty_server.edge import Limits
from loyalty_server.listener import MOST_HEADERS, bind, serve
from loyalty_server.meters import Meters
from loyalty_server.watch import Watched

if TYPE_CHECKING:
    import requests
    from conftest import Shop
    from starlette.types import ASGIApp

    from loyalty.wire import Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEAD = b"POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\n"


class Quick(BoundedProtocol):
    header_seconds = 0.4
    request_seconds = 0.8
    stall_seconds = 0.4
    most_connections = 8


async def large(_: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(200):
        await send({"type": "http.response.body", "body": b"x" * (1 << 18), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def small(_: Message, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    listener, stop, ready = bind("127.0.0.1", 0), threading.Event(), threading.Event()
    port = listener.getsockname()[1]
    thread = threading.Thread(target=serve, args=(app, listener, stop, ready.set), kwargs={"protocol": Quick})
    thread.start()
    assert ready.wait(10)
    try:
        yield port
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def heard(connection: socket.socket) -> bytes:
    """All that the server says until it hangs up."""
    said = bytearray()
    try:
        while part := connection.recv(1 << 16):
            said += part
    except ConnectionError:
        pass
    return bytes(said)


def answered(connection: socket.socket) -> bool:
    """Whether one answer has come, whole."""
    said = b""
    while not said.endswith(b"\r\n\r\nok") and (part := connection.recv(1 << 16)):
        said += part
    return said.startswith(b"HTTP/1.1 200 ") and said.endswith(b"ok")


def drip(connection: socket.socket, text: bytes) -> None:
    """One byte at a time, for as long as the other side takes them."""
    quiet = threading.Event()
    try:
        for place in range(len(text)):
            connection.sendall(text[place : place + 1])
            quiet.wait(0.05)
    except ConnectionError:
        pass


@pytest.mark.parametrize("sent", [b"", HEAD, b"GE"])
def test_a_header_that_does_not_end_is_cut_off(sent: bytes) -> None:
    with serving(small) as port, dial(port) as connection:
        began = time.monotonic()
        connection.sendall(sent)
        assert heard(connection) == b""
        assert time.monotonic() - began < 5


def test_a_header_that_drips_is_cut_off_while_others_are_served() -> None:
    with serving(small) as port, dial(port) as slow, dial(port) as quick:
        dripping = threading.Thread(target=drip, args=(slow, HEAD + b"X: " + b"x" * 200))
        dripping.start()
        quick.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert heard(quick).endswith(b"ok")
        assert heard(slow) == b""
        dripping.join(20)


def test_a_second_header_is_awaited_no_longer_than_the_first() -> None:
    with serving(small) as port, dial(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answered(connection)
        connection.sendall(HEAD)
        began = time.monotonic()
        assert heard(connection) == b""
        assert time.monotonic() - began < 4, "sooner than an idle connection is closed"


def test_a_request_that_does_not_end_is_cut_off() -> None:
    with serving(small) as port, dial(port) as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n12345678")
        assert heard(connection) == b""


def test_a_client_that_does_not_read_is_cut_off() -> None:
    with serving(large) as port, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        threading.Event().wait(1.5)
        assert len(heard(connection)) < 200 << 18


def test_more_connections_than_the_limit_are_refused() -> None:
    with serving(small) as port, ExitStack() as stack:
        first = [stack.enter_context(dial(port)) for _ in range(Quick.most_connections)]
        for connection in first:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answered(connection)
        assert heard(stack.enter_context(dial(port))) == b""


@pytest.mark.parametrize("sent", [b"HELO\r\n\r\n", HEAD + b"X\r\n\r\n", HEAD + b"X: " + b"x" * (1 << 20)])
def test_what_is_not_http_gets_a_problem(sent: bytes) -> None:
    with serving(small) as port, dial(port) as connection:
        connection.sendall(sent)
        head, _, body = heard(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in head
        assert json.loads(body)["code"] == "malformed"


def test_a_header_that_is_too_large_is_refused_even_when_it_comes_at_once() -> None:
    with serving(Watched(small, Meters(), [])) as port, dial(port) as connection:
        connection.sendall(HEAD + b"Connection: close\r\nX: " + b"x" * MOST_HEADERS + b"\r\n\r\n")
        head, _, body = heard(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        assert json.loads(body)["code"] == "header_too_large"


def test_a_body_that_is_broken_ends_the_connection_alone() -> None:
    with serving(small) as port, dial(port) as broken, dial(port) as other:
        broken.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        heard(broken)
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert heard(other).endswith(b"ok")


def test_more_requests_than_the_limit_are_busy() -> None:
    async def asleep(_: Message, receive: Receive, __: Send) -> None:
        await receive()  # the body, which never ends
        await receive()

    with serving(Watched(asleep, Meters(), [], most=1)) as port, dial(port) as first, dial(port) as second:
        first.sendall(HEAD + b"Content-Length: 9\r\n\r\n1")
        threading.Event().wait(0.2)
        second.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = heard(second).partition(b"\r\n\r\n")
        assert b" 503 " in head
        assert b"retry-after: 1" in head.lower()
        assert json.loads(body)["code"] == "busy"


@pytest.mark.parametrize("drips", [False, True])
def test_a_body_that_is_too_slow_is_told_so_and_nothing_is_booked(
    make_shop: Callable[..., Shop], problem_of: Callable[[requests.Response], Problem], drips: bool
) -> None:
    shop = make_shop(limits=Limits(body_seconds=0.4))
    till = shop.till()
    before = shop.everything()
    batch = gzip.compress(json.dumps({"epoch": till.me.epoch, "rows": []}).encode())

    def body() -> Iterator[bytes]:
        for place in range(len(batch) if drips else 1):
            yield batch[place : place + 1]
            threading.Event().wait(0.05)
        threading.Event().wait(0.6)

    response = till.ask("POST", "/v1/events", data=body(), headers={"Content-Encoding": "gzip"})
    assert problem_of(response).code == "too_slow"
    assert shop.everything() == before
