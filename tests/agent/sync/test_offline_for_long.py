"""Weeks, months and a year without a server, in virtual time: patience, storms, restarts, and then everything at once."""

from __future__ import annotations

import itertools
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.status import Status
from agent.sync import Drain, Patience, Report
from agent.sync.drain import share_of
from agent.sync.errors import ServerBusy
from loyalty.wire import EventBatch, EventReply, HeartbeatReply
from tests.rig.sync_world import NOON, Central, Road, TillFolder, Timeline, VirtualClock, furnish

DAY = 86400.0


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    furnish(folder)
    return folder


@pytest.fixture
def central(tmp_path: Path, furnished: Path) -> Iterator[Central]:
    shutil.copytree(furnished, tmp_path / "server")
    central = Central(tmp_path / "server", VirtualClock())
    yield central
    central.close()


@pytest.fixture
def till(tmp_path: Path, central: Central) -> Iterator[TillFolder]:
    till = TillFolder(tmp_path / "till", lambda: central).start()
    till.claim(central.code())
    yield till
    till.stop()


class Run:
    """The drain of a till in virtual time, in the thread of the test."""

    def __init__(self, till: TillFolder, seed: int = 1) -> None:
        self.till = till
        self.time = Timeline(till.clock)
        self.stop = threading.Event()
        self.status = Status(till.clock)
        self.report = Report(self.status, till.clock)
        self.drain = Drain(
            writer=till.queue,
            open_reader=lambda: till.reader,
            connect=lambda _: till.line,
            report=self.report,
            clock=till.clock,
            patience=Patience(self.time, chance=random.Random(seed)),  # noqa: S311 - no secret
            identity=till.who,
            idle=self.time,
            pause=self.time,
        )

    def sell(self, number: int) -> None:
        self.till.sell(number, None, 1)
        self.drain.nudge()

    def end_when_delivered(self) -> None:
        """Look every second whether nothing waits any more."""
        if self.till.reader.depth().pending == 0:
            self.stop.set()
            return
        self.time.after(1.0, self.end_when_delivered)

    def go(self, seconds: float = 0.0) -> None:
        """Run for so long, or until the test's events end it."""
        if seconds:
            self.time.after(seconds, self.stop.set)
        self.stop.clear()
        reader, close = self.till.reader, self.till.reader.close
        self.till.reader.close = lambda: None  # type: ignore[method-assign]  # the drain's reader is the till's here
        self.drain.run(self.stop)
        self.till.reader = reader
        self.till.reader.close = close  # type: ignore[method-assign]

    def words(self, part: str) -> str:
        return next(each.text["ru"] for each in self.status.snapshot() if each.part == part)


