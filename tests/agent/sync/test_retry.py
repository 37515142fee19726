"""Patience: for ever, with full jitter, longest at once where waiting alone cannot help, and ended by stop or wake."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from agent.clock import SystemClock
from agent.sync.errors import NotAuthorised, ServerBusy, ServerRejected, ServerUnreachable
from agent.sync.retry import Bell, Patience
from loyalty.errors import TillmateError
from loyalty.wire import Problem

WAIT = 20.0
UNREACHABLE = ServerUnreachable("no", "network")
REJECTED = ServerRejected(Problem(type="about:blank", title="no", status=400, code="no", retryable=False))


class Recorded:
    """Waits that take no time, and are written down."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def ring(self) -> None:
        """Nobody waits here."""

    def wait(self, seconds: float, _stop: threading.Event) -> None:
        self.seconds.append(seconds)


class Highest(random.Random):
    """Always draws the upper end."""

    def uniform(self, _low: float, high: float) -> float:
        return high


class Lowest(random.Random):
    """Always draws the lower end."""

    def uniform(self, low: float, _high: float) -> float:
        return low


def waits(error: TillmateError, attempts: int, chance: random.Random) -> list[float]:
    """The waits after so many failures."""
    recorded, failures = Recorded(), iter([error] * attempts)

    def attempt() -> str:
        for failure in failures:
            raise failure
        return "done"

    heard: list[TillmateError] = []
    patience = Patience(recorded, chance=chance)
    assert patience.carry_out(attempt, threading.Event(), heard.append) == "done"
    assert heard == [error] * attempts
    return recorded.seconds


def test_the_window_doubles_up_to_a_minute() -> None:
    assert waits(UNREACHABLE, 9, Highest()) == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert waits(UNREACHABLE, 9, Lowest()) == [0] * 9


@pytest.mark.parametrize("error", [UNREACHABLE, REJECTED])
def test_after_an_hour_in_vain_it_asks_every_five_minutes_at_the_most(error: TillmateError) -> None:
    drawn = waits(error, 80, Highest())
    slow = drawn.index(300)
    assert sum(drawn[: slow - 1]) < 3600 <= sum(drawn[:slow])
    assert set(drawn[slow:]) == {300}


def test_a_hundred_days_of_failures_do_not_overflow() -> None:
    assert waits(UNREACHABLE, 5000, Highest())[-1] == 300


def test_the_server_is_taken_at_its_word() -> None:
    assert waits(ServerBusy("later", 300), 2, Lowest()) == [300, 300]
    assert waits(ServerBusy("later", 300), 2, Highest()) == [301, 302]


@pytest.mark.parametrize("error", [NotAuthorised("no", "device_revoked"), REJECTED])
def test_what_waiting_alone_cannot_cure_takes_the_longest_wait_at_once(error: TillmateError) -> None:
    assert waits(error, 2, Lowest()) == [30, 30]
    assert waits(error, 2, Highest()) == [60, 60]


def test_another_kind_of_error_is_not_swallowed() -> None:
    def attempt() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Patience(Recorded()).carry_out(attempt, threading.Event(), lambda _: None)


def run(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def test_stop_ends_a_long_wait() -> None:
    stop, failed = threading.Event(), threading.Event()

    def attempt() -> None:
        raise ServerBusy("later", 3000)

    patience = Patience(Bell(SystemClock()))
    results: list[None] = []
    thread = run(lambda: results.append(patience.carry_out(attempt, stop, lambda _: failed.set())))
    assert failed.wait(WAIT)
    stop.set()
    thread.join(WAIT)
    assert results == [None]


def test_wake_cuts_a_long_wait_short() -> None:
    failed = threading.Event()
    attempts: list[int] = []

    def attempt() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise ServerBusy("later", 3000)
        return "done"

    patience = Patience(Bell(SystemClock()))
    results: list[str | None] = []
    thread = run(lambda: results.append(patience.carry_out(attempt, threading.Event(), lambda _: failed.set())))
    assert failed.wait(WAIT)
    patience.wake()
    thread.join(WAIT)
    assert results == ["done"]


def test_a_bell_that_was_rung_before_ends_the_next_wait_only() -> None:
    clock = SystemClock()
    bell = Bell(clock)
    bell.ring()
    start = clock.monotonic()
    bell.wait(60, threading.Event())
    assert clock.monotonic() - start < WAIT
    bell.wait(0.05, threading.Event())
    assert clock.monotonic() - start >= 0.05
