"""The commands that put pictures and codes on the paper: GS v 0, ESC *, GS ( L, GS k, GS ( k.

One `Pictures` is the memory of one printer: the graphics that wait to be printed, the QR code that is stored, and how
barcodes are to look.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from drivers.printers.escpos.ink import Style, bar_picture, bit_image, column_picture, letter, qr_symbol, raster
from drivers.printers.escpos.paper_bars import BadBarcode, Bars, bars
from drivers.printers.escpos.paper_qr import is_damaged_qr
from drivers.printers.escpos.sheet import Sheet

_QR = 49
_OTHERS = {48: "PDF417", 50: "MaxiCode", 51: "GS1 DataBar", 52: "GS1 Composite", 53: "Aztec", 54: "DataMatrix"}
_ABOVE, _BELOW = 1, 2


class Pictures:
    """Prints on `sheet`."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self.reset()

    def reset(self) -> None:
        """As after ESC @."""
        self._graphics: Image.Image | None = None
        self._qr = {65: b"2\x00", 67: b"\x03", 69: b"0", 80: b""}
        self._bar_height, self._bar_module, self._bar_text, self._bar_font = 162, 3, 0, 0

    def actions(self) -> dict[str, Callable[[bytes], None]]:
        """The commands by name."""
        return {
            "ESC *": self._bit_image,
            "GS v 0": self._raster,
            "GS ( L": lambda args: self._stored(args[2:]),
            "GS 8 L": lambda args: self._stored(args[4:]),
            "GS ( k": self._symbol,
            "GS k": self._barcode,
            "GS h": lambda args: setattr(self, "_bar_height", args[0] or self._bar_height),
            "GS w": self._module,
            "GS H": lambda args: setattr(self, "_bar_text", args[0] % 48),
            "GS f": lambda args: setattr(self, "_bar_font", args[0] % 48 & 1),
        }

    def _raster(self, args: bytes) -> None:
        stride, height = _word(args[1:3]), _word(args[3:5])
        if stride and height:
            self._print(raster(args[0], stride, height, args[5:]))
        else:
            self._sheet.fault("a picture without dots")

    def _bit_image(self, args: bytes) -> None:
        ink = bit_image(args[0], _word(args[1:3]), args[3:])
        if ink is None:
            self._sheet.fault("a picture without dots")
        else:
            self._sheet.put_picture(ink)

    def _stored(self, args: bytes) -> None:
        """GS ( L, GS 8 L: functions 112 (rows) and 113 (columns) store graphics, 50 prints them."""
        function = args[1] if args[:1] == b"0" else 0
        if function in (112, 113):
            self._graphics = self._read_graphics(args[2:], in_rows=function == 112)
        elif function in (2, 50):
            if self._graphics is None:
                self._sheet.fault("no graphics stored that could be printed")
            else:
                self._print(self._graphics)
            self._graphics = None
        elif function not in (1, 49):  # the density of dots
            self._sheet.fault(f"not drawn: GS ( L function {function}")

    def _read_graphics(self, args: bytes, *, in_rows: bool) -> Image.Image | None:
        """Tone, scale across and down, colour, size, dots."""
        size, dots = (_word(args[4:6]), _word(args[6:8])), args[8:]
        along = size[0] if in_rows else size[1]
        room = (along + 7) // 8 * (size[1] if in_rows else size[0])
        if args[:1] != b"0" or not room or len(dots) != room:
            self._sheet.fault(f"graphics of {size[0]}x{size[1]} dots in {len(dots)} bytes")
            return None
        stride = (along + 7) // 8
        if in_rows:
            ink = Image.frombytes("1", (stride * 8, size[1]), dots).crop((0, 0, *size))
        else:
            ink = column_picture(stride, size[0], dots).crop((0, 0, *size))
        return ink.resize((ink.width * max(args[1], 1), ink.height * max(args[2], 1)))

    def _print(self, ink: Image.Image) -> None:
        if is_damaged_qr(ink):
            self._sheet.fault("a damaged QR code")
        self._sheet.strip(ink, f"[picture {ink.width}x{ink.height}]")

    def _code(self, ink: Image.Image, text: str, what: str) -> None:
        """A code that is too wide is not printed at all."""
        if ink.width > self._sheet.width:
            self._sheet.fault(f"{what} of {ink.width} dots on {self._sheet.width} is not printed")
        else:
            self._sheet.strip(ink, text)

    def _symbol(self, args: bytes) -> None:
        """GS ( k: functions 65, 67, 69, 80 set model, module, level and content of a QR code, 81 prints it."""
        if len(args) < 4:
            self._sheet.fault("GS ( k without a function")
            return
        kind, function, rest = args[2], args[3], args[4:]
        if kind != _QR:
            self._sheet.fault(f"not drawn: GS ( k {_OTHERS.get(kind, kind)}")
        elif function in self._qr and rest:
            self._qr[function] = rest
        elif function == 81:
            self._print_qr(self._qr[80][1:], self._qr[67][0], self._qr[69][0])

    def _print_qr(self, content: bytes, module: int, level: int) -> None:
        if self._qr[65][:1] != b"2" or not 1 <= module <= 16 or not 48 <= level <= 51:
            self._sheet.fault(f"a QR code of model {self._qr[65][:1]!r}, module {module}, level {level}")
            return
        ink = qr_symbol(content, module, level) if content else None
        if ink is None:
            self._sheet.fault("a QR code without content or with too much of it")
        else:
            self._code(ink, f"[qr {content.decode('utf-8', 'replace')}]", "a QR code")

    def _module(self, args: bytes) -> None:
        if 2 <= args[0] <= 6:
            self._bar_module = args[0]
        else:
            self._sheet.fault(f"GS w {args[0]}: a module is 2 to 6 dots")

    def _barcode(self, args: bytes) -> None:
        data = args[1:-1] if args[0] <= 6 else args[2:]
        try:
            code = bars(args[0], data)
        except BadBarcode as error:
            self._sheet.fault(str(error))
        else:
            self._code(self._with_text(code), f"[barcode {code.text}]", "a barcode")

    def _with_text(self, code: Bars) -> Image.Image:
        """The bars with their text above, below or both, as GS H has it."""
        ink = bar_picture(code.dots(self._bar_module), self._bar_height)
        if self._bar_text & (_ABOVE | _BELOW) == 0:
            return ink
        words = _words(code.text, Style(self._bar_font))
        above = words.height if self._bar_text & _ABOVE else 0
        below = words.height if self._bar_text & _BELOW else 0
        whole = Image.new("1", (max(ink.width, words.width), above + ink.height + below))
        whole.paste(ink, ((whole.width - ink.width) // 2, above))
        for y in [0] * bool(above) + [above + ink.height] * bool(below):
            whole.paste(words, ((whole.width - words.width) // 2, y))
        return whole


def _words(text: str, style: Style) -> Image.Image:
    wide, tall = style.cell
    words = Image.new("1", (wide * len(text), tall))
    for index, char in enumerate(text):
        words.paste(letter(char if char.isprintable() else " ", style), (index * wide, 0))
    return words


def _word(args: bytes) -> int:
    return int.from_bytes(args[:2], "little")
