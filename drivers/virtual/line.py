"""How bytes come over a virtual printer's cable: how fast, and how the printer holds them back.

A pty and a TCP connection bring any number at once; a serial line brings baud / 10 a second, and a printer can only ask
for a pause.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.virtual.options import Flow

_XON, _XOFF = b"\x11", b"\x13"
_TURN = 4  # byte times between two looks at the line
_SHORTEST_TURN = 0.002


class Throttle:
    """Lets `baud` / 10 bytes a second pass; 0 = as many as come."""

    def __init__(self, baud: int, clock: Callable[[], float]) -> None:
        self._rate, self._clock = baud / 10, clock
        self._since: float | None = None  # when the byte that comes next began to come

    def allowance(self, most: int) -> int:
        """How many bytes may be taken now."""
        if not self._rate:
            return most
        if self._since is None:
            self._since = self._clock() - 1.5 / self._rate  # one byte is there
        return min(most, max(int((self._clock() - self._since) * self._rate), 0))

    def took(self, count: int, allowed: int) -> None:
        """Note what was taken; a line that had less than allowed has been idle."""
        if self._rate and self._since is not None:
            self._since = self._since + count / self._rate if count >= allowed else None

    @property
    def pause(self) -> float | None:
        """Seconds until a look at the line is worth it; None = at the next byte."""
        if not self._rate or self._since is None:
            return None
        return max(self._since + _TURN / self._rate - self._clock(), _SHORTEST_TURN)


class FlowControl:
    """Asks the host for a pause before the buffer is full, and to go on when there is room again.

    `ready` is the state of the DTR line; a pty has none, so only the control port can tell it.
    """

    def __init__(self, flow: Flow, buffer: int) -> None:
        self._flow = flow
        self._full, self._free = min(128, buffer // 2), min(256, buffer * 3 // 4)
        self.ready = True

    @property
    def holds_back(self) -> bool:
        """The cable itself stops when the buffer is full, as TCP does."""
        return self._flow == "hold"

    @property
    def sent_xoff(self) -> bool:
        return self._flow == "xonxoff" and not self.ready

    def until_signal(self, room: int) -> int | None:
        """Bytes after which there is something to tell the host; None = there is nothing."""
        if self._flow in ("hold", "none") or not self.ready:
            return None
        return max(room - self._full, 1)

    def signals(self, room: int) -> bytes:
        """What to send to the host now that so much room is left."""
        if self._flow in ("hold", "none"):
            return b""
        before = self.ready
        self.ready = room > self._full if before else room >= self._free
        if self.ready == before or self._flow == "dtr":
            return b""
        return _XON if self.ready else _XOFF
