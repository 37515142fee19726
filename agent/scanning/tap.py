"""Lets store IT see what the agent's scanners read, which hold their ports for themselves.

    {"do": "scans", "after": 7}  -> {"ok": true, "last": 8, "scans": [{"scanner", "data" (hex), "at", "partial"}]}

Codes are kept only while somebody asks for them, a few of them, and in memory alone.
"""

from __future__ import annotations

import threading
from collections import deque

from agent.api.admin_socket import Answer, Command, Request
from agent.clock import Clock
from agent.messages import Scanned

LOOKS = 10.0
"""Seconds after which nobody counts as looking any more."""
_MOST = 64


class ScanTap:
    """`put` is for the threads of the scanners, `since` for the one that answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._last = 0
        self._kept: deque[tuple[int, Scanned]] = deque(maxlen=_MOST)

    def put(self, scanned: Scanned) -> None:
        """Keep it, if somebody looks."""
        with self._lock:
            self._forget()
            if self._asked is not None:
                self._last += 1
                self._kept.append((self._last, scanned))

    def since(self, number: int) -> tuple[int, list[Scanned]]:
        """The number of the last one, and those behind `number`."""
        with self._lock:
            self._forget()
            self._asked = self._clock.monotonic()
            return self._last, [scanned for place, scanned in self._kept if place > number]

    def _forget(self) -> None:
        if self._asked is not None and self._clock.monotonic() - self._asked > LOOKS:
            self._asked = None
            self._kept.clear()


def scan_commands(tap: ScanTap) -> dict[str, Command]:
    """The command, for `AdminSocket`."""

    def scans(request: Request) -> Answer:
        after = request.get("after")
        last, found = tap.since(after if isinstance(after, int) else 0)
        return {
            "last": last,
            "scans": [
                {"scanner": each.device, "data": each.data.hex(), "at": each.at.isoformat(), "partial": each.partial}
                for each in found
            ],
        }

    return {"scans": scans}
