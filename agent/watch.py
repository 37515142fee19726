"""Notices a driver that hangs, and sees to it that the thread that is lost in it does nothing more.

Every call into a driver is timed. One that is under way for far longer than it was granted is given up: another
thread takes the device over. If the call does come back one day, `GivenUp` comes out of it instead of its answer, so the
old thread ends there, without having read, printed, reported or stored anything. A thread that waits for anything else
than its driver is never given up.

    watch = Watch(clock)
    device = WatchedPrinter(watch, lambda: driver.open(options))    # in the thread of the device, again after each loss
    watch.hangs()                                                   # in another one, every now and then
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from agent.clock import Clock
from drivers.base import Device, Printer

HANGS_AFTER = 20.0
"""Seconds beyond the timeout that a call was given."""
LONGEST = 60.0
"""Seconds that opening, or writing a long job over a slow line, may take."""

T = TypeVar("T")
D = TypeVar("D", bound=Device)


class GivenUp(BaseException):
    """Another thread has taken the device over. No error that anybody could handle, but the end of this thread."""


class _Calls:
    """The calls into one opened device, one at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: float | None = None
        self.given_up = False

    def make(self, call: Callable[[], T], timeout: float) -> T:
        with self._lock:
            self._until = self._clock.monotonic() + timeout + HANGS_AFTER
        try:
            return call()
        finally:
            with self._lock:
                self._until = None
                if self.given_up:
                    raise GivenUp

    def hang(self) -> bool:
        """Whether one hangs; then all of them are given up."""
        with self._lock:
            if self._until is not None and self._clock.monotonic() >= self._until:
                self.given_up = True
            return self.given_up


class Watch:
    """One device. `hangs` is for the thread that watches, all else for that of the device."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls = _Calls(clock)

    def begin(self) -> _Calls:
        """The device is being opened: from here on its calls are watched."""
        self._calls = _Calls(self._clock)
        return self._calls

    def hangs(self) -> bool:
        """Whether the thread of the device hangs in its driver. It has been given up then, and this is said once."""
        hang = self._calls.hang()
        if hang:
            self._calls = _Calls(self._clock)
        return hang


class Watched(Generic[D]):
    """An opened device whose calls are watched; see drivers.base.Device. Raises what the driver raises."""

    def __init__(self, watch: Watch, opener: Callable[[], D]) -> None:
        self._calls = watch.begin()
        self._device = self._calls.make(lambda: self._opened(opener), LONGEST)

    def read(self, timeout: float) -> bytes:
        return self._calls.make(lambda: self._device.read(timeout), timeout)

    def close(self) -> None:
        self._calls.make(self._device.close, 0.0)

    def _opened(self, opener: Callable[[], D]) -> D:
        device = opener()
        if self._calls.given_up:
            device.close()
        return device


class WatchedPrinter(Watched[Printer]):
    """See drivers.base.Printer."""

    def write(self, payload: bytes, timeout: float) -> None:
        self._calls.make(lambda: self._device.write(payload, timeout), LONGEST)
