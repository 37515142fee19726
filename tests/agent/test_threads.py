"""The guard: a thread that fails is shown and runs again, and one that hangs is replaced, or named and left behind."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.threads import MOST_LEFT_BEHIND, Worker, end
from offline_queue import QueueDamaged

if TYPE_CHECKING:
    from conftest import Until

CLOCK = SystemClock()


def test_what_nobody_foresaw_is_logged_told_and_run_again(until: Until, caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []
    told: list[BaseException] = []

    def run(stop: threading.Event) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ZeroDivisionError("once")
        stop.wait()

    worker = Worker("till-1", run, told.append)
    with caplog.at_level(logging.CRITICAL):
        worker.start()
        until(lambda: len(runs) == 2)
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert "thread=till-1 crashed=ZeroDivisionError" in caplog.text
    assert worker.alive
    assert end([worker], CLOCK, CLOCK.monotonic() + 1) == []
    assert not worker.alive


@pytest.mark.parametrize(
    ("error", "worker"),
    [
        (OSError(), Worker("queue", lambda _: None, fatal=(Exception,))),
        (QueueDamaged("queue.db"), Worker("printer-1", lambda _: None)),
    ],
)
def test_what_is_fatal_is_told_and_not_run_again(until: Until, error: Exception, worker: Worker) -> None:
    runs: list[int] = []
    told: list[BaseException] = []

    def run(_: threading.Event) -> None:
        runs.append(1)
        raise error

    worker.run, worker.ended = run, told.append
    worker.start()
    until(lambda: not worker.alive)
    assert (runs, told) == ([1], [error])


def test_the_same_crash_again_is_quiet_and_another_one_is_loud(until: Until, caplog: pytest.LogCaptureFixture) -> None:
    crashes = [KeyError("a"), KeyError("a"), KeyError("a"), KeyError("a"), KeyError("b")]
    worker = Worker("till-1", lambda _: None, restart_after=0.0)

    def run(stop: threading.Event) -> None:
        if not crashes:
            stop.wait()
            return
        raise crashes.pop(0)

    worker.run = run
    with caplog.at_level(logging.DEBUG):
        worker.start()
        until(lambda: worker.restarts == 5)
        assert end([worker], CLOCK, CLOCK.monotonic() + 1) == []
    assert [record.levelname for record in caplog.records] == ["CRITICAL", "ERROR", "ERROR", "DEBUG", "CRITICAL"]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False, False, True]


def test_a_thread_that_hangs_is_named_and_waited_for_only_until_the_deadline() -> None:
    release = threading.Event()
    hung = Worker("printer-hung", lambda _: release.wait() and None)
    good = Worker("printer-good", lambda stop: stop.wait() and None)
    for worker in (hung, good):
        worker.start()
    begin = CLOCK.monotonic()
    assert end([hung, good], CLOCK, begin + 0.3) == ["printer-hung"]
    assert CLOCK.monotonic() - begin < 1.0
    release.set()
    assert hung.join(2)


def test_a_thread_that_hangs_is_replaced_but_not_for_ever(until: Until) -> None:
    release = threading.Event()
    begun: list[threading.Event] = []

    def run(stop: threading.Event) -> None:
        begun.append(stop)
        release.wait()

    worker = Worker("scanner-counter", run, hangs=lambda: True)
    worker.start()
    for number in range(MOST_LEFT_BEHIND):
        until(lambda: len(begun) == number + 1)  # noqa: B023 - called at once
        assert worker.replace_if_hung()
    until(lambda: len(begun) == MOST_LEFT_BEHIND + 1)
    assert not worker.replace_if_hung()
    assert [stop.is_set() for stop in begun] == [True] * MOST_LEFT_BEHIND + [False]
    assert end([worker], CLOCK, CLOCK.monotonic() + 0.1) == ["scanner-counter"]
    release.set()
    until(lambda: worker.join(1))
    assert len(begun) == MOST_LEFT_BEHIND + 1  # none of them runs again


def test_a_thread_that_does_not_hang_is_left_alone() -> None:
    worker = Worker("scanner-counter", lambda stop: stop.wait() and None)
    worker.start()
    assert not worker.replace_if_hung()
    assert end([worker], CLOCK, CLOCK.monotonic() + 1) == []
