"""The sync against the real server over real HTTP: whatever becomes of requests and replies, each row is booked once."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent import identity
from agent.clock import SystemClock
from agent.identity import Identity
from agent.status import Status
from agent.sync import Claimant, Client, Drain, Feed, Listeners, Patience, Report, make_session
from agent.sync.claim import note_epoch
from agent.sync.errors import ServerUnreachable
from agent.sync.retry import Bell
from agent.sync.server_clock import ServerClock
from loyalty.quote import Basket, Line
from loyalty.wire import ReceiptId, Sale
from offline_queue import CommitSale, Queue, QueueFile, Reader, Replica, Transaction
from offline_queue.care import Care
from tests.rig.sync_world import Central, Quiet, VirtualClock, furnish, quote

WAIT = 30.0


class RealTime(VirtualClock):
    """The server's clock of the tests over HTTP."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Bad:
    """A front that spoils replies of some path: before (the server hears nothing) or after it has done its work."""

    app: ASGIApp
    faults: deque[str] = field(default_factory=deque)
    path: str = "/v1/events"
    asked: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self.path:
            await self.app(scope, receive, send)
            return
        self.asked += 1
        fault = self.faults.popleft() if self.faults else ""
        if fault in UNHEARD:
            await _drain(receive)
            await _say(send, *UNHEARD[fault])
            return
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        await self.app(scope, receive, keep)
        await SPOILT[fault](send, said)


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _say(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    packed = [(name.encode(), value.encode()) for name, value in {"content-length": str(len(body)), **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": packed})
    await send({"type": "http.response.body", "body": body})


async def _as_it_is(send: Send, said: list[Message]) -> None:
    for message in said:
        await send(message)


async def _lost(send: Send, said: list[Message]) -> None:
    await send(said[0])  # promises a body that never comes: the connection breaks


async def _halved(send: Send, said: list[Message]) -> None:
    await send(said[0])
    body = said[1]["body"]
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def _stalled(send: Send, said: list[Message]) -> None:
    await _halved(send, said)
    await asyncio.sleep(2.0)


async def _dripping(send: Send, said: list[Message]) -> None:
    await send(said[0])
    for letter in said[1]["body"][:-1]:
        await send({"type": "http.response.body", "body": bytes([letter]), "more_body": True})
        await asyncio.sleep(0.02)


async def _other_json(send: Send, _: list[Message]) -> None:
    await _say(send, 200, {"content-type": "application/json"}, b'{"status":"ok"}')


async def _502(send: Send, _: list[Message]) -> None:
    await _say(send, 502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")


UNHEARD: dict[str, tuple[int, dict[str, str], bytes]] = {
    "html": (200, {"content-type": "text/html"}, b"<html>Sign in to the Wi-Fi</html>"),
    "500": (500, {"content-type": "text/plain"}, b"oops"),
    "429": (429, {"retry-after": "0"}, b""),
    "429 date": (429, {"retry-after": "Sat, 12 Dec 2015 09:00:00 GMT"}, b""),
    "503": (503, {}, b""),
    "redirect": (302, {"location": "http://127.0.0.1:9/login"}, b""),
}
SPOILT: dict[str, Callable[[Send, list[Message]], object]] = {
    "": _as_it_is,
    "lost": _lost,
    "halved": _halved,
    "stalled": _stalled,
    "dripping": _dripping,
    "other json": _other_json,
    "502": _502,
}


class HurriedClock(SystemClock):
    """A hundred seconds pass in one, so that a reply without end is seen to be one."""

    def monotonic(self) -> float:
        return super().monotonic() * 100


@dataclass
class Counter:
    """A store PC with its queue's thread and its drain running, and the server in front of it."""

    central: Central
    front: Bad
    folder: Path
    url: str
    clock: SystemClock
    queue: Queue
    reader: Reader
    status: Status
    who: Identity
    drain_on: Callable[[str], Drain]
    server_clock: ServerClock
    sold: int = 0

    def __post_init__(self) -> None:
        self.drain = self.drain_on(identity.machine_id(self.folder))

    def sell(self, count: int) -> None:
        commits = []
        for _ in range(count):
            self.sold += 1
            number = str(self.sold)
            receipt = ReceiptId(store="S1", till="1", business_day=datetime.now(UTC).date(), shift="1", number=number)
            sale = Sale(receipt=receipt, basket=Basket(lines=(Line(sum=100),)), quote=quote(10), offline=True)
            commits.append(self.queue.submit(CommitSale(number, number, "sale", self.clock.now(), sale, b"{}")))
        for commit in commits:
            commit.result(WAIT)

    def settle(self) -> None:
        """Wait until nothing waits any more."""
        end, pause = SystemClock().monotonic() + WAIT, threading.Event()
        while (depth := self.reader.depth()).pending or depth.undelivered or not depth.agreed:
            assert SystemClock().monotonic() < end, self.status.snapshot()
            pause.wait(0.01)

    def exact(self) -> bool:
        return self.central.receipts() == {f"1/{number}": 10 for number in range(1, self.sold + 1)}


@contextmanager
def running(*work: Callable[[threading.Event], object]) -> Iterator[None]:
    """The first one ends last."""
    stops = [threading.Event() for _ in work]
    threads = [threading.Thread(target=run, args=(stop,)) for run, stop in zip(work, stops, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for stop, thread in reversed(list(zip(stops, threads, strict=True))):
            stop.set()
            thread.join(WAIT)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    furnish(folder)
    return folder


@pytest.fixture
def make_counter(tmp_path: Path, furnished: Path) -> Callable[..., object]:
    @contextmanager
    def make(clock: SystemClock | None = None) -> Iterator[Counter]:
        shutil.copytree(furnished, tmp_path / "server")
        clock = clock or SystemClock()
        with closing(Central(tmp_path / "server", RealTime())) as central:
            fronts: list[Bad] = []

            def wrap(app: ASGIApp) -> ASGIApp:
                fronts.append(Bad(app))
                return fronts[-1]

            with central.serving(wrap) as url, opened(tmp_path / "till", clock, central, fronts[0], url) as counter:
                yield counter

    return make


@contextmanager
def opened(folder: Path, clock: SystemClock, central: Central, front: Bad, url: str) -> Iterator[Counter]:
    folder.mkdir()
    file = QueueFile(folder / "queue.db")
    queue = Queue.open(file.path, clock)
    server_clock = ServerClock(clock)
    status = Status(clock)
    report = Report(status, clock)

    def connect(who: Identity | None) -> Client:
        return Client(url, clock, make_session(), who, server_clock, (5.0, 1.0))

    care = Care(queue, file, clock, cast("Any", Quiet()))
    with running(queue.run, care.run), closing(Reader(file)) as reader:
        who = Claimant(folder=folder, code=central.code(), server=connect(None), writer=queue).claim()

        def drain_on(machine: str) -> Drain:
            drain = Drain(
                writer=queue,
                open_reader=lambda: Reader(file),
                connect=connect,
                report=report,
                clock=clock,
                patience=Patience(Bell(SystemClock()), first=0.005, longest=0.02),
                identity=who,
                machine=machine,
                agreed=lambda epoch: note_epoch(folder, epoch),
                operator_needed=lambda: None,
            )
            queue.subscribe(lambda _: drain.nudge())
            return drain

        yield Counter(central, front, folder, url, clock, queue, reader, status, who, drain_on, server_clock)


Make = Callable[..., "closing[Counter]"]


@pytest.mark.parametrize("fault", [*UNHEARD, "lost", "halved", "other json", "502"])
def test_an_unclear_reply_sends_the_same_rows_again(make_counter: Make, fault: str) -> None:
    with make_counter() as counter:
        counter.front.faults = deque([fault, fault])
        counter.sell(7)
        with running(counter.drain.run):
            counter.settle()
        assert counter.exact()
        assert counter.front.asked >= 3  # more on a machine too busy to answer in time
        assert counter.central.flags() == []


@pytest.mark.parametrize(("fault", "clock"), [("stalled", SystemClock()), ("dripping", HurriedClock())])
def test_a_reply_without_end_is_given_up(make_counter: Make, fault: str, clock: SystemClock) -> None:
    with make_counter(clock) as counter:
        counter.front.faults = deque([fault])
        counter.sell(3)
        with running(counter.drain.run):
            counter.settle()
        assert counter.exact()
        assert counter.front.asked >= 2


@pytest.mark.parametrize("away", [timedelta(hours=-7), timedelta(days=-3650), timedelta(days=3650)])
def test_a_till_whose_clock_is_wrong_by_years_delivers(make_counter: Make, away: timedelta) -> None:
    class Wrong(SystemClock):
        def now(self) -> datetime:
            return super().now() + away

    with make_counter(Wrong()) as counter:
        counter.sell(3)
        with running(counter.drain.run):
            counter.settle()
        assert counter.exact()
        assert abs(counter.server_clock.offset + away) < timedelta(seconds=30)


def feed_of(counter: Counter, code: str, drain: Drain) -> Feed:
    def connect(who: Identity | None) -> Client:
        return Client(counter.url, counter.clock, make_session(), who, counter.server_clock)

    def on_claimed(who: Identity) -> None:
        counter.who = who
        drain.identified(who)

    return Feed(
        folder=counter.folder,
        claimant=Claimant(folder=counter.folder, code=code, server=connect(None), writer=counter.queue),
        replica=Replica(counter.folder / "members.db"),
        open_reader=lambda: Reader(counter.folder / "queue.db"),
        connect=connect,
        listeners=Listeners(on_claimed, lambda _: None, lambda: None, drain.heard, dict),
        report=Report(counter.status, counter.clock),
        clock=counter.clock,
        patience=Patience(Bell(SystemClock()), first=0.005, longest=0.05),
        every=0.05,
        identity=counter.who,
    )


def shown(counter: Counter, part: str, words: str) -> None:
    """Wait until the till says so."""
    end, pause = SystemClock().monotonic() + WAIT, threading.Event()
    while not any(each.part == part and words in each.text["en"] for each in counter.status.snapshot()):
        assert SystemClock().monotonic() < end, counter.status.snapshot()
        pause.wait(0.01)


def test_a_till_that_is_shut_out_says_so_sells_on_and_comes_back_with_a_code(make_counter: Make) -> None:
    with make_counter() as counter:
        counter.sell(2)
        with running(counter.drain.run):
            counter.settle()
            counter.central.revoke(counter.who.device)
            counter.sell(2)
            shown(counter, "network", "shut this till out. Sales are kept, since")
            with running(feed_of(counter, "", counter.drain).run):
                counter.sell(1)
            assert counter.reader.depth().pending == 3
            with running(feed_of(counter, counter.central.code_for(counter.who.device), counter.drain).run):
                counter.settle()
        assert counter.exact()
        assert identity.load(counter.folder) == counter.who


def test_a_folder_that_was_moved_to_another_pc_sells_under_a_new_epoch_until_an_operator_comes(
    make_counter: Make,
) -> None:
    with make_counter() as counter:
        counter.sell(2)
        with running(counter.drain.run):
            counter.settle()
        moved = counter.drain_on("another machine")
        with running(moved.run):
            shown(counter, "network", "This till was copied")
            counter.sell(2)
            feed = feed_of(counter, counter.central.code_for(counter.who.device), moved)
            feed.operator_needed()
            with running(feed.run):
                counter.settle()
        assert counter.exact()
        assert counter.central.flags().count("epoch_refused") >= 1


def test_a_queue_that_was_put_back_learns_it_from_its_first_heartbeat(make_counter: Make) -> None:
    with make_counter() as counter:
        counter.sell(3)
        with running(counter.drain.run, feed_of(counter, "", counter.drain).run):
            counter.settle()
        epoch = counter.reader.depth().epoch
        counter.queue.submit(Forget(2)).result(WAIT)
        with running(counter.drain.run, feed_of(counter, "", counter.drain).run):
            end, pause = SystemClock().monotonic() + WAIT, threading.Event()
            while counter.reader.depth().epoch == epoch or not counter.reader.depth().agreed:
                assert SystemClock().monotonic() < end
                pause.wait(0.01)
            counter.sell(1)
            counter.settle()
        assert counter.exact()


@dataclass(frozen=True)
class Forget:
    """Let the queue be as it was before its newest rows: what an old copy of the disk is like."""

    keep: int

    def apply(self, transaction: Transaction) -> None:
        transaction.run("DELETE FROM sales WHERE seq > ?", (self.keep,))
        transaction.run("DELETE FROM outbox WHERE seq > ?", (self.keep,))
        transaction.run(
            "UPDATE queue_state SET last_seq = ?, watermark = ?,"
            " last_hash = (SELECT hash FROM outbox ORDER BY seq DESC LIMIT 1)",
            (self.keep, self.keep),
        )


def test_a_server_that_is_not_there_is_a_server_that_is_not_there(tmp_path: Path) -> None:
    client = Client("http://127.0.0.1:9", SystemClock(), make_session())
    with closing(Queue.open(tmp_path / "queue.db", SystemClock())) as queue, pytest.raises(ServerUnreachable):
        Claimant(folder=tmp_path, code="x", server=client, writer=queue).claim()
