import json
import socket
import threading
from collections.abc import Iterator

import pytest

from drivers.virtual.control import ControlError, ControlServer, Request, call, number, text


def echo(request: Request) -> Request:
    return {"said": text(request, "word"), "times": number(request, "times", 1)}


@pytest.fixture
def address() -> Iterator[str]:
    server = ControlServer({"echo": echo})
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    yield server.address
    stop.set()
    thread.join(2)
    assert not thread.is_alive()


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), 5)


def test_a_request_is_answered(address: str) -> None:
    assert call(address, {"do": "echo", "word": "слово"}) == {"ok": True, "said": "слово", "times": 1}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"do": "sing"}, "unknown command 'sing', known: echo"),
        ({"do": "echo"}, "'word' must be a string"),
        ({"do": "echo", "word": 3}, "'word' must be a string"),
        ({"do": "echo", "word": "\ud800"}, "'word' must be a string"),
        ({"do": "echo", "word": "a", "times": -1}, "'times' must be a whole number"),
        ({"do": "echo", "word": "a", "times": True}, "'times' must be a whole number"),
    ],
)
def test_a_refusal_says_why(address: str, request_: Request, why: str) -> None:
    with pytest.raises(ControlError, match=why):
        call(address, request_)


def test_requests_may_come_in_pieces_and_many_on_one_connection(address: str) -> None:
    line = b'{"do": "echo", "word": "a"}\n'
    with connect(address) as connection, connection.makefile("rb") as replies:
        connection.sendall(line[:9])
        connection.sendall(line[9:] + line)
        assert [json.loads(replies.readline())["said"] for _ in range(2)] == ["a", "a"]


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r\n", b"[]\n", b'{"word": 1}\n', b"[" * 9000 + b"\n", b"\xff\n"])
def test_a_line_that_is_no_request_ends_the_connection(address: str, line: bytes) -> None:
    with connect(address) as connection, connection.makefile("rb") as replies:
        connection.sendall(line + b'{"do": "echo", "word": "smuggled"}\n')
        assert b"smuggled" not in replies.read()


def test_two_clients_at_once(address: str) -> None:
    with connect(address):
        assert call(address, {"do": "echo", "word": "second"})["said"] == "second"


def test_a_port_without_a_device_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        call(f"127.0.0.1:{port}", {"do": "state"})
