"""Pure: tells a code that a scanner sent twice from one that somebody scanned twice.

Scanners send a code again by themselves (a bouncing trigger, a suffix set to send twice, a stand that still sees the
label). What comes again within the window is one scan; what comes later was meant.
"""

from __future__ import annotations


class Repeats:
    """The codes of one scanner. `window` is in seconds, counted from the scan that was told; 0 = nothing is a repeat."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._told: dict[bytes, float] = {}

    def is_repeat(self, data: bytes, at: float) -> bool:
        """Whether that code was told within the window before `at`, a monotonic time. If not, it counts as told now."""
        self._told = {code: told for code, told in self._told.items() if at - told < self._window}
        if data in self._told:
            return True
        self._told[data] = at
        return False
