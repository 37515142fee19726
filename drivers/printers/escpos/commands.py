"""The one length-aware splitter of an ESC/POS stream.

A printer stream has no frames: where a command ends is known only by its own length rules, and a picture may contain any
byte. `Splitter` cuts a stream, in whatever pieces it arrives, into runs of text, single control characters and whole
commands; joined again they are the stream, byte for byte. `RealTime` watches the same stream as a printer's receiver
does: it finds the sequences that are obeyed at once, even inside a picture. No other module knows a command's length.

The rules are tables by the second byte: a number is how many bytes follow it; a function gets what has arrived, from the
command's first byte on, and answers the whole length, None while the header is incomplete, or 0 for "not a command".
From the Epson ESC/POS reference; commands that only clones have are marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TEXT = "text"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Command:
    """One unit of a stream: `name` as in the manuals ("ESC @", "GS ( k", "LF", "text", "unknown") and its exact bytes."""

    name: str
    raw: bytes

    @property
    def args(self) -> bytes:
        """The bytes after the command's own letters; for text and unknown bytes all of them."""
        return self.raw if self.name in (TEXT, UNKNOWN) else self.raw[len(self.name.split(" ")) :]


class Splitter:
    """Cuts a stream that arrives in pieces; keeps what is not yet a whole command."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 1

    @property
    def pending(self) -> bytes:
        """The beginning of a command whose end has not arrived."""
        return bytes(self._buffer)

    @property
    def pending_name(self) -> str:
        """The name of the command that `pending` begins, as far as its letters have arrived."""
        start = memoryview(self.pending)
        if len(start) < 2 or start[0] not in _FAMILIES:
            return UNKNOWN
        return _name(_FAMILIES[start[0]][0], start)

    def feed(self, chunk: bytes) -> list[Command]:
        """The commands that are complete now."""
        self._buffer += chunk
        if len(self._buffer) < self._needed:
            return []
        stream, at, commands = memoryview(bytes(self._buffer)), 0, []
        self._needed = 1
        while at < len(stream):
            name, length = _measure(stream[at:])
            if length is None or length > len(stream) - at:
                self._needed = length or 1
                break
            commands.append(Command(name, bytes(stream[at : at + length])))
            at += length
        del self._buffer[:at]
        return commands


class RealTime:
    """Finds DLE EOT, DLE ENQ and DLE DC4 anywhere in a stream, also inside pictures and across pieces."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, chunk: bytes) -> list[Command]:
        """The real-time commands that are complete now."""
        return [command for _, command in self.cut(chunk) if command is not None]

    def cut(self, chunk: bytes) -> list[tuple[bytes, Command | None]]:
        """The chunk in pieces, each ending where a real-time command is complete, with that command; then the rest."""
        stream, begun, done = self._tail + chunk, len(self._tail), 0
        pieces: list[tuple[bytes, Command | None]] = []
        at = stream.find(_DLE)
        while at >= 0:
            name, length = _measure(memoryview(stream)[at:])
            if length is None or length > len(stream) - at:
                break
            if name != UNKNOWN:
                end = at + length - begun
                pieces.append((chunk[done:end], Command(name, stream[at : at + length])))
                done = end
            at = stream.find(_DLE, at + length)
        self._tail = stream[at:] if at >= 0 else b""
        return [*pieces, (chunk[done:], None)] if done < len(chunk) else pieces


def split(stream: bytes) -> list[Command]:
    """All commands of a finished stream; one that is cut off at its end is `unknown`."""
    splitter = Splitter()
    commands = splitter.feed(stream)
    return [*commands, Command(UNKNOWN, splitter.pending)] if splitter.pending else commands


Rule = int | Callable[[memoryview], int | None]

_DLE = b"\x10"
_TEXT_RUN = re.compile(rb"[\x20-\xff]+")
_CONTROLS = {0x00: "NUL", 0x09: "HT", 0x0A: "LF", 0x0C: "FF", 0x0D: "CR", 0x18: "CAN"}
_LETTERS = {0x04: "EOT", 0x05: "ENQ", 0x0C: "FF", 0x14: "DC4", 0x20: "SP"}


def _measure(rest: memoryview) -> tuple[str, int | None]:
    """Name and length of the unit that `rest` begins with; the length is None while its header is incomplete."""
    first = rest[0]
    if first >= 0x20:
        run = _TEXT_RUN.match(rest)
        return TEXT, run.end() if run else 1
    if first not in _FAMILIES:
        return _CONTROLS.get(first, UNKNOWN), 1
    if len(rest) < 2:
        return UNKNOWN, None
    family, rules = _FAMILIES[first]
    rule = rules.get(rest[1])
    length = 0 if rule is None else 2 + rule if isinstance(rule, int) else rule(rest)
    if length == 0:
        return UNKNOWN, 1 if first == _DLE[0] else 2
    return _name(family, rest), length


def _name(family: str, rest: memoryview) -> str:
    letters = rest[1:3] if rest[1:2] in _THREE_LETTERS else rest[1:2]
    return " ".join([family, *(_LETTERS.get(byte) or _printed(byte) for byte in letters)])


def _printed(byte: int) -> str:
    return chr(byte) if 0x21 <= byte <= 0x7E else f"{byte:02X}"


