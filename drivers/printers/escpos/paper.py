"""Draws an ESC/POS stream as a printer would: a picture, the text on it, and what a real printer would have got wrong.

`draw` is for a finished stream; `Roll` takes commands one by one, as the virtual printer gets them. Both see only bytes,
so that a preview or a test shows what the wire says and not what our encoder meant. Text is decoded by the slot of ESC t
(`slots_of` has the tables of other families); a QR code is the text line `[qr PAYLOAD]`, a barcode `[barcode PAYLOAD]`, a
picture `[picture 384x24]`, a glyph that the sender has defined U+E000 plus its code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain

from PIL import Image

from drivers.printers.escpos.commands import TEXT, UNKNOWN, Command, Splitter
from drivers.printers.escpos.ink import Style
from drivers.printers.escpos.paper_letters import Letters
from drivers.printers.escpos.paper_pictures import Pictures
from drivers.printers.escpos.sheet import Paper, Sheet
from drivers.printers.escpos.slots import SLOTS, slots_of

__all__ = ["Paper", "Roll", "draw", "slots_of"]

_TO_CUTTER = 60  # white dots between the last line and the edge, on the picture
_CUTS = ("GS V", "ESC i", "ESC m")
_REAL_TIME = re.compile(rb"\x10([\x04\x05\x14])")
_REAL_TIME_NAMES = {b"\x04": "DLE EOT", b"\x05": "DLE ENQ", b"\x14": "DLE DC4"}
_OPENS_DRAWER = (1, 2)  # DLE DC4: a pulse, and the power off
_TABS = 32


def draw(stream: bytes, dots: int, slots: Mapping[int, str] = SLOTS) -> Paper:
    """All that `stream` prints on a head of `dots`, cut or not, on one sheet."""
    roll, splitter = Roll(dots, slots), Splitter()
    pieces = [piece for command in splitter.feed(stream) if (piece := roll.carry_out(command)) is not None]
    roll.end_of_stream(splitter)
    if not pieces or not roll.blank:
        pieces.append(roll.tear())
    sheet = Image.new("1", (dots, sum(piece.picture.height for piece in pieces)), 1)
    at = 0
    for piece in pieces:
        sheet.paste(piece.picture, (0, at))
        at += piece.picture.height
    faults = dict.fromkeys(chain.from_iterable(piece.faults for piece in pieces))
    if sheet.getextrema()[0] != 0:
        faults["nothing was printed"] = None
    return Paper(sheet, "".join(piece.text for piece in pieces), tuple(faults))


class Roll:
    """The paper in a printer. Settings, the unfinished line and the uncut paper live from command to command."""

    def __init__(self, dots: int, slots: Mapping[int, str] = SLOTS, *, chinese: bool = False) -> None:
        self._sheet = Sheet(dots)
        self._letters = Letters(slots, self._sheet.fault, chinese)
        self._pictures = Pictures(self._sheet)
        self._actions = (
            dict.fromkeys(_SILENT, _nothing)
            | dict.fromkeys(_SILENT_AT_0, _nothing)
            | self._letters.actions()
            | self._pictures.actions()
            | self._printing()
            | self._styling()
            | self._placing()
        )
        self.power_cycle()

    @property
    def blank(self) -> bool:
        """True when nothing has happened to the paper since the last cut."""
        return self._sheet.blank

    @property
    def moved(self) -> int:
        """Dots that the paper has moved since the beginning."""
        return self._sheet.moved

    def carry_out(self, command: Command) -> Paper | None:
        """Do what `command` says; a cut gives the piece of paper that falls."""
        if b"\x10" in command.raw:
            self._look_for_real_time(command)
        if command.name != TEXT:
            self._letters.end_of_run()
        if command.name in _CUTS:
            return self._cut(command.args)
        if command.name == UNKNOWN:
            self._sheet.fault(f"unknown bytes {command.raw[:3].hex(' ')}")
        elif command.name in _SILENT_AT_0 and command.args[0] % 48:
            self._sheet.fault(f"not drawn: {command.name} {command.args[0]}")
        elif action := self._actions.get(command.name):
            action(command.args)
        else:
            self._sheet.fault(f"not drawn: {command.name}")
        return None

    def end_of_stream(self, splitter: Splitter) -> None:
        """Name what a printer still waits for when nothing more comes."""
        if splitter.pending:
            name = splitter.pending_name
            self._sheet.fault(f"the stream ends inside {'a command' if name == UNKNOWN else name}")
        if not self._sheet.line_empty:
            self._sheet.fault("the last line is not ended, so it is not printed")

    def tear(self) -> Paper:
        """The paper as far as it has come, as if torn off by hand."""
        return self._sheet.tear()

    def drop_line(self) -> None:
        """Forget the unfinished line, as DLE DC4 8 and DLE ENQ 2 do; settings stay."""
        self._sheet.drop_line()

    def power_cycle(self) -> None:
        """Forget settings and the unfinished line; what has been printed stays on the paper."""
        self._sheet.drop_line()
        self._sheet.reset()
        self._letters.reset()
        self._pictures.reset()
        self._style, self._gap = Style(), 0
        self._tabs = tuple(8 * self._style.column * stop for stop in range(1, _TABS + 1))

    def _printing(self) -> dict[str, Callable[[bytes], None]]:
        return {
            TEXT: self._text,
            "LF": lambda _: self._sheet.print_line(),
            "ESC d": self._feed_lines,
            "ESC J": lambda args: self._sheet.feed(self._sheet.down(args[0])),
            "ESC &": lambda args: self._letters.define(args, self._style.font),
            "ESC p": lambda _: self._sheet.fault("opens the cash drawer: ESC p"),
            "DLE DC4": self._real_time,
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
            "ESC SP": lambda args: setattr(self, "_gap", args[0]),
            "ESC =": self._select,
        }

    def _placing(self) -> dict[str, Callable[[bytes], None]]:
        sheet = self._sheet
        return {
            "HT": self._tab,
            "ESC D": self._set_tabs,
            "ESC $": lambda args: sheet.jump(sheet.across(_word(args))),
            "ESC \\": lambda args: sheet.jump(sheet.x + sheet.across(_signed(args))),
            "ESC a": self._align,
            "ESC 2": lambda _: setattr(sheet, "spacing", 30),
            "ESC 3": lambda args: setattr(sheet, "spacing", sheet.down(args[0])),
            "GS L": lambda args: self._at_line_start("GS L", "left", min(sheet.across(_word(args)), sheet.dots)),
            "GS W": lambda args: self._at_line_start("GS W", "area", sheet.across(_word(args))),
            "GS P": lambda args: setattr(sheet, "units", (args[0] or sheet.dpi, args[1] or sheet.dpi)),
        }

    def _look_for_real_time(self, command: Command) -> None:
        """A printer obeys these at once, wherever they stand; their sender meant dots or a number."""
        if not command.name.startswith("DLE") and (found := _REAL_TIME.search(command.raw)):
            self._sheet.fault(f"{_REAL_TIME_NAMES[found[1]]} inside {command.name} is obeyed")

    def _real_time(self, args: bytes) -> None:
        if args[0] in _OPENS_DRAWER:
            self._sheet.fault(f"opens the cash drawer: DLE DC4 {args[0]}")

    def _cut(self, args: bytes) -> Paper:
        if not self._sheet.line_empty:
            self._sheet.fault("a cut in the middle of a line")
            self._sheet.finish_line()
        self._sheet.feed(_TO_CUTTER + self._sheet.down(args[1] if len(args) > 1 else 0))
        return self._sheet.tear()

    def _text(self, codes: bytes) -> None:
        style = self._style
        gap = self._sheet.across(self._gap) * style.width
        for char, ink in self._letters.read(codes, style):
            self._sheet.put(char, ink, style.column, gap)

    def _feed_lines(self, args: bytes) -> None:
        for _ in range(args[0]):
            self._sheet.print_line()
        self._sheet.finish_line()

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

    def _select(self, args: bytes) -> None:
        if not args[0] & 1:
            self._sheet.fault("ESC = turns the printer away from its data")

    def _set_tabs(self, args: bytes) -> None:
        cell = self._style.cell[0] + self._sheet.across(self._gap)
        self._tabs = tuple(column * cell for column in args[:-1])

    def _tab(self, _: bytes) -> None:
        stop = next((stop for stop in self._tabs if stop > self._sheet.x), None)
        if stop is None:
            self._sheet.fault("a tab behind the last stop")
        else:
            self._sheet.jump(stop)

    def _align(self, args: bytes) -> None:
        self._at_line_start("ESC a", "align", args[0] % 48 % 3)

    def _at_line_start(self, name: str, setting: str, value: int) -> None:
        """Some settings count only before the first letter of a line."""
        if self._sheet.line_empty:
            setattr(self._sheet, setting, value)
        elif getattr(self._sheet, setting) != value:
            self._sheet.fault(f"{name} in the middle of a line is ignored")


def _word(args: bytes) -> int:
    return int.from_bytes(args[:2], "little")


def _signed(args: bytes) -> int:
    return int.from_bytes(args[:2], "little", signed=True)


def _nothing(_: bytes) -> None:
    """Understood, and nothing to see on the paper."""


_SILENT = (
    *("NUL", "CR", "CAN", "FF", "DLE EOT", "DLE ENQ", "ESC B", "ESC S", "ESC T", "ESC U", "ESC c", "ESC r", "ESC ( A"),
    *("ESC u", "ESC v", "FS !", "FS -", "FS C", "FS S", "FS W", "FS ( A", "GS ( D", "GS ( H", "GS ( K", "GS I", "GS a"),
    *("GS b", "GS j", "GS r"),
)
_SILENT_AT_0 = ("ESC V", "ESC {")  # turned and upside-down letters
