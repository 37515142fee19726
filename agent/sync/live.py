"""Calls that a customer waits for: a thread and a connection of their own, so that no backlog delays them.

Whoever asks gets an answer in any case, and goes on without one when it is late. Calls wait in a queue of `ROOM`; one that
finds it full, or that has waited for too long in it, is answered at once as if the server had not. After a call without an
answer the server is left alone for a while.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from agent.clock import Clock
from agent.identity import Identity
from agent.sync.errors import ServerBusy, ServerRejected
from loyalty.errors import TillmateError
from loyalty.wire import Hold, HoldRequest

log = logging.getLogger(__name__)

TIMEOUTS = (1.0, 0.8)
"""Seconds to connect, and of silence while reading."""
TOO_LATE = 0.8
"""Seconds after which nobody waits for a call any more."""
REST = 30.0
"""Seconds without live calls after one that was not answered."""
ROOM = 32

_TAKE = 0.2


class HoldAnswer(NamedTuple):
    """Granted or not; `most` is what the server would hold, None where it has not said so."""

    granted: bool
    most: int | None = None


NO_ANSWER = HoldAnswer(False)
NOTHING = HoldAnswer(False, 0)


class Server(Protocol):
    """The server, as far as customers wait for it."""

    def hold(self, name: str, wish: HoldRequest) -> Hold:
        """Reserve points."""
        ...

    def release(self, name: str) -> None:
        """Let a hold be over."""
        ...


@dataclass(frozen=True)
class _Call:
    name: str
    asked_at: float
    wish: HoldRequest | None = None  # None: release it
    answer: Callable[[HoldAnswer], None] = lambda _: None


class Live:
    """`well`, `hold` and `release` are for any thread; answers come in the thread of `run`."""

    def __init__(
        self, connect: Callable[[Identity], Server], identity: Callable[[], Identity | None], clock: Clock
    ) -> None:
        self._connect = connect
        self._identity = identity
        self._clock = clock
        self._calls: queue.Queue[_Call] = queue.Queue(ROOM)
        self._rests_until = 0.0
        self._server: tuple[Identity, Server] | None = None

    @property
    def well(self) -> bool:
        """Whether it is worth asking."""
        return self._identity() is not None and self._clock.monotonic() >= self._rests_until

    def hold(self, name: str, wish: HoldRequest, answer: Callable[[HoldAnswer], None]) -> None:
        """Reserve points, or others instead of those that were reserved under this name."""
        try:
            self._calls.put_nowait(_Call(name, self._clock.monotonic(), wish, answer))
        except queue.Full:
            answer(NO_ANSWER)

    def release(self, name: str) -> None:
        """Let a hold be over. Without room, or a server, it ends by itself."""
        try:
            self._calls.put_nowait(_Call(name, self._clock.monotonic()))
        except queue.Full:
            log.warning("hold not_released why=no_room")

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`."""
        while not stop.is_set():
            try:
                call = self._calls.get(timeout=_TAKE)
            except queue.Empty:
                continue
            call.answer(self._carry_out(call))

    def _carry_out(self, call: _Call) -> HoldAnswer:
        server = self._connected()
        if server is None or (call.wish is not None and self._clock.monotonic() - call.asked_at > TOO_LATE):
            return NO_ANSWER
        try:
            if call.wish is None:
                server.release(call.name)
            else:
                server.hold(call.name, call.wish)
        except ServerRejected as refused:
            log.info("hold refused code=%s", refused.problem.code)
            return NOTHING if refused.problem.code == "redemption_stopped" else HoldAnswer(False, refused.problem.most)
        except TillmateError as error:
            rest = error.retry_after if isinstance(error, ServerBusy) and error.retry_after else REST
            self._rests_until = self._clock.monotonic() + rest
            log.warning("hold unanswered code=%s rest=%ds", error.code, rest)
            return NO_ANSWER
        return HoldAnswer(True)

    def _connected(self) -> Server | None:
        """The server, asked as the device that we are now."""
        identity = self._identity()
        if identity is None:
            return None
        if self._server is None or self._server[0] != identity:
            self._server = (identity, self._connect(identity))
        return self._server[1]
