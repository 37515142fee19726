"""From a document to rows of a given number of columns: the one layout behind bytes, previews and slip lines.

Wrapping and columns only move blanks: every other character of the document stands in the rows, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from receipt_templates.document import Align, Columns, Document, Element, Feed, Progress, Qr, Rule, Size, Text

BAR_CELLS = 20
_FULL, _EMPTY = "█", "░"

Spell = Callable[[str], str]
"""Replaces what a printer cannot print by what it can, before anything is measured."""


@dataclass(frozen=True, slots=True)
class Span:
    """Text that begins at a column."""

    column: int
    text: str


@dataclass(frozen=True, slots=True)
class TextRow:
    """One printed line. A row that is not left-aligned has one span at column 0 and is placed by `align`."""

    spans: tuple[Span, ...]
    bold: bool = False
    width: Size = 1
    height: Size = 1
    align: Align = "left"

    def line(self, columns: int) -> str:
        """The row as plain text of at most `columns` characters, blanks at its end left out."""
        if self.align != "left":
            (span,) = self.spans
            room = max(columns - len(span.text) * self.width, 0)
            return (" " * (room if self.align == "right" else room // 2) + span.text).rstrip()
        line = ""
        for span in self.spans:
            line = line.ljust(span.column) + span.text
        return line.rstrip()


@dataclass(frozen=True, slots=True)
class QrRow:
    """A QR code, centred, with its quiet zone."""

    payload: str


@dataclass(frozen=True, slots=True)
class FeedRow:
    """Empty lines."""

    lines: int


Row = TextRow | QrRow | FeedRow


def lay_out(document: Document, columns: int, spell: Spell = str) -> list[Row]:
    """The rows of `document` on paper of `columns` letters."""
    return [row for element in document.elements for row in _rows(element, columns, spell)]


def slip_lines(document: Document, columns: int) -> list[str]:
    """The slip as plain lines for a printer that is not ours; a QR code is the line `[qr PAYLOAD]`."""
    lines: list[str] = []
    for row in lay_out(document, columns):
        match row:
            case TextRow():
                lines.append(row.line(columns))
            case QrRow(payload):
                lines.append(f"[qr {payload}]")
            case FeedRow(count):
                lines.extend([""] * count)
    return lines


def _rows(element: Element, columns: int, spell: Spell) -> Iterator[Row]:
    match element:
        case Text():
            yield from _paragraph(element, columns, spell)
        case Columns(left, right, bold):
            yield from _two_columns(spell(left), spell(right), columns, bold)
        case Rule(char):
            yield TextRow((Span(0, (spell(char) * columns)[:columns]),))
        case Progress(share_bp):
            yield TextRow((Span(0, _bar(share_bp, spell)),), align="center")
        case Qr(payload, caption):
            yield QrRow(payload)
            yield from _paragraph(Text(caption, align="center"), columns, spell) if caption else ()
        case Feed(lines):
            yield FeedRow(lines)


def _paragraph(element: Text, columns: int, spell: Spell) -> Iterator[TextRow]:
    wrap = _balanced if element.align == "center" else _wrap
    for line in wrap(spell(element.text), columns // element.width):
        yield TextRow((Span(0, line),), element.bold, element.width, element.height, element.align)


def _bar(share_bp: int, spell: Spell) -> str:
    """Blocks where the printer has them, else a bar that brackets hold together."""
    full = share_bp * BAR_CELLS // 10000
    blocks = _FULL * full + _EMPTY * (BAR_CELLS - full)
    bar = spell(blocks)
    return f"{bar if bar == blocks else f'[{bar}]'} {share_bp // 100}%"


def _two_columns(left: str, right: str, columns: int, bold: bool) -> Iterator[TextRow]:
    """The value stands on the last line of its name; one that would squeeze the name goes to lines of its own."""
    room = columns - len(right) - 1 if right else columns
    squeezed = room < min(len(left), columns // 3)
    names = _wrap(left, columns if squeezed else room) if left else []
    alone = names if squeezed or not right else names[:-1]
    for line in alone:
        yield TextRow((Span(0, line),), bold)
    if right and len(alone) < len(names):
        yield TextRow((Span(0, names[-1]), Span(columns - len(right), right)), bold)
    elif right:
        for line in _wrap(right, columns):
            yield TextRow((Span(0, line),), bold, align="right")


def _wrap(text: str, width: int) -> list[str]:
    """Break at spaces, and inside a word only where the word alone is too long. Always at least one line."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        elif word:
            pieces = [word[at : at + width] for at in range(0, len(word), width)]
            lines.extend(pieces)
    return lines[1:] or lines


def _balanced(text: str, width: int) -> list[str]:
    """As few lines as `_wrap` makes, but of like length, so that no single word hangs below a centred sentence."""
    lines = _wrap(text, width)
    if len(lines) == 1:
        return lines
    longest_word = max(map(len, text.split(" ")))
    narrowest = max(-(-len(text) // len(lines)), min(longest_word, width))
    return next(shorter for room in range(narrowest, width + 1) if len(shorter := _wrap(text, room)) <= len(lines))
