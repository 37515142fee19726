"""The paper under the head: where ink lands, line by line, and what text it is.

A line collects letters and pictures until it is printed; then it is placed by the alignment and the paper moves on.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from drivers.printers.escpos.ink import Style

_MARGIN = 24
_COLUMN = Style().column
_DPI = {360: 180, 512: 180}  # by the dots of the head; any other has 203


@dataclass(frozen=True)
class Paper:
    """A piece of paper. `faults` names what did not come out as its sender must have meant; empty = all right."""

    picture: Image.Image
    text: str
    faults: tuple[str, ...]

    def png(self) -> bytes:
        """The picture with a white margin, black on white."""
        width, height = self.picture.size
        sheet = Image.new("1", (width + 2 * _MARGIN, height + 2 * _MARGIN), 1)
        sheet.paste(self.picture, (_MARGIN, _MARGIN))
        file = BytesIO()
        sheet.save(file, "PNG", compress_level=6)
        return file.getvalue()


class Sheet:
    """What has been printed since the last cut, and the line that is being filled."""

    def __init__(self, dots: int) -> None:
        self.dots = dots
        self.dpi = _DPI.get(dots, 203)
        self.moved = 0  # dots of paper since the beginning
        self.reset()
        self._begin()
        self.drop_line()

    def reset(self) -> None:
        """As after ESC @."""
        self.left, self.area = 0, self.dots
        self.align = 0  # 0 left, 1 centre, 2 right
        self.spacing = 30
        self.units = (self.dpi, self.dpi)  # an inch, across and down

    def _begin(self) -> None:
        self._at = 0
        self._ink: list[tuple[int, int, Image.Image]] = []
        self._lines: list[str] = []
        self._faults: list[str] = []

    def drop_line(self) -> None:
        """Forget the line that is being filled."""
        self._line: list[tuple[int, Image.Image]] = []
        self.x = 0
        self._text, self._jumped, self._column = "", False, 0

    @property
    def blank(self) -> bool:
        """True when the paper is as it was after the last cut."""
        return not self._ink and not self._line and not self._faults

    @property
    def line_empty(self) -> bool:
        return not self._line

    @property
    def width(self) -> int:
        """Dots of the print area that the head really has."""
        return min(self.area, self.dots - self.left)

    def across(self, units: int) -> int:
        """Dots, from the units that GS P has set."""
        return units * self.dpi // self.units[0]

    def down(self, units: int) -> int:
        """Dots, from the units that GS P has set."""
        return units * self.dpi // self.units[1]

    def fault(self, what: str) -> None:
        """Note, once, what went wrong."""
        if what not in self._faults:
            self._faults.append(what)

    def jump(self, x: int) -> None:
        """Go on at another dot of the line; a place that is not on the paper is no place."""
        if 0 <= x <= self.width:
            self.x, self._jumped = x, True
        else:
            self.fault("a position beyond the paper")

    def put(self, char: str, ink: Image.Image, column: int, gap: int = 0) -> None:
        """One letter and white dots behind it; a line that is full goes on in the next. `column` = dots of a column."""
        if self.x + ink.width > self.width:
            self.fault("a line did not fit and was wrapped")
            self.print_line()
        self._column = self._column or column
        if self._jumped:
            self._text = self._text.ljust(self.x // self._column)
        self._line.append((self.x, ink))
        self._text += char
        self.x, self._jumped = self.x + ink.width + gap, False

    def put_picture(self, ink: Image.Image) -> None:
        """A picture as part of the line."""
        if self.x + ink.width > self.width:
            self.fault(f"a picture of {ink.width} dots on {self.width - self.x}")
            ink = ink.crop((0, 0, max(self.width - self.x, 0), ink.height))
        self._line.append((self.x, ink))
        self.x, self._jumped = self.x + ink.width, True

    def print_line(self, feed: int | None = None) -> None:
        """Print the line and move on by `feed` dots (the line spacing), but never less than its height."""
        end = max((x + ink.width for x, ink in self._line), default=0)
        height = max((ink.height for _, ink in self._line), default=0)
        offset = self._offset(end)
        self._ink += [(offset + x, self._at + height - ink.height, ink) for x, ink in self._line]
        if self._text or not self._line:
            self._lines.append((" " * self._blanks() + self._text).rstrip())
        self._move(max(self.spacing if feed is None else feed, height))
        self.drop_line()

    def _blanks(self) -> int:
        """Before the line as text, in which letters of every size take the same room."""
        room = max(self.width // _COLUMN - len(self._text), 0)
        return self.left // _COLUMN + (0, room // 2, room)[self.align]

    def finish_line(self) -> None:
        """Print the line if anything stands in it."""
        if self._line:
            self.print_line()

    def strip(self, ink: Image.Image, text: str) -> None:
        """A picture on lines of its own; `text` stands for it."""
        if self._line:
            self.fault("a picture or code in the middle of a line")
            self.print_line()
        if ink.width > self.width:
            self.fault(f"a picture of {ink.width} dots on {self.width}")
            ink = ink.crop((0, 0, self.width, ink.height))
        self._ink.append((self._offset(ink.width), self._at, ink))
        self._lines.append(text)
        self._move(ink.height)

    def feed(self, dots: int) -> None:
        """Move the paper; a line that is being filled is printed first."""
        if self._line:
            self.print_line(dots)
        else:
            self._move(dots)

    def tear(self) -> Paper:
        """The paper as far as it has come; the next piece begins here."""
        self.finish_line()
        picture = Image.new("1", (self.dots, max(self._at, 1)), 1)
        for x, y, ink in self._ink:
            picture.paste(0, (x, y), ink)
        paper = Paper(picture, "".join(f"{line}\n" for line in self._lines), tuple(self._faults))
        self._begin()
        return paper

    def _move(self, dots: int) -> None:
        self._at += dots
        self.moved += dots

    def _offset(self, width: int) -> int:
        room = max(self.width - width, 0)
        return self.left + (0, room // 2, room)[self.align]
