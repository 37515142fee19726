"""The inside of a receipt printer without its cable: bytes in, status replies and paper out, faults by method calls.

It behaves as real printers do where that matters to a job.

- Data is kept, not refused, while it is off-line (paper out, cover open, an error), and printed afterwards. What does not
  fit into the receive buffer is lost and counted: it is for the cable to hold it back.
- DLE EOT, DLE ENQ and DLE DC4 are obeyed when they arrive: off-line, with a full buffer, inside a picture. GS r, GS I and
  GS ( H are answered in order with the data, so not before everything ahead of them is printed.
- DLE ENQ ends a cutter error, and nothing else: 1 prints on from where it stopped, 2 forgets what is held. DLE DC4 8
  forgets it at any time, if its seven parameter bytes are right. Both keep the settings, and what is on the paper.
- Automatic status comes when it is switched on and at each change of what GS a watches; ESC @ switches it off.
- Everything lives on when a connection ends; only power takes the settings and the buffers. A command that was cut off
  then swallows what the next host sends.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from drivers.printers.escpos.commands import Command, RealTime, Splitter
from drivers.printers.escpos.paper import Paper, Roll, slots_of
from drivers.virtual.condition import FAULTS, Condition, watched
from drivers.virtual.options import Model

_NAMES: Mapping[int, bytes] = {65: b"1.0", 66: b"Tillmate", 67: b"Virtual printer", 68: b"0001"}
_PULSES = (1, 3)  # DLE DC4: pulse, buzzer at the drawer's plug
_CLEAR = b"\x08\x01\x03\x14\x01\x06\x02\x08"
_PORTION = 32  # bytes that a printer of a certain speed looks at ahead of its head
_DOTS_IN_MM = 8


class Mechanism(Condition):
    """Used by one thread. `deliver` gets each piece of paper that is cut off."""

    def __init__(
        self, model: Model | int, deliver: Callable[[Paper], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._model = Model(model) if isinstance(model, int) else model
        self._roll = Roll(self._model.dots, slots_of(self._model.family), chinese=self._model.chinese)
        self._deliver, self._clock = deliver, clock
        self._replies = bytearray()
        self.taken = 0
        """Bytes received since the beginning."""
        self.dropped = 0
        """Those of them that found the buffer full."""
        self.drawer_kicks = 0
        self._faults: list[tuple[int, str]] = []
        self._forget()

    def _forget(self) -> None:
        self._empty()
        self._real_time = RealTime()
        self._watching, self._told = 0, b""
        self._pulses_off = False
        self._replies.clear()

    def _empty(self) -> None:
        self._buffer = bytearray()
        self._splitter = Splitter()
        self._ready: deque[Command] = deque()
        self._busy_until = 0.0

    @property
    def held(self) -> int:
        """Bytes that wait to be printed."""
        return len(self._buffer) + sum(len(command.raw) for command in self._ready)

    @property
    def room(self) -> int:
        """Bytes that the receive buffer still takes."""
        return max(self._model.buffer - self.held, 0)

    @property
    def busy_for(self) -> float:
        """Seconds until the paper has moved as far as it must."""
        return max(self._busy_until - self._clock(), 0.0)

    def receive(self, chunk: bytes) -> bytes:
        """Take bytes from the cable; the result goes back over it."""
        self.taken += len(chunk)
        for piece, command in self._real_time.cut(chunk):
            self._store(piece)
            if command is not None:
                self._obey(command)
        return self.work()

    def work(self) -> bytes:
        """Print what can be printed, and return the replies that this and any change of condition gave."""
        self._print()
        self._tell_changes()
        replies = bytes(self._replies)
        self._replies.clear()
        return b"" if self.mute or self._model.answers == "none" else replies

    def fail_after(self, count: int, fault: str) -> None:
        """Let a fault of `FAULTS` happen when `count` more bytes have been printed."""
        self._faults = sorted([*self._faults, (count, fault)])
        self._print()

    def new_roll(self) -> None:
        """Put paper in; what is held is printed by the next `work`."""
        self.paper = "ok"
        self._faults = [(count, fault) for count, fault in self._faults if FAULTS[fault][0] != "paper"]

    def tear(self) -> None:
        """Tear the paper off by hand, as on a printer without a cutter."""
        if not self._roll.blank:
            self._deliver(self._roll.tear())

    def lose_power(self) -> None:
        """Forget all that is not on paper; errors are over."""
        self._forget()
        self._roll.power_cycle()
        self.cutter_jammed = self.hot = self.broken = False

    def _store(self, piece: bytes) -> None:
        """Into the receive buffer, which is emptied as fast as the printer prints."""
        while piece:
            if self.room == 0:
                self._print()
            if self.room == 0:
                self.dropped += len(piece)
                return
            taken, piece = piece[: self.room], piece[self.room :]
            self._buffer += taken

    def _print(self) -> None:
        while self._fail() or (not self.offline and self.busy_for == 0 and self._step()):
            pass

    def _fail(self) -> bool:
        """Let the next fault happen if its time has come."""
        if self._ready or not self._faults or self._faults[0][0] > 0:
            return False
        setattr(self, *FAULTS[self._faults.pop(0)[1]])
        return True

    def _step(self) -> bool:
        """Carry out one command, or look at more of what was received; False when there is nothing to do."""
        if self._ready:
            self._carry_out(self._ready.popleft())
            return True
        if not self._buffer:
            return False
        size = _PORTION if self._model.speed else len(self._buffer)
        portion = bytes(self._buffer[: min([size, *(count for count, _ in self._faults)])])
        del self._buffer[: len(portion)]
        self._faults = [(count - len(portion), fault) for count, fault in self._faults]
        self._ready.extend(self._splitter.feed(portion))
        return True

    def _carry_out(self, command: Command) -> None:
        self._answer(command)
        if command.name == "GS a":
            self._watching, self._told = command.args[0], b""
            self._tell_changes()
        elif command.name == "ESC @":
            self._watching, self._pulses_off = 0, False
        elif command.name == "ESC p":
            self.drawer_kicks += 1
        elif command.name == "GS ( D":
            self._switch_real_time(command.args)
        before = self._roll.moved
        if (paper := self._roll.carry_out(command)) is not None:
            self._deliver(paper)
        if self._model.speed:
            seconds = (self._roll.moved - before) / (self._model.speed * _DOTS_IN_MM)
            self._busy_until = max(self._busy_until, self._clock()) + seconds

    def _answer(self, command: Command) -> None:
        lacking = {"all": (), "no_ids": ("GS ( H",)}.get(self._model.answers, tuple(_IN_ORDER))
        if command.name in _IN_ORDER and command.name not in lacking:
            self._replies += _IN_ORDER[command.name](self, command.args)

    def _switch_real_time(self, args: bytes) -> None:
        """GS ( D 20: pairs of a DLE DC4 function and whether it is obeyed."""
        for function, on in zip(args[3::2], args[4::2], strict=False):
            if function == 1:
                self._pulses_off = not on & 1

    def _obey(self, command: Command) -> None:
        if command.name == "DLE EOT":
            if command.args[0] in (1, 2, 3, 4):
                self._replies.append(self.real_time_status(command.args[0]))
        elif command.name == "DLE ENQ":
            self._recover(command.args[0])
        elif command.args[0] in _PULSES:
            self._print()  # a GS ( D ahead of it counts
            self.drawer_kicks += not self._pulses_off
        elif command.args == _CLEAR and self._model.answers in ("all", "no_ids"):
            self._clear()
            self._replies += b"7\x25\0"

    def _recover(self, how: int) -> None:
        if self.cutter_jammed and how in (1, 2):
            self.cutter_jammed = False
            if how == 2:
                self._clear()

    def _clear(self) -> None:
        """Forget what was received and what stands in the unfinished line."""
        self._empty()
        self._roll.drop_line()

    def _tell_changes(self) -> None:
        if self._watching == 0 or self._model.answers == "status_only":
            return
        status = self.automatic_status()
        if not self._told or watched(status, self._watching) != watched(self._told, self._watching):
            self._replies += status
        self._told = status


def _identity(_: Mechanism, args: bytes) -> bytes:
    """GS I: a text as a block, or the one-byte model number."""
    return b"_" + _NAMES[args[0]] + b"\0" if args[0] in _NAMES else b"\x20"


def _process_id(_: Mechanism, args: bytes) -> bytes:
    """GS ( H, function 48: the sender's own number comes back."""
    return b"7\x22" + args[4:8] + b"\0" if args[2:4] == b"00" and len(args) == 8 else b""


_IN_ORDER: Mapping[str, Callable[[Mechanism, bytes], bytes]] = {
    "GS r": lambda printer, args: bytes([printer.sensor(args[0])]),
    "GS I": _identity,
    "GS ( H": _process_id,
}
