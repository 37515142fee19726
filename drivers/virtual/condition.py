"""How a virtual printer is, and the bits that tell it: DLE EOT, GS r and automatic status, as in Epson's reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PaperState = Literal["ok", "near_end", "out"]

_NEAR_BITS = {"ok": 0x00, "near_end": 0x0C, "out": 0x6C}  # DLE EOT 4
_PAPER_BITS = {"ok": 0x00, "near_end": 0x03, "out": 0x0F}  # GS r 1 and the third byte of the automatic status
_WATCHED = {  # which bits of the four bytes each bit of GS a has an eye on
    0x01: b"\x04\x00\x00\x00",
    0x02: b"\x68\x03\x00\x00",
    0x04: b"\x00\x6c\x00\x00",
    0x08: b"\x00\x00\x0f\x00",
}

FAULTS: Mapping[str, tuple[str, object]] = {
    "paper_out": ("paper", "out"),
    "near_end": ("paper", "near_end"),
    "cover": ("cover_open", True),
    "cutter": ("cutter_jammed", True),
    "overheated": ("hot", True),
    "broken": ("broken", True),
    "mute": ("mute", True),
}
"""By the name that the control port has for it: which attribute of a `Condition` gets which value."""


@dataclass
class Condition:
    """May be set by hand, at any time."""

    paper: PaperState = "ok"
    cover_open: bool = False
    cutter_jammed: bool = False
    """A recoverable error: DLE ENQ ends it."""
    hot: bool = False
    """An error that ends by itself, when the head has cooled down."""
    broken: bool = False
    """An error that only the power switch ends."""
    mute: bool = False

    @property
    def offline(self) -> bool:
        """It cannot print and holds what comes."""
        return self.cover_open or self.paper == "out" or self.cutter_jammed or self.hot or self.broken

    def real_time_status(self, query: int) -> int:
        """The answer to DLE EOT 1 to 4."""
        errors = self._error_bits()
        bits = {
            1: 0x08 * self.offline,
            2: 0x04 * self.cover_open + 0x20 * (self.paper == "out") + 0x40 * bool(errors),
            3: errors,
            4: _NEAR_BITS[self.paper],
        }
        return 0x12 | bits[query]

    def sensor(self, query: int) -> int:
        """The answer to GS r 1 (paper) and 2 (drawer)."""
        return _PAPER_BITS[self.paper] if query in (1, 49) else 0

    def automatic_status(self) -> bytes:
        """The four bytes of automatic status."""
        line = 0x10 | 0x08 * self.offline | 0x20 * self.cover_open
        return bytes([line, self._error_bits(), _PAPER_BITS[self.paper], 0])

    def _error_bits(self) -> int:
        return 0x08 * self.cutter_jammed + 0x20 * self.broken + 0x40 * self.hot


def watched(status: bytes, mask: int) -> bytes:
    """The part of an automatic status whose change GS a `mask` wants to hear of."""
    masks = [part for bit, part in _WATCHED.items() if mask & bit]
    return bytes(byte & _union(masks, at) for at, byte in enumerate(status))


def _union(masks: list[bytes], at: int) -> int:
    whole = 0
    for mask in masks:
        whole |= mask[at]
    return whole
