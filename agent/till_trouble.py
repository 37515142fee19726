"""What is wrong with a till: scans without room and a thread that had to start again, shown until a while after; and
that the server does not know it, shown all the time, because its sales will be refused there."""

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
        self._known = True

    def recognised(self, known: bool) -> None:
        """Whether the server knows this till."""
        with self._lock:
            changed, self._known = known != self._known, known
        if changed:
            self._show_standing()

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
        self._show_standing()

    def _show_standing(self) -> None:
        if self._known:
            self._status.set("till", self._till, "ok", "status.till_ok")
        else:
            self._status.set("till", self._till, "warning", "status.till_unknown", till=self._till)
