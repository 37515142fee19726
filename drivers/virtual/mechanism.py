"""The inside of a receipt printer without its cable: bytes in, status replies and paper out, faults by method calls.

It behaves as real printers do where that matters to a job. Data is kept, not refused, while the paper is out or the cover
open, and printed afterwards. DLE EOT is answered at once, also off-line and inside a picture; GS r and GS ( H in order with
the data, so not before everything ahead of them is printed. Automatic status comes when it is switched on and at each
change, and ESC @ switches it off. Everything lives on when a connection ends; only power takes the settings and the buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from drivers.printers.escpos.commands import Command, RealTime, Splitter
from drivers.printers.escpos.paper import Paper, Roll

PaperState = Literal["ok", "near_end", "out"]

_NAMES: Mapping[int, bytes] = {65: b"1.0", 66: b"Tillmate", 67: b"Virtual printer", 68: b"0001"}
_NEAR_BITS = {"ok": 0x00, "near_end": 0x0C, "out": 0x6C}  # DLE EOT 4
_PAPER_BITS = {"ok": 0x00, "near_end": 0x03, "out": 0x0F}  # GS r 1 and the third byte of the automatic status


class Mechanism:
    """Used by one thread. `deliver` gets each piece of paper that is cut off."""

    def __init__(self, dots: int, deliver: Callable[[Paper], None]) -> None:
        self._roll = Roll(dots)
        self._deliver = deliver
        self._replies = bytearray()
        self._told = b""
        self.paper: PaperState = "ok"
        self.cover_open = False
        self.mute = False
        self.taken = 0  # bytes received since the beginning
        self._paper_ends_after: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._buffer = bytearray()
        self._splitter, self._real_time = Splitter(), RealTime()
        self._automatic = False
        self._replies.clear()

    @property
    def held(self) -> int:
        """Bytes that wait to be printed."""
        return len(self._buffer)

    @property
    def offline(self) -> bool:
        return self.cover_open or self.paper == "out"

    def receive(self, chunk: bytes) -> bytes:
        """Take bytes from the cable; the result goes back over it."""
        self.taken += len(chunk)
        for command in self._real_time.feed(chunk):
            self._answer_at_once(command)
        self._buffer += chunk
        return self.work()

    def work(self) -> bytes:
        """Print what can be printed, and return the replies that this and any change of state gave."""
        while self._buffer and not self.offline:
            portion = bytes(self._buffer[: self._paper_ends_after])
            del self._buffer[: len(portion)]
            for command in self._splitter.feed(portion):
                self._carry_out(command)
            self._use_paper(len(portion))
        self._tell_changes()
        replies = bytes(self._replies)
        self._replies.clear()
        return b"" if self.mute else replies

    def end_paper_after(self, count: int) -> None:
        """Let the paper run out when `count` more bytes have been printed."""
        self._paper_ends_after = count
        self._use_paper(0)

    def new_roll(self) -> None:
        """Put paper in; what is held is printed by the next `work`."""
        self.paper, self._paper_ends_after = "ok", None

    def tear(self) -> None:
        """Tear the paper off by hand, as on a printer without a cutter."""
        if not self._roll.blank:
            self._deliver(self._roll.tear())

    def lose_power(self) -> None:
        """Forget all that is not on paper."""
        self._forget()
        self._roll.power_cycle()

    def _use_paper(self, count: int) -> None:
        if self._paper_ends_after is not None:
            self._paper_ends_after -= count
            if self._paper_ends_after <= 0:
                self.paper, self._paper_ends_after = "out", None

    def _carry_out(self, command: Command) -> None:
        if reply := _IN_ORDER.get(command.name):
            self._replies += reply(self, command.args)
        elif command.name == "GS a":
            self._automatic, self._told = command.args[0] != 0, b""
            self._tell_changes()
        elif command.name == "ESC @":
            self._automatic = False
        if (paper := self._roll.carry_out(command)) is not None:
            self._deliver(paper)

    def _answer_at_once(self, command: Command) -> None:
        if command.name != "DLE EOT" or command.args[0] not in (1, 2, 3, 4):
            return
        bits = {
            1: 0x08 * self.offline,
            2: 0x04 * self.cover_open + 0x20 * (self.paper == "out"),
            3: 0,
            4: _NEAR_BITS[self.paper],
        }
        self._replies.append(0x12 | bits[command.args[0]])

    def _tell_changes(self) -> None:
        status = bytes([0x10 | 0x08 * self.offline | 0x20 * self.cover_open, 0, _PAPER_BITS[self.paper], 0])
        if self._automatic and status != self._told:
            self._told = status
            self._replies += status


def _paper_sensor(mechanism: Mechanism, args: bytes) -> bytes:
    """GS r 1 (paper) and 2 (drawer)."""
    return bytes([_PAPER_BITS[mechanism.paper] if args[0] in (1, 49) else 0])


def _identity(_: Mechanism, args: bytes) -> bytes:
    """GS I: a text as a block, or the one-byte model number."""
    return b"_" + _NAMES[args[0]] + b"\0" if args[0] in _NAMES else b"\x20"


def _process_id(_: Mechanism, args: bytes) -> bytes:
    """GS ( H, function 48: the sender's own number comes back."""
    return b"7\x22" + args[4:8] + b"\0" if args[2:4] == b"00" else b""


_IN_ORDER: Mapping[str, Callable[[Mechanism, bytes], bytes]] = {
    "GS r": _paper_sensor,
    "GS I": _identity,
    "GS ( H": _process_id,
}
