"""The life of the server: bind, refuse a taken port, stop, start again."""

from __future__ import annotations

import http.client
import socket
import statistics
import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.api.events import Hub
from agent.api.server import PortInUse, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Shop


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_said_by_bind(taken: int) -> None:
    server = Server(taken, no_app, Hub())
    with pytest.raises(PortInUse, match=str(taken)) as caught:
        server.bind()
    assert (caught.value.code, caught.value.key) == ("port_in_use", "error.port_in_use")
    assert caught.value.params == {"port": taken}


def test_two_agents_cannot_share_a_port() -> None:
    first = Server(0, no_app, Hub())
    port = first.bind()
    with pytest.raises(PortInUse):
        Server(port, no_app, Hub()).bind()
    first.close()
    again = Server(port, no_app, Hub())
    assert again.bind() == port
    again.close()


def test_it_listens_on_loopback_only(shop: Shop) -> None:
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in {"127.0.0.2", *others} - {"127.0.0.1"}:
        with pytest.raises(OSError, match=r"refused|unreachable"):
            socket.create_connection((address, shop.port), timeout=1)


def test_the_port_is_free_again_at_once_after_a_stop(shop_type: type[Shop], tmp_path: Path) -> None:
    shop = shop_type(tmp_path)
    shop.open()
    assert shop.ask("GET", "/healthz").status == 200
    begin = time.monotonic()
    shop.close()
    assert time.monotonic() - begin < 1.0
    again = Server(shop.port, no_app, Hub())
    assert again.bind() == shop.port
    again.close()


def test_a_stop_waits_a_second_for_a_running_answer_and_no_longer(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    shop.tills["1"].answer = lambda _: None
    lines = (
        f"DELETE /v1/tills/1/basket HTTP/1.1\r\nHost: 127.0.0.1:{shop.port}\r\n"
        f"Authorization: Bearer {shop.token()}\r\n\r\n"
    )
    with shop.connect() as connection:
        connection.sendall(lines.encode())
        while not shop.tills["1"].posted:
            threading.Event().wait(0.01)
        begin = time.monotonic()
        shop.close()
        assert time.monotonic() - begin < 2.0


def test_a_restarted_run_serves_again(make_shop: Callable[..., Shop]) -> None:
    """The app's guard restarts a thread that fell over: the same server object binds and serves anew."""
    shop = make_shop()
    shop.close()
    shop.stop.clear()
    shop.thread = threading.Thread(target=shop.server.run, args=(shop.stop,), daemon=True)
    shop.server.bind()
    shop.open()
    assert shop.ask("GET", "/healthz").status == 200
    stream = shop.listen()
    assert stream.next() == ("status", [])
    for state in ("down", "ok"):
        shop.status.set("network", "server", state, "status.network.ok")
    assert [[part["state"] for part in stream.next()[1]] for _ in range(2)] == [["down"], ["ok"]]  # told once each
    stream.close()


def no_app(_: int) -> Callable[..., object]:
    raise AssertionError("never served")


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_headers(shop: Shop) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=10)
    took = []
    for _ in range(21):
        began = time.monotonic()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        took.append(time.monotonic() - began)
    connection.close()
    assert statistics.median(took) < 0.03, "40 ms is how long Linux holds an acknowledgement back"
