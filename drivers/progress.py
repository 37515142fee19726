"""Waiting for a device that takes its bytes as it can: a timeout that begins anew whenever some were taken."""

from __future__ import annotations

import threading
import time


class Progress:
    """`left` counts down from `timeout`; `made` starts it again."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.made()

    def made(self) -> None:
        """Something was taken."""
        self._end = time.monotonic() + self._timeout

    @property
    def left(self) -> float:
        """Seconds, never negative; 0 = it has stalled."""
        return max(self._end - time.monotonic(), 0.0)


def pause(seconds: float) -> None:
    """For devices that can only be asked again, not waited for. Never for long."""
    threading.Event().wait(seconds)
