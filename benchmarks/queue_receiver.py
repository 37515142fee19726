"""A server that says yes to everything and books nothing: what queue_speed.py delivers to. Prints its address.

queue_receiver.py DEVICE
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
import uvicorn

from loyalty.wire import EventBatch, EventReply, Verdict
from loyalty_server.listener import bind

Message = MutableMapping[str, Any]
BATCHES = msgspec.json.Decoder(EventBatch)


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """POST /v1/events as the protocol has it; POST /row with one row."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    reply = answer(gzip.decompress(body)) if scope["path"] == "/v1/events" else one(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(reply)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


def answer(body: bytes) -> bytes:
    """Accepted, all of them."""
    batch = BATCHES.decode(body)
    verdicts = tuple(Verdict(row.seq, "accepted") for row in batch.rows)
    return msgspec.json.encode(EventReply(sys.argv[1], batch.epoch, batch.rows[-1].seq, verdicts))


def one(body: bytes) -> bytes:
    """Accepted."""
    return msgspec.json.encode({"accepted": len(msgspec.json.decode(body))})


def main() -> None:
    """Serve until SIGTERM."""
    with bind("127.0.0.1", 0) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", access_log=False))
        server.run([listener])


if __name__ == "__main__":
    main()