def _word(rest: memoryview, at: int, size: int = 2) -> int | None:
    """The little-endian number at `at`, when it has arrived."""
    return int.from_bytes(rest[at : at + size], "little") if len(rest) >= at + size else None


def _up_to_nul(rest: memoryview, at: int) -> int | None:
    found = bytes(rest).find(0, at)
    return found + 1 if found >= 0 else None


def _counted(at: int, size: int = 2) -> Rule:
    """A byte count of `size` bytes at `at`, then that many bytes."""

    def rule(rest: memoryview) -> int | None:
        count = _word(rest, at, size)
        return None if count is None else at + size + count

    return rule


def _by_third(lengths: Mapping[int, int], default: int) -> Rule:
    """The whole length hangs on the third byte; 0 = not a command."""

    def rule(rest: memoryview) -> int | None:
        return lengths.get(rest[2], default) if len(rest) > 2 else None

    return rule


def _raster(at: int) -> Rule:
    """Width in bytes and height in dots at `at`, then the picture."""

    def rule(rest: memoryview) -> int | None:
        across, down = _word(rest, at), _word(rest, at + 2)
        return None if across is None or down is None else at + 4 + across * down

    return rule


def _bit_image(rest: memoryview) -> int | None:
    """ESC * m nL nH: one or three bytes a column."""
    columns = _word(rest, 3)
    return None if columns is None else 5 + columns * (3 if rest[2] >= 32 else 1)


def _user_glyphs(rest: memoryview) -> int | None:
    """ESC & y c1 c2, then for each character its width and y bytes a column."""
    if len(rest) < 5:
        return None
    length = 5
    for _ in range(rest[3], rest[4] + 1):
        if len(rest) <= length:
            return None
        length += 1 + rest[length] * rest[2]
    return length


def _tab_stops(rest: memoryview) -> int | None:
    return _up_to_nul(rest, 2)


def _barcode(rest: memoryview) -> int | None:
    """GS k: forms A (m <= 6) end with NUL, forms B tell their length."""
    if len(rest) < 4:
        return None
    return _up_to_nul(rest, 3) if rest[2] <= 6 else 4 + rest[3]


def _down_loaded_image(rest: memoryview) -> int | None:
    return 4 + rest[2] * rest[3] * 8 if len(rest) >= 4 else None


def _stored_images(rest: memoryview) -> int | None:
    """FS q n, then n times width and height in bytes and the picture."""
    if len(rest) < 3:
        return None
    length = 3
    for _ in range(rest[2]):
        across, down = _word(rest, length), _word(rest, length + 2)
        if across is None or down is None:
            return None
        length += 4 + across * down * 8
    return length


def _user_memory(rest: memoryview) -> int | None:
    """FS g 1 stores bytes under an address, FS g 2 asks for them."""
    if len(rest) < 10:
        return None
    return 10 + int.from_bytes(rest[8:10], "little") if rest[2] == 0x31 else 10


def _counter_text(rest: memoryview) -> int | None:
    """GS C: three binary forms and one in digits with five semicolons."""
    if len(rest) < 3:
        return None
    if rest[2] != ord(";"):
        return {0x30: 5, 0x31: 9, 0x32: 5}.get(rest[2], 0)
    ends = [at for at, byte in enumerate(rest) if byte == ord(";")]
    return ends[5] + 1 if len(ends) > 5 else None


_CUT = _by_third({0: 3, 1: 3, 48: 3, 49: 3}, 4)
_EOT = _by_third({1: 3, 2: 3, 3: 3, 4: 3, 7: 4, 8: 4, 18: 4}, 0)
_DC4 = _by_third({1: 5, 2: 5, 3: 8, 7: 4, 8: 10}, 0)


def _rules(table: Mapping[str, Rule]) -> dict[int, Rule]:
    return {ord(letter): rule for letter, rule in table.items()}


_ESC = _rules(
    dict.fromkeys("\x0c2@LSimv", 0)
    | dict.fromkeys(" !%-3=?EGJKMRTUVadertu{", 1)
    | dict.fromkeys("$\\cB", 2)  # ESC B: the beeper of clones
    | {"p": 3, "W": 8, "&": _user_glyphs, "*": _bit_image, "D": _tab_stops, "(": _counted(3)}
)
_GS = _rules(
    dict.fromkeys("\x0c:c", 0)
    | dict.fromkeys("!#/BEHITabfhjrw", 1)
    | dict.fromkeys("$LPW\\", 2)
    | dict.fromkeys("^z", 3)
    | {"(": _counted(3), "8": _counted(3, 4), "v": _raster(4), "Q": _raster(4), "*": _down_loaded_image}
    | {"k": _barcode, "V": _CUT, "C": _counter_text, "g": 4}
)
_FS = _rules(
    dict.fromkeys("&.", 0)
    | dict.fromkeys("!-CW", 1)
    | dict.fromkeys("?Sp", 2)
    | {"2": 74, "(": _counted(3), "q": _stored_images, "g": _user_memory}
)
_FAMILIES: dict[int, tuple[str, dict[int, Rule]]] = {
    0x10: ("DLE", {0x04: _EOT, 0x05: 1, 0x14: _DC4}),
    0x1B: ("ESC", _ESC),
    0x1C: ("FS", _FS),
    0x1D: ("GS", _GS),
}
_THREE_LETTERS = (b"(", b"8", b"v")
