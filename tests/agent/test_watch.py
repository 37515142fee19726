"""A driver that hangs: noticed, given up, and whatever it brings afterwards comes to nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from agent.watch import HANGS_AFTER, LONGEST, GivenUp, Watch, Watched, WatchedPrinter
from drivers.base import DeviceGone

if TYPE_CHECKING:
    from conftest import LeapingClock


class Stubborn:
    """A device whose calls wait for the test."""

    def __init__(self, error: Exception | None = None) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.error = error
        self.written: list[tuple[bytes, float]] = []
        self.closed = 0

    def read(self, timeout: float) -> bytes:
        self._hang()
        return f"code after {timeout}".encode()

    def write(self, payload: bytes, timeout: float) -> None:
        self._hang()
        self.written.append((payload, timeout))

    def close(self) -> None:
        self.closed += 1

    def _hang(self) -> None:
        self.entered.set()
        assert self.release.wait(10)
        if self.error:
            raise self.error


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def test_what_a_driver_says_in_time_passes_through(leaping_clock: LeapingClock) -> None:
    watch, device = Watch(leaping_clock), Stubborn()
    device.release.set()
    watched = WatchedPrinter(watch, lambda: device)
    assert watched.read(0.2) == b"code after 0.2"
    watched.write(b"x", 1.0)
    assert device.written == [(b"x", 1.0)]
    device.error = DeviceGone("unplugged")
    with pytest.raises(DeviceGone):
        watched.read(0.2)
    watched.close()
    assert device.closed == 1


@pytest.mark.parametrize("error", [None, DeviceGone("unplugged")])
@pytest.mark.parametrize(("call", "granted"), [("read", 0.2), ("write", LONGEST)])
def test_a_call_that_hangs_is_given_up_once_and_never_comes_back(
    leaping_clock: LeapingClock, pool: ThreadPoolExecutor, call: str, granted: float, error: Exception | None
) -> None:
    watch, device = Watch(leaping_clock), Stubborn(error)
    watched = WatchedPrinter(watch, lambda: device)
    lost = pool.submit(lambda: watched.read(0.2) if call == "read" else watched.write(b"x", 1.0))
    assert device.entered.wait(5)
    leaping_clock.ahead += granted + HANGS_AFTER - 5
    assert not watch.hangs()
    leaping_clock.ahead += 5
    assert watch.hangs()
    assert not watch.hangs()
    device.release.set()
    with pytest.raises(GivenUp):
        lost.result(5)


def test_the_device_of_an_opening_that_came_too_late_is_given_back(
    leaping_clock: LeapingClock, pool: ThreadPoolExecutor
) -> None:
    watch, device = Watch(leaping_clock), Stubborn()

    def opener() -> Stubborn:
        device._hang()
        return device

    lost = pool.submit(lambda: Watched(watch, opener))
    assert device.entered.wait(5)
    leaping_clock.ahead += LONGEST + HANGS_AFTER
    assert watch.hangs()
    device.release.set()
    with pytest.raises(GivenUp):
        lost.result(5)
    assert device.closed == 1


def test_a_thread_that_waits_for_something_else_is_not_given_up(leaping_clock: LeapingClock) -> None:
    watch, device = Watch(leaping_clock), Stubborn()
    device.release.set()
    watched = Watched(watch, lambda: device)
    leaping_clock.ahead += 10 * HANGS_AFTER
    assert not watch.hangs()
    assert watched.read(0.2)


def test_the_next_life_of_a_device_is_watched_anew(leaping_clock: LeapingClock, pool: ThreadPoolExecutor) -> None:
    watch, old, new = Watch(leaping_clock), Stubborn(), Stubborn()
    lost = pool.submit(Watched(watch, lambda: old).read, 0.2)
    assert old.entered.wait(5)
    leaping_clock.ahead += HANGS_AFTER + 1
    assert watch.hangs()
    also_lost = pool.submit(Watched(watch, lambda: new).read, 0.2)
    assert new.entered.wait(5)
    old.release.set()
    with pytest.raises(GivenUp):
        lost.result(5)
    assert not watch.hangs()
    leaping_clock.ahead += HANGS_AFTER + 1
    assert watch.hangs()
    new.release.set()
    with pytest.raises(GivenUp):
        also_lost.result(5)