def test_a_year_offline(
    till: TillFolder, central: Central, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    days, a_day = size(30, 365), 20
    run = Run(till)
    number = itertools.count(1)
    till.weather.always = "down"
    for sale in range(days * a_day):
        run.time.after(sale * DAY / a_day, lambda: run.sell(next(number)))

    def come_back() -> None:
        till.weather.always = ""
        run.end_when_delivered()

    run.time.after(days * DAY, come_back)
    run.go()

    attempts = till.weather.calls
    assert len(central.receipts()) == days * a_day
    assert max(run.time.waits) <= 300
    assert attempts < days * DAY / 100, "an average wait of 150 s, by full jitter up to 300 s"
    proof(f"a year offline: {days} days, {days * a_day} sales, {attempts} attempts in vain, 0 lost, 0 doubled")


def test_the_words_of_a_long_outage(till: TillFolder) -> None:
    run = Run(till)
    till.weather.always = "down"
    for number in (1, 2, 3):
        run.sell(number)
    run.go(120)
    assert run.words("network").endswith("чеков ждёт: 3.")
    assert len(run.words("network").split(" с ")[1].split(",")[0]) == len("12:00")
    run.go(3 * DAY)
    assert ". " in run.words("network").split(" с ")[1], "with the day, once it was another one"


def test_a_restart_goes_on_where_it_stood(till: TillFolder, central: Central) -> None:
    run = Run(till)
    till.weather.always = "down"
    run.sell(1)
    run.go(7200)
    state = till.reader.delivery()
    assert state is not None
    assert (state.trouble, state.attempts > 20) == ("server_unreachable", True)

    calls = []
    for _ in range(50):  # a service manager that restarts the agent again and again
        till.restart()
        again = Run(till)
        before = till.weather.calls
        again.go(1.0)
        calls.append(till.weather.calls - before)
    assert sum(calls) <= 25, "it does not begin anew with each start"

    till.weather.always = ""
    last = Run(till)
    last.end_when_delivered()
    last.go()
    assert len(central.receipts()) == 1
    assert till.reader.delivery() is None


def test_a_person_need_not_wait(till: TillFolder, central: Central) -> None:
    run = Run(till)
    till.weather.always = "down"
    run.sell(1)

    def mend() -> None:
        till.weather.always = ""
        run.drain.try_now()
        run.time.after(0.5, run.stop.set)

    run.time.after(5000, mend)
    run.go()
    assert len(central.receipts()) == 1


@pytest.mark.parametrize("leap", [-3650, -1, 1, 3650])
def test_a_clock_that_leaps_changes_no_wait(till: TillFolder, central: Central, leap: int) -> None:
    run = Run(till)
    till.weather.always = "down"
    run.sell(1)
    run.time.after(500, lambda: till.clock.leap(timedelta(days=leap)))
    run.go(3000)
    assert max(run.time.waits) <= 60
    assert till.weather.calls > 40

    till.restart()
    till.clock.leap(timedelta(days=-leap))
    till.weather.always = ""
    again = Run(till)
    again.end_when_delivered()
    again.go()
    assert len(central.receipts()) == 1
    assert max(again.time.waits) <= 300


def test_the_server_is_taken_at_its_word_for_an_hour_at_most(till: TillFolder, central: Central) -> None:
    run = Run(till)
    answers = iter([ServerBusy("later", 3000.0)])

    class Busy(Road):
        def events(self, batch: EventBatch) -> EventReply:
            for busy in answers:
                raise busy
            return super().events(batch)

    till.line = Busy(lambda: central, till.weather, till.who.device)
    run.sell(1)
    run.end_when_delivered()
    run.go()
    assert 3000 <= max(run.time.waits) <= 3001


@pytest.mark.parametrize("outage", [300, 1200])
def test_after_a_long_outage_tills_do_not_come_back_all_at_once(till: TillFolder, outage: float) -> None:
    """Short ones are over at once; after ten minutes each device has its own share of a minute."""
    run = Run(till)
    till.weather.always = "down"
    run.sell(1)

    def come_back() -> None:
        till.weather.always = ""
        run.drain.recovered(timedelta(seconds=outage))
        run.end_when_delivered()

    run.time.after(outage, come_back)
    run.go()
    share = 60 * share_of(till.who.device)
    assert (share in run.time.waits) == (outage > 600)


def test_the_server_says_how_wide_they_spread(till: TillFolder) -> None:
    run = Run(till)
    reply = HeartbeatReply(NOON, spread=600)
    till.sell(1, None, 1)
    till.clock.advance(hours=1)  # it was off meanwhile, as all tills are at night
    run.drain.heard(till.heartbeat(), reply)
    run.end_when_delivered()
    run.go()
    assert 600 * share_of(till.who.device) in run.time.waits


def test_the_shares_are_spread_evenly() -> None:
    shares = sorted(share_of(f"D{number}") for number in range(1, 5001))
    assert 0 <= shares[0] < shares[-1] <= 1
    assert max(abs(share - place / 5000) for place, share in enumerate(shares)) < 0.03


def test_a_large_backlog_shows_how_far_it_is(till: TillFolder, size: Callable[[int, int], int]) -> None:
    count = size(1500, 5000)
    run = Run(till)
    for number in range(1, count + 1):
        till.sell(number, None, 1)
    heard: list[str] = []
    run.status.subscribe(lambda board: heard.extend(each.text["ru"] for each in board if each.part == "queue"))
    run.report.counted(count, 0)

    class Slow(Road):
        def events(self, batch: EventBatch) -> EventReply:
            till.clock.advance(seconds=2)
            reply = super().events(batch)
            run.report.counted(till.reader.depth().pending - len(batch.rows), 0)  # as the queue's writer says it
            return reply

    till.line = Slow(till.central, till.weather, till.who.device)
    run.end_when_delivered()
    run.go()
    total = f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")
    assert f"Передано 500 из {total}." in heard
    assert heard[-1] == "Всё отправлено."
