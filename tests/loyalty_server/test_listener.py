"""How the server answers on its socket."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from loyalty_server.listener import bind, serve

Message = MutableMapping[str, Any]


async def app(
    _: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_headers() -> None:
    listener, stop, ready = bind("127.0.0.1", 0), threading.Event(), threading.Event()
    port = listener.getsockname()[1]
    server = threading.Thread(target=serve, args=(app, listener, stop, ready.set))
    server.start()
    try:
        assert ready.wait(10)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        took = []
        for _ in range(21):
            began = time.monotonic()
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"ok"
            took.append(time.monotonic() - began)
        connection.close()
        assert statistics.median(took) < 0.03, "40 ms is how long Linux holds an acknowledgement back"
    finally:
        stop.set()
        server.join(10)
