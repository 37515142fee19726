"""The guard: a thread that fails is shown and runs again, and one that hangs is named and left behind."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.threads import Worker, end

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


def test_a_fatal_thread_is_not_run_again(until: Until) -> None:
    runs: list[int] = []

    def run(_: threading.Event) -> None:
        runs.append(1)
        raise OSError

    worker = Worker("queue", run, fatal=True)
    worker.start()
    until(lambda: not worker.alive)
    assert runs == [1]


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
