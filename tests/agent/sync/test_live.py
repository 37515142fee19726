"""Calls that a customer waits for, against the real server: answered, refused, late or not at all, but never hanging."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from agent import identity
from agent.clock import SystemClock
from agent.identity import Identity
from agent.sync import Client, Live, make_session
from agent.sync.errors import ServerUnreachable
from agent.sync.live import NO_ANSWER, NOTHING, REST, ROOM, TIMEOUTS, TOO_LATE, HoldAnswer
from loyalty.wire import ClaimRequest, Hold, HoldRequest
from loyalty_server import setup
from loyalty_server.redemption import stop_redemption
from loyalty_server.storage import tables
from tests.agent.shop import SOMEBODY
from tests.rig.sync_world import Central, VirtualClock, furnish

CLOCK = SystemClock()
WAIT = 10.0


class RealTime(VirtualClock):
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Gate:
    """In front of the server; with another status than 200 it answers itself."""

    app: ASGIApp | None = None
    asked: int = 0
    status: int = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        self.asked += 1
        if self.status == 200:
            await self.app(scope, receive, send)
            return
        headers = [(b"retry-after", b"7"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Desk:
    """Asks as a till does and waits for the answer."""

    live: Live
    member: str
    central: Central
    gate: Gate
    who: list[Identity | None]

    def hold(self, name: str, points: int) -> HoldAnswer:
        answers: queue.Queue[HoldAnswer] = queue.Queue()
        self.live.hold(name, HoldRequest(member=self.member, till="1", points=points), answers.put)
        return answers.get(timeout=WAIT)

    def held(self) -> dict[str, int]:
        open_ones = select(tables.holds.c.id, tables.holds.c.points).where(tables.holds.c.over_at.is_(None))
        with self.central.database.reading() as tx:
            return {row.id: row.points for row in tx.execute(open_ones)}


def claimed(central: Central, url: str) -> Identity:
    private = identity.new_key()
    with closing(Client(url, CLOCK, make_session())) as client:
        wish = ClaimRequest(code=central.code(), public_key=identity.public_key(private), machine="pc", version="1")
        return identity.from_claim(client.claim(wish), private, "pc")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    furnish(tmp_path)
    central, gate = Central(tmp_path, RealTime()), Gate()
    with central.database.writing() as tx:
        member = setup.add_known_member(tx, "2900000000117", 100, None, None, datetime.now(UTC))

    def wrap(app: ASGIApp) -> ASGIApp:
        gate.app = app
        return gate

    with central.serving(wrap) as url:
        who: list[Identity | None] = [claimed(central, url)]
        live = Live(lambda device: Client(url, CLOCK, make_session(), device, timeouts=TIMEOUTS), lambda: who[0], CLOCK)
        stop = threading.Event()
        thread = threading.Thread(target=live.holds.run, args=[stop])
        thread.start()
        yield Desk(live, member, central, gate, who)
        stop.set()
        thread.join(WAIT)
        assert not thread.is_alive()
    central.close()


def test_granted_changed_refused_and_released(desk: Desk) -> None:
    assert desk.live.well
    assert desk.hold("a", 60) == HoldAnswer(True)
    assert desk.hold("a", 70) == HoldAnswer(True)
    assert desk.hold("b", 31) == HoldAnswer(False, 30)
    assert desk.held() == {"a": 70}
    desk.live.release("a")
    assert desk.hold("b", 100) == HoldAnswer(True), "one after the other, in their order"
    assert desk.held() == {"b": 100}
    assert desk.hold("a", 1) == NO_ANSWER, "what is over is over"
    assert desk.live.well, "a refusal is an answer"


def test_where_points_must_not_be_taken_nothing_can_be_held(desk: Desk) -> None:
    with desk.central.database.writing() as tx:
        stop_redemption(tx, datetime.now(UTC), store="S1")
    assert desk.hold("a", 1) == NOTHING
    assert desk.live.well


def test_without_an_identity_nobody_is_asked(desk: Desk) -> None:
    desk.who[0] = None
    asked = desk.gate.asked
    assert (desk.live.well, desk.hold("a", 1)) == (False, NO_ANSWER)
    desk.live.release("a")
    assert desk.hold("a", 1) == NO_ANSWER
    assert desk.gate.asked == asked


def test_another_identity_is_taken_up(desk: Desk) -> None:
    assert desk.hold("a", 10) == HoldAnswer(True)
    before = desk.who[0]
    assert before is not None
    desk.who[0] = msgspec.structs.replace(before, private_key=identity.new_key())
    assert desk.hold("b", 10) == NO_ANSWER
    assert not desk.live.well


@pytest.mark.parametrize(("status", "rest"), [(503, 7.0), (429, 7.0), (500, REST)])
def test_a_server_in_trouble_is_left_alone_for_a_while(desk: Desk, status: int, rest: float) -> None:
    desk.gate.status = status
    before = CLOCK.monotonic()
    assert desk.hold("a", 1) == NO_ANSWER
    assert not desk.live.well
    assert desk.live.holds._rests_until == pytest.approx(before + rest, abs=2.0)


class Slow:
    """A server that answers when it is told to."""

    def __init__(self) -> None:
        self.go, self.calls, self.fails = threading.Event(), 0, False

    def hold(self, name: str, wish: HoldRequest) -> Hold:
        self.calls += 1
        assert self.go.wait(WAIT)
        return Hold(id=name, points=wish.points, coupons=(), expires_at=datetime.now(UTC))

    def release(self, name: str) -> None:
        del name
        self.calls += 1
        if self.fails:
            raise ServerUnreachable("it is away", "network")


def test_what_nobody_waits_for_any_more_is_not_asked(start: Callable[[Live], None]) -> None:
    slow, answers = Slow(), queue.Queue[tuple[str, HoldAnswer]]()
    live = Live(lambda _: slow, lambda: SOMEBODY, CLOCK)
    start(live)
    for name in ("first", "second"):
        live.hold(name, WISH, lambda said, name=name: answers.put((name, said)))
    threading.Event().wait(TOO_LATE + 0.1)
    slow.go.set()
    assert [answers.get(timeout=WAIT) for _ in range(2)] == [("first", HoldAnswer(True)), ("second", NO_ANSWER)]
    assert slow.calls == 1


def test_without_room_the_answer_comes_at_once(start: Callable[[Live], None]) -> None:
    slow, answers = Slow(), queue.Queue[HoldAnswer]()
    live = Live(lambda _: slow, lambda: SOMEBODY, CLOCK)
    for _ in range(ROOM):
        live.release("x")
    live.hold("y", WISH, answers.put)
    assert answers.get_nowait() == NO_ANSWER
    live.release("z")  # says so in the log
    slow.go.set()
    start(live)
    live.hold("y", WISH, answers.put)
    assert answers.get(timeout=WAIT) is not None
    assert slow.calls >= ROOM


@pytest.mark.parametrize("answers", [True, False])
def test_at_the_stop_holds_are_still_given_back_while_the_server_answers(answers: bool) -> None:
    slow, stop = Slow(), threading.Event()
    slow.fails = not answers
    live = Live(lambda _: slow, lambda: SOMEBODY, CLOCK)
    for name in ("a", "b", "c"):
        live.release(name)
    stop.set()
    live.holds.run(stop)
    assert slow.calls == (3 if answers else 1)


def test_a_server_that_takes_no_connection_costs_little_time(start: Callable[[Live], None]) -> None:
    """One that never answers: the till itself waits no longer than `HOLD_WAITS`; this is what the thread may take."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        url, answers = f"http://127.0.0.1:{silent.getsockname()[1]}", queue.Queue[HoldAnswer]()
        live = Live(
            lambda device: Client(url, CLOCK, make_session(), device, timeouts=TIMEOUTS), lambda: SOMEBODY, CLOCK
        )
        start(live)
        before = CLOCK.monotonic()
        live.hold("a", WISH, answers.put)
        assert answers.get(timeout=WAIT) == NO_ANSWER
        assert CLOCK.monotonic() - before < sum(TIMEOUTS) + 2.0
        assert not live.well


@pytest.fixture
def start() -> Iterator[Callable[[Live], None]]:
    stop, threads = threading.Event(), []

    def begin(live: Live) -> None:
        threads.append(threading.Thread(target=live.holds.run, args=[stop]))
        threads[-1].start()

    yield begin
    stop.set()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


WISH = HoldRequest(member="m", till="1", points=1)
