"""Time as a parameter: whatever needs the time takes a `Clock`, so that tests can hand in their own."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall clock for records, monotonic clock for waits and deadlines."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait for the event, `timeout` seconds at most; True = it is set."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait for the event, `timeout` seconds at most; True = it is set."""
        return event.wait(timeout)
