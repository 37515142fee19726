"""Patience: one series of attempts for ever, with full jitter, ended by the stop event and cut short by `wake`.

Full jitter = a uniform wait from nothing to a window that doubles up to a minute (five minutes after an hour in vain), so
that a fleet of tills that lost its server together does not come back together. A server that says when to return is
taken at its word. A series that a restart has cut goes on where it stood.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import tenacity

from agent.clock import Clock
from agent.sync.errors import NotAuthorised, ServerBusy, ServerRejected
from loyalty.errors import TillmateError

T = TypeVar("T")

_SLICE = 0.2
_DOUBLINGS = 16
_LONG = 3600.0
"""Seconds of waiting in vain after which ..."""
_SLOWER = 5
"""... the longest wait is so many times as long."""


LONGEST = 300.0
"""Seconds; what a restart finds waits no longer than that."""


@dataclass(frozen=True)
class Series:
    """So many failures, so many seconds spent waiting between them, and so many still to wait."""

    attempts: int = 0
    waited: float = 0.0
    wait: float = 0.0


class Waits(Protocol):
    """How time passes between attempts."""

    def ring(self) -> None:
        """End the present wait, or the next one."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait, unless `stop` is set or somebody rings."""
        ...


class Bell:
    """A wait that others can end. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = threading.Event()

    def ring(self) -> None:
        """End the present wait, or the next one."""
        self._rung.set()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait until the time is over, `stop` is set (noticed within 0.2 s) or somebody rings."""
        end = self._clock.monotonic() + seconds
        while not stop.is_set():
            left = end - self._clock.monotonic()
            if left <= 0 or self._clock.wait(self._rung, min(left, _SLICE)):
                break
        self._rung.clear()


class Patience:
    """Carries out an attempt until it succeeds."""

    def __init__(
        self, waits: Waits, *, first: float = 1.0, longest: float = 60.0, chance: random.Random | None = None
    ) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance or random.SystemRandom()
        self._waits = waits
        self._past = Series()
        self.series = Series()
        """The failures behind the present attempt."""

    def wake(self) -> None:
        """Try again at once."""
        self._waits.ring()

    def resume(self, past: Series, stop: threading.Event) -> None:
        """Go on with a series that an earlier run of this program began: its next wait first."""
        self._past = past
        self.rest(min(past.wait, LONGEST), stop)

    def rest(self, seconds: float, stop: threading.Event) -> None:
        """Wait, unless `stop` is set or somebody wakes."""
        if seconds > 0:
            self._waits.wait(seconds, stop)

    def carry_out(
        self, attempt: Callable[[], T], stop: threading.Event, failed: Callable[[TillmateError], None]
    ) -> T | None:
        """The result of the first attempt that raises no TillmateError; None when `stop` came before it.

        `failed` hears of each failure before the wait; `series` says then how things are.
        """
        past, self._past = self._past, Series()

        def wait(state: tenacity.RetryCallState) -> float:
            attempts, waited = past.attempts + state.attempt_number, past.waited + state.idle_for
            seconds = self._wait(_error(state), attempts, waited)
            self.series = Series(attempts, waited, seconds)
            return seconds

        def tell(state: tenacity.RetryCallState) -> None:
            error = _error(state)
            if error is not None:
                failed(error)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TillmateError),
            wait=wait,
            sleep=lambda seconds: self._waits.wait(float(seconds), stop),
            stop=tenacity.stop_when_event_set(stop),
            before_sleep=tell,
        )
        try:
            return retrying(attempt)
        except tenacity.RetryError:
            return None

    def _wait(self, error: TillmateError | None, attempts: int, waited: float) -> float:
        longest = self._longest * (_SLOWER if waited >= _LONG else 1)
        if isinstance(error, (NotAuthorised, ServerRejected)):
            return self._chance.uniform(longest / 2, longest)
        window = min(longest, self._first * 2 ** min(attempts - 1, _DOUBLINGS))
        jitter = self._chance.uniform(0.0, window)
        return error.retry_after + jitter if isinstance(error, ServerBusy) else jitter


def _error(state: tenacity.RetryCallState) -> TillmateError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, TillmateError) else None
