"""Pure: bytes and times in, whole codes out.

A scanner sends a code and a suffix (CR, LF, both, or the same twice); some send no suffix at all. So a frame ends at the
first terminator, and what no terminator ends is ended by silence. A doubled suffix is an empty frame and is swallowed.

Only the reader knows silence: it has waited and nothing came. Chunks may be handed in late when the machine is busy, so
`feed` never splits by time and `expire` is called after an empty read. The same bytes give the same frames, however they
are cut into chunks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One code without its suffix. `at` is the monotonic time of its last bytes; `partial` is half a code, good for the log only."""

    data: bytes
    at: float
    partial: bool = False


class Framer:
    """The frames of one device. Holds at most `limit` bytes; a longer run is noise, dropped up to its end and counted in `noise`."""

    def __init__(self, terminators: Sequence[int] = (13, 10), idle: float = 0.05, limit: int = 8192) -> None:
        self.idle = idle
        self.noise = 0
        self._ends = re.compile(b"[" + re.escape(bytes(terminators)) + b"]") if terminators else re.compile(b"(?!)")
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0.0
        self._flooded = False
        self._suffixed = False  # the last frame had its terminator, so one that has none is cut off

    @property
    def deadline(self) -> float | None:
        """When silence will end the frame that is under way; None = nothing is."""
        return self._at + self.idle if self._buffer or self._flooded else None

    def feed(self, data: bytes, at: float) -> list[Frame]:
        """Take a chunk that arrived at `at` and return the frames that it completes."""
        *ended, rest = self._ends.split(data)
        frames = []
        for piece in ended:
            self._take(piece, at)
            frames += self._finish(partial=False)
            self._suffixed = True
        self._take(rest, at)
        return frames

    def expire(self, at: float) -> list[Frame]:
        """Call when nothing has come up to `at`: ends the frame whose deadline has passed.

        From a scanner that sends a suffix, the first frame without one is `partial`; from then on it counts as one without suffix.
        """
        deadline = self.deadline
        if deadline is None or at < deadline:
            return []
        partial, self._suffixed = self._suffixed, False
        return self._finish(partial=partial)

    def drop(self) -> Frame | None:
        """Call when the device has gone: returns what it leaves behind, as `partial`, and forgets all about the device."""
        self._suffixed = False
        return next(iter(self._finish(partial=True)), None)

    def _take(self, piece: bytes, at: float) -> None:
        if not piece:
            return
        self._at = at
        self._flooded = self._flooded or len(self._buffer) + len(piece) > self._limit
        if self._flooded:
            self.noise += len(self._buffer) + len(piece)
            self._buffer.clear()
        else:
            self._buffer += piece

    def _finish(self, *, partial: bool) -> list[Frame]:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._flooded = False
        return [Frame(data, self._at, partial)] if data else []
