"""Draws an ESC/POS stream as a printer would: a picture, the text on it, and what a real printer would have got wrong.

`draw` is for a finished stream; `Roll` takes commands one by one, as the virtual printer gets them. Both see only bytes,
so that a preview or a test shows what the wire says and not what our encoder meant. Text is decoded by the slot of ESC t;
a QR code is the text line `[qr PAYLOAD]`, a picture `[picture 384x24]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain

from PIL import Image

from drivers.printers.escpos.commands import TEXT, UNKNOWN, Command, split
from drivers.printers.escpos.ink import Style, bit_image, qr_symbol, raster
from drivers.printers.escpos.sheet import Paper, Sheet
from drivers.printers.escpos.slots import SLOTS

__all__ = ["Paper", "Roll", "draw"]

_TO_CUTTER = 60  # white dots between the last line and the edge, on the picture
_MISSING = "□"
_QR = 49


def draw(stream: bytes, dots: int, slots: Mapping[int, str] = SLOTS) -> Paper:
    """All that `stream` prints on a head of `dots`, cut or not, on one sheet."""
    roll = Roll(dots, slots)
    pieces = [piece for command in split(stream) if (piece := roll.carry_out(command)) is not None]
    if not pieces or not roll.blank:
        pieces.append(roll.tear())
    sheet = Image.new("1", (dots, sum(piece.picture.height for piece in pieces)), 1)
    at = 0
    for piece in pieces:
        sheet.paste(piece.picture, (0, at))
        at += piece.picture.height
    faults = chain.from_iterable(piece.faults for piece in pieces)
    return Paper(sheet, "".join(piece.text for piece in pieces), tuple(dict.fromkeys(faults)))


class Roll:
    """The paper in a printer. Settings, the unfinished line and the uncut paper live from command to command."""

    def __init__(self, dots: int, slots: Mapping[int, str] = SLOTS) -> None:
        self._dots, self._slots = dots, slots
        self._sheet = Sheet(dots)
        self._actions = self._printing() | self._styling() | self._placing() | dict.fromkeys(_SILENT, _nothing)
        self.power_cycle()

    @property
    def blank(self) -> bool:
        """True when nothing has happened to the paper since the last cut."""
        return self._sheet.blank

    def carry_out(self, command: Command) -> Paper | None:
        """Do what `command` says; a cut gives the piece of paper that falls."""
        if command.name in ("GS V", "ESC i", "ESC m"):
            return self._cut(command.args)
        if action := self._actions.get(command.name):
            action(command.args)
        elif command.name == UNKNOWN:
            self._sheet.fault(f"unknown bytes {command.raw[:3].hex(' ')}")
        else:
            self._sheet.fault(f"not drawn: {command.name}")
        return None

    def tear(self) -> Paper:
        """The paper as far as it has come, as if torn off by hand."""
        return self._sheet.tear()

    def power_cycle(self) -> None:
        """Forget settings and the unfinished line; what has been printed stays on the paper."""
        sheet = self._sheet
        sheet.drop_line()
        sheet.left, sheet.area, sheet.align, sheet.spacing = 0, self._dots, 0, 30
        self._style, self._slot = Style(), 0
        self._qr = {67: b"\x03", 69: b"0", 80: b""}

    def _printing(self) -> dict[str, Callable[[bytes], None]]:
        return {
            TEXT: self._letters,
            "LF": lambda _: self._sheet.print_line(),
            "ESC d": self._feed_lines,
            "ESC J": lambda args: self._sheet.feed(args[0]),
            "ESC *": self._bit_image,
            "GS v 0": self._raster,
            "GS ( k": self._symbol,
        }

    def _styling(self) -> dict[str, Callable[[bytes], None]]:
        return {
            "ESC @": lambda _: self.power_cycle(),
            "ESC !": self._print_mode,
            "ESC E": lambda args: self._restyle(bold=bool(args[0] & 1)),
            "ESC G": lambda args: self._restyle(bold=bool(args[0] & 1)),
            "ESC -": lambda args: self._restyle(underlined=args[0] % 48 > 0),
            "ESC M": lambda args: self._restyle(font=args[0] & 1),
            "GS !": lambda args: self._restyle(width=1 + (args[0] >> 4 & 7), height=1 + (args[0] & 7)),
            "GS B": lambda args: self._restyle(reversed=bool(args[0] & 1)),
            "ESC t": self._page,
        }

    def _placing(self) -> dict[str, Callable[[bytes], None]]:
        return {
            "HT": self._tab,
            "ESC $": lambda args: self._sheet.jump(_word(args)),
            "ESC \\": lambda args: self._sheet.jump(max(self._sheet.x + _signed(args), 0)),
            "ESC a": self._align,
            "ESC 2": lambda _: setattr(self._sheet, "spacing", 30),
            "ESC 3": lambda args: setattr(self._sheet, "spacing", args[0]),
            "GS L": lambda args: setattr(self._sheet, "left", min(_word(args), self._dots)),
            "GS W": lambda args: setattr(self._sheet, "area", _word(args)),
        }

    def _cut(self, args: bytes) -> Paper:
        self._sheet.finish_line()
        self._sheet.feed(_TO_CUTTER + (args[1] if len(args) > 1 else 0))
        return self._sheet.tear()

    def _letters(self, codes: bytes) -> None:
        table = _letters_of(self._slots.get(self._slot))
        for code in codes:
            if table[code] == _MISSING:
                self._sheet.fault(f"no letter {code:#04x} in code page slot {self._slot}")
            self._sheet.put(table[code], self._style)

    def _feed_lines(self, args: bytes) -> None:
        for _ in range(args[0]):
            self._sheet.print_line()

    def _restyle(self, **changes: bool | int) -> None:
        self._style = replace(self._style, **changes)  # type: ignore[arg-type]

    def _print_mode(self, args: bytes) -> None:
        bits = args[0]
        self._style = Style(
            font=bits & 1,
            bold=bool(bits & 0x08),
            underlined=bool(bits & 0x80),
            reversed=self._style.reversed,
            width=2 if bits & 0x20 else 1,
            height=2 if bits & 0x10 else 1,
        )

    def _page(self, args: bytes) -> None:
        self._slot = args[0]
        if self._slot not in self._slots:
            self._sheet.fault(f"unknown code page slot {self._slot}")

    def _tab(self, _: bytes) -> None:
        step = 8 * self._style.cell[0]
        self._sheet.jump((self._sheet.x // step + 1) * step)

    def _align(self, args: bytes) -> None:
        if self._sheet.line_empty:
            self._sheet.align = args[0] % 48 % 3

    def _raster(self, args: bytes) -> None:
        stride, height = _word(args[1:3]), _word(args[3:5])
        if stride and height:
            ink = raster(args[0], stride, height, args[5:])
            self._sheet.strip(ink, f"[picture {ink.width}x{ink.height}]")

    def _bit_image(self, args: bytes) -> None:
        ink = bit_image(args[0], _word(args[1:3]), args[3:])
        if ink is not None:
            self._sheet.put_picture(ink)

    def _symbol(self, args: bytes) -> None:
        """GS ( k: functions 67, 69 and 80 set module, level and content of a QR code, 81 prints it."""
        kind, function, rest = args[2], args[3], args[4:]
        if kind != _QR:
            self._sheet.fault("not drawn: GS ( k for another kind than QR")
        elif function in self._qr:
            self._qr[function] = rest
        elif function == 81:
            content = self._qr[80][1:]
            ink = qr_symbol(content, self._qr[67][0], self._qr[69][0]) if content else None
            if ink is None:
                self._sheet.fault("a QR code without content or with too much of it")
            else:
                self._sheet.strip(ink, f"[qr {content.decode('utf-8', 'replace')}]")


@lru_cache(maxsize=64)
def _letters_of(codec: str | None) -> tuple[str, ...]:
    """What each of the 256 codes prints; an unknown slot prints only ASCII right."""
    decoded = (bytes([code]).decode(codec or "ascii", "ignore") for code in range(256))
    return tuple(
        char if char.isprintable() or char == "\xa0" else _MISSING for char in (c or _MISSING for c in decoded)
    )


def _word(args: bytes) -> int:
    return int.from_bytes(args[:2], "little")


def _signed(args: bytes) -> int:
    return int.from_bytes(args[:2], "little", signed=True)


def _nothing(_: bytes) -> None:
    """Understood, and nothing to see on the paper."""


_SILENT = (
    *("NUL", "CR", "CAN", "DLE EOT", "DLE ENQ", "DLE DC4", "ESC =", "ESC R", "ESC U", "ESC c", "FS .", "FS &", "FS C"),
    *("GS ( D", "GS ( H", "GS I", "GS a", "GS j", "GS r"),
)
