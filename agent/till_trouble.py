"""What went wrong at a till, shown to people until a while after: scans without room, a thread that had to start again."""

from __future__ import annotations

import logging
import threading

from agent.clock import Clock
from agent.status import Status

log = logging.getLogger(__name__)

_SHOWN = 60.0


class TillTrouble:
    """Thread-safe."""

    def __init__(self, till: str, status: Status, clock: Clock) -> None:
        self._till = till
        self._status = status
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._last: float | None = None

    def scan_lost(self) -> None:
        """There was no room for a scan."""
        with self._lock:
            self._number += 1
            self._last = self._clock.monotonic()
            number = self._number
        log.warning("scan dropped till=%s dropped=%d", self._till, number)
        self._status.set("till", self._till, "warning", "status.till_dropped", count=number)

    def restarted(self) -> None:
        """The till's thread met something that nobody foresaw."""
        with self._lock:
            self._last = self._clock.monotonic()
        self._status.set("till", self._till, "warning", "status.till_restarted")

    def fade(self) -> None:
        """Take the warning off when it is old."""
        with self._lock:
            if self._last is None or self._clock.monotonic() < self._last + _SHOWN:
                return
            self._last, self._number = None, 0
        self._status.set("till", self._till, "ok", "status.till_ok")
