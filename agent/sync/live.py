"""Calls that a customer waits for, in two lanes: holds, and searches for a member. Each has a thread and a connection of
its own, so that neither a backlog nor a slow search delays a hold.

Whoever asks gets an answer in any case, and goes on without one when it is late. Calls wait in a queue of `ROOM`; one that
finds it full, or that has waited for too long in it, is answered at once as if the server had not. After a call without an
answer, or one too many for the rate that the server allows, the lane leaves the server alone for a while.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from agent.clock import Clock
from agent.identity import Identity
from agent.sync.errors import ServerBusy, ServerRejected
from loyalty.errors import TillmateError
from loyalty.wire import Hold, HoldRequest, MemberSearch, MemberSearchReply

log = logging.getLogger(__name__)

TIMEOUTS = (1.0, 0.8)
"""Seconds to connect, and of silence while reading."""
DEADLINE = 0.8
"""Seconds that the body of a reply may take in all."""
TOO_LATE = 0.8
"""Seconds after which a call that has not begun is not worth making any more."""
REST = 30.0
"""Seconds without live calls after one that was not answered."""
ROOM = 32

_TAKE = 0.2

AnswerT = TypeVar("AnswerT")


class HoldAnswer(NamedTuple):
    """Granted or not; `most` is what the server would hold, None where it has not said so, `taken` coupons that it would not."""

    granted: bool
    most: int | None = None
    taken: tuple[str, ...] = ()


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

    def search(self, wish: MemberSearch) -> MemberSearchReply:
        """Say who holds a card or a telephone."""
        ...


class Lane:
    """Calls of one kind, in their order. All but `run` is for any thread; answers come in the thread of `run`."""

    def __init__(
        self, kind: str, connect: Callable[[Identity], Server], identity: Callable[[], Identity | None], clock: Clock
    ) -> None:
        self._kind = kind
        self._connect = connect
        self._identity = identity
        self._clock = clock
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue(ROOM)
        self._rests_until = 0.0
        self._server: tuple[Identity, Server] | None = None

    @property
    def well(self) -> bool:
        """Whether it is worth asking."""
        return self._identity() is not None and self._clock.monotonic() >= self._rests_until

    def put(
        self,
        call: Callable[[Server], AnswerT],
        answer: Callable[[AnswerT], None],
        without: AnswerT,
        too_late: float = TOO_LATE,
    ) -> None:
        """Make this call; `without` is the answer where the server gives none."""
        until = self._clock.monotonic() + too_late
        try:
            self._calls.put_nowait(lambda: answer(self._make(call, without, until)))
        except queue.Full:
            log.warning("%s not_asked why=no_room", self._kind)
            answer(without)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then finish what is inside while the server answers: holds that are given back."""
        while not stop.is_set():
            self._turn(_TAKE)
        while self.well and self._turn(0.0):
            pass

    def _turn(self, timeout: float) -> bool:
        """Make one call. False: there was none."""
        try:
            make = self._calls.get(timeout=timeout)
        except queue.Empty:
            return False
        make()
        return True

    def _make(self, call: Callable[[Server], AnswerT], without: AnswerT, until: float) -> AnswerT:
        server = self._connected()
        if server is None or self._clock.monotonic() > until:
            return without
        try:
            return call(server)
        except TillmateError as error:
            rest = error.retry_after if isinstance(error, ServerBusy) and error.retry_after else REST
            self._rests_until = self._clock.monotonic() + rest
            log.warning("%s unanswered code=%s rest=%ds", self._kind, error.code, rest)
            return without

    def _connected(self) -> Server | None:
        """The server, asked as the device that we are now."""
        identity = self._identity()
        if identity is None:
            return None
        if self._server is None or self._server[0] != identity:
            self._server = (identity, self._connect(identity))
        return self._server[1]


class Live:
    """What tills ask; both lanes have to be run."""

    def __init__(
        self, connect: Callable[[Identity], Server], identity: Callable[[], Identity | None], clock: Clock
    ) -> None:
        self.holds = Lane("hold", connect, identity, clock)
        self.searches = Lane("search", connect, identity, clock)

    @property
    def well(self) -> bool:
        """Whether it is worth asking for a hold."""
        return self.holds.well

    @property
    def may_search(self) -> bool:
        """Whether it is worth asking who somebody is."""
        return self.searches.well

    def hold(self, name: str, wish: HoldRequest, answer: Callable[[HoldAnswer], None]) -> None:
        """Reserve points and coupons, or others instead of those that were reserved under this name."""
        self.holds.put(lambda server: _hold(server, name, wish), answer, NO_ANSWER)

    def release(self, name: str) -> None:
        """Let a hold be over. Without room, or a server, it ends by itself."""
        self.holds.put(lambda server: _release(server, name), lambda _: None, None, too_late=float("inf"))

    def search(self, wish: MemberSearch, answer: Callable[[MemberSearchReply | None], None]) -> None:
        """Ask who holds a card or a telephone; the answer None = the server could not be asked."""
        self.searches.put(lambda server: _search(server, wish), answer, None)


def _hold(server: Server, name: str, wish: HoldRequest) -> HoldAnswer:
    try:
        server.hold(name, wish)
    except ServerRejected as refused:
        problem = refused.problem
        log.info("hold refused code=%s", problem.code)
        return NOTHING if problem.code == "redemption_stopped" else HoldAnswer(False, problem.most, problem.coupons)
    return HoldAnswer(True)


def _release(server: Server, name: str) -> None:
    try:
        server.release(name)
    except ServerRejected as refused:
        log.info("hold not_released code=%s", refused.problem.code)


def _search(server: Server, wish: MemberSearch) -> MemberSearchReply | None:
    try:
        return server.search(wish)
    except ServerRejected as refused:
        log.warning("search refused code=%s", refused.problem.code)
        return None
