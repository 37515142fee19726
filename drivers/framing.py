"""Pure: bytes and times in, whole codes out.

A scanner sends a code and a suffix (CR, LF, both, or the same twice); some send no suffix at all. So a frame ends at the
first terminator, and what no terminator ends is ended by silence. A doubled suffix is an empty frame and is swallowed.
`Framing` says what else a scanner may have been set to: STX and ETX around a code, a prefix, codes of one length.

Only the reader knows silence: it has waited and nothing came. Chunks may be handed in late when the machine is busy, so
`feed` never splits by time and `expire` is called after an empty read. The same bytes give the same frames, however they
are cut into chunks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

LIMIT = 8192
CERTAIN_END = "\0"
"""Alone in `terminators`: put behind each code by a driver whose device says where codes end, so it is never missing."""
_LINE_ENDS = b"\r\n"
_REST_WITHIN = 0.5
"""Seconds. Nobody scans two codes so fast one after the other that the first has lost its end on the way."""


@dataclass(frozen=True)
class Framing:
    """How a scanner marks where a code begins and ends: the keys of `framing` in config.toml."""

    terminators: str = field(default="\r\n", metadata={"doc": "each of these ends a code; empty: silence does"})
    start: str = field(default="", metadata={"doc": "begins a code (STX is \\u0002); what comes before it is noise"})
    prefix: str = field(default="", metadata={"doc": "taken off where a code begins with it"})
    suffix: str = field(default="", metadata={"doc": "taken off where a code ends with it"})
    length: int = field(default=0, metadata={"doc": "of every code, in bytes, as it is sent; 0: any"})
    idle_ms: int = field(default=50, metadata={"doc": "silence that ends a code which nothing else has ended"})

    def __post_init__(self) -> None:
        for name in ("terminators", "start", "prefix", "suffix"):
            if not getattr(self, name).isascii():
                raise ValueError(f"{name}: only ASCII characters, control characters as \\u0002")
        if len(self.start) > 1 or self.start in [*self.terminators]:
            raise ValueError("start: one character that is no terminator")
        if not 0 <= self.length <= LIMIT:
            raise ValueError(f"length {self.length}: 0 to {LIMIT}")
        if not 5 <= self.idle_ms <= 5000:
            raise ValueError(f"idle_ms {self.idle_ms}: 5 to 5000")

    def but(self, told: Framing, names: Iterable[str]) -> Framing:
        """This one, with what `told` has under these names. Raises ValueError where they do not go together."""
        return replace(self, **{name: getattr(told, name) for name in names})

    @property
    def idle(self) -> float:
        """In seconds."""
        return self.idle_ms / 1000


@dataclass(frozen=True, slots=True)
class Frame:
    """One code without its suffix. `at` is the monotonic time of its last bytes; `partial` is half a code, good for the log only."""

    data: bytes
    at: float
    partial: bool = False


class Framer:
    """The frames of one device. Holds at most `limit` bytes; a longer run is noise, dropped up to its end and counted in `noise`."""

    def __init__(self, framing: Framing | None = None, limit: int = LIMIT) -> None:
        framing = framing or Framing()
        self.idle = framing.idle
        self.noise = 0
        self._prefix, self._suffix = framing.prefix.encode(), framing.suffix.encode()
        self._start = framing.start.encode()
        self._ended_by = framing.terminators.encode()
        self._length = framing.length
        marks = self._ended_by + self._start
        self._marks = re.compile(b"([" + re.escape(marks) + b"])") if marks else re.compile(b"((?!))")
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0.0
        self._flooded = False
        self._cut_at: float | None = None  # when silence cut a code off; what comes soon after is the rest of it
        self._rest = False  # what is in the buffer is such a rest
        self._inside = not self._start  # bytes belong to a code
        self._suffixed = False  # the last frame had its terminator, so one that has none is cut off
        self._certain = framing.terminators == CERTAIN_END or bool(self._start and self._ended_by)

    @property
    def deadline(self) -> float | None:
        """When silence will end the frame that is under way; None = nothing is."""
        return self._at + self.idle if self._buffer or self._flooded else None

    def feed(self, data: bytes, at: float) -> list[Frame]:
        """Take a chunk that arrived at `at` and return the frames that it completes."""
        *marked, rest = self._marks.split(data)
        frames: list[Frame] = []
        for piece, mark in zip(marked[::2], marked[1::2], strict=True):
            frames += self._take(piece, at)
            frames += self._begin() if mark == self._start else self._end()
        return frames + self._take(rest, at)

    def expire(self, at: float) -> list[Frame]:
        """Call when nothing has come up to `at`: ends the frame whose deadline has passed.

        From a scanner that sends a suffix, the first frame without one is `partial`; from then on it counts as one without
        suffix. One that is to begin with a mark and to end with one is always `partial` without its end, and so is one of a
        device that says where its codes end. What follows such a half soon is its rest, and is `partial`, too.
        """
        deadline = self.deadline
        if deadline is None or at < deadline:
            return []
        partial, self._suffixed = self._suffixed or self._certain or self._rest, False
        self._inside = not self._start
        self._cut_at = self._at if partial else None
        return self._finish(partial=partial)

    def drop(self) -> Frame | None:
        """Call when the device has gone: returns what it leaves behind, as `partial`, and forgets all about the device."""
        self._suffixed = False
        self._cut_at = None
        self._inside = not self._start
        return next(iter(self._finish(partial=True)), None)

    def _begin(self) -> list[Frame]:
        """A code begins; one that has not ended yet is cut off."""
        self._inside = True
        self._cut_at = None
        return self._finish(partial=True)

    def _end(self) -> list[Frame]:
        self._suffixed = True
        self._inside = not self._start
        frames = self._finish(partial=self._rest)
        self._cut_at = None
        return frames

    def _take(self, piece: bytes, at: float) -> list[Frame]:
        """Bytes without a mark in them; they may complete codes of a fixed length."""
        frames: list[Frame] = []
        while piece and self._inside and self._length and not self._flooded:
            more = self._length - len(self._buffer)
            self._add(piece[:more], at)
            piece = piece[more:]
            if len(self._buffer) == self._length:
                frames += self._finish(partial=False)
                self._inside = not self._start
        self._add(piece, at)
        return frames

    def _add(self, piece: bytes, at: float) -> None:
        if not piece:
            return
        if not self._inside:
            self.noise += len(piece.translate(None, _LINE_ENDS))  # a line end behind ETX is no noise
            return
        if not self._buffer and not self._flooded:
            self._rest = self._cut_at is not None and at - self._cut_at < _REST_WITHIN
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
        partial = partial or 0 < len(data) < self._length
        if not partial:
            data = data.removeprefix(self._prefix).removesuffix(self._suffix)
        return [Frame(data, self._at, partial)] if data else []
