"""From a document to rows of a given number of columns: the one layout behind bytes, previews and slip lines.

Wrapping and columns only move blanks: every other character of the document stands in the rows, in its order. Small print
(font B) has its own, larger number of columns. Letters twice as wide become single ones where a word would be broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from receipt_templates.barcodes import BarcodeKind
from receipt_templates.document import (
    Align,
    Barcode,
    Columns,
    Document,
    Element,
    Feed,
    Font,
    Language,
    Logo,
    Progress,
    Qr,
    Rule,
    Size,
    Stamps,
    Text,
)
from receipt_templates.printable import NO_BREAK_SPACE
from receipt_templates.wrapping import balanced, breaks_a_word, unorphaned, wrap

BAR_CELLS = 20  # fewer where the paper is very narrow
SMALL_WIDTH, WIDTH = 9, 12  # dots of a letter of font B and of font A
_FULL, _EMPTY = "█", "░"
_BULLET = "• "
_PERCENT: Mapping[Language, str] = {"ru": f"{NO_BREAK_SPACE}%", "en": "%"}
_STAMPED, _NOT_STAMPED = ("[■]", "[X]"), "[ ]"

Spell = Callable[[str], str]
"""Replaces what a printer cannot print by what it can, before anything is measured."""


class Span(msgspec.Struct, frozen=True):
    """Text that begins at a column."""

    column: int
    text: str


class TextRow(msgspec.Struct, frozen=True):
    """One printed line. A row that is not left-aligned has one span at column 0 and is placed by `align`.

    Columns are letters of the row's own font and width.
    """

    spans: tuple[Span, ...]
    bold: bool = False
    width: Size = 1
    height: Size = 1
    align: Align = "left"
    font: Font = "A"

    def line(self, columns: int) -> str:
        """The row as plain text of at most `columns` characters of its font, blanks at its end left out."""
        if self.align != "left":
            (span,) = self.spans
            room = max(columns - len(span.text) * self.width, 0)
            return (" " * (room if self.align == "right" else room // 2) + span.text).rstrip()
        line = ""
        for span in self.spans:
            line = line.ljust(span.column) + span.text
        return line.rstrip()


class QrRow(msgspec.Struct, frozen=True):
    """A QR code, centred, with its quiet zone."""

    payload: str


class BarcodeRow(msgspec.Struct, frozen=True):
    """A barcode, centred; what stands under it in letters are rows of their own."""

    payload: str
    kind: BarcodeKind


class LogoRow(msgspec.Struct, frozen=True):
    """The place of the shop's logo, centred."""


class FeedRow(msgspec.Struct, frozen=True):
    """Empty lines."""

    lines: int


Row = TextRow | QrRow | BarcodeRow | LogoRow | FeedRow


def lay_out(
    document: Document,
    columns: int,
    spell: Spell = str,
    small_columns: int | None = None,
    spell_bar: Spell | None = None,
) -> list[Row]:
    """The rows of `document` on paper of `columns` letters, and of `small_columns` letters of small print.

    No more small letters than others means that there is no small print; then it comes out in font A. `spell_bar` is
    for bars, which a printer may have in another code page than the letters.
    """
    small = columns * WIDTH // SMALL_WIDTH if small_columns is None else small_columns
    paper = _Paper({"A": columns, "B": small}, spell, spell_bar or spell, _PERCENT[document.language])
    return [row for element in document.elements for row in paper.rows(element)]


def slip_lines(document: Document, columns: int) -> list[str]:
    """The slip as plain lines for a printer that is not ours: all letters of one size, as `lines`."""
    return lines(lay_out(document, columns, small_columns=columns), columns)


def lines(rows: Iterable[Row], columns: int) -> list[str]:
    """The rows as text, in letters of one size: a code is `[qr PAYLOAD]` or `[barcode PAYLOAD]`, a logo nothing, a no-break
    space a blank."""
    lines: list[str] = []
    for row in rows:
        match row:
            case TextRow():
                lines.append(replace(row, width=1).line(columns).replace(NO_BREAK_SPACE, " "))
            case QrRow(payload):
                lines.append(f"[qr {payload}]")
            case BarcodeRow(payload):
                lines.append(f"[barcode {payload}]")
            case FeedRow(count):
                lines.extend([""] * count)
    return lines


class _Paper(msgspec.Struct, frozen=True):
    columns: Mapping[Font, int]
    spell: Spell
    spell_bar: Spell
    percent: str

    def rows(self, element: Element) -> Iterator[Row]:
        match element:
            case Text():
                yield from self._paragraph(element)
            case Columns():
                yield from self._two_columns(element)
            case Rule(char):
                columns = self.columns["A"]
                yield TextRow((Span(0, (self.spell(char) * columns)[:columns]),))
            case Progress(share_bp):
                yield TextRow((Span(0, self._bar(share_bp)),), align="center")
            case Stamps(filled, of):
                yield from self._stamp_card(filled, of)
            case _:
                yield from self._picture(element)

    def _picture(self, element: Qr | Barcode | Logo | Feed) -> Iterator[Row]:
        match element:
            case Qr(payload, caption):
                yield QrRow(payload)
                yield from self._caption(caption)
            case Barcode(payload, kind, caption):
                yield BarcodeRow(payload, kind)
                yield from self._caption(caption or payload)
            case Logo():
                yield LogoRow()
            case Feed(lines):
                yield FeedRow(lines)

    def _caption(self, caption: str) -> Iterator[Row]:
        return self._paragraph(Text(caption, align="center")) if caption else iter(())

    def _paragraph(self, element: Text) -> Iterator[TextRow]:
        text, font = self.spell(element.text), self._font(element.font)
        columns = self.columns[font]
        width: Size = 1 if breaks_a_word(text, columns // element.width) else element.width
        hanging = len(_BULLET) if element.align == "left" and text.startswith(_BULLET) else 0
        row = TextRow((), element.bold, width, element.height, element.align, font)
        lines = (balanced if element.align == "center" else unorphaned)(text[hanging:], columns // width - hanging)
        yield replace(row, spans=(Span(0, text[:hanging] + lines[0]),))
        for line in lines[1:]:
            yield replace(row, spans=(Span(hanging, line),))

    def _font(self, wish: Font) -> Font:
        return wish if self.columns["B"] > self.columns["A"] else "A"

    def _bar(self, share_bp: int) -> str:
        """Blocks where the printer has them, else a bar that brackets hold together."""
        cells = max(min(BAR_CELLS, self.columns["A"] - len(f"[] 100{self.percent}")), 1)
        full = share_bp * cells // 10000
        blocks = _FULL * full + _EMPTY * (cells - full)
        bar = self.spell_bar(blocks)
        return f"{bar if bar == blocks else f'[{bar}]'} {share_bp // 100}{self.percent}"

    def _stamp_card(self, filled: int, of: int) -> Iterator[TextRow]:
        """Big boxes in as few rows as there must be, of like length."""
        stamped = _STAMPED[self.spell(_STAMPED[0]) != _STAMPED[0]]
        boxes = [stamped] * filled + [_NOT_STAMPED] * (of - filled)
        rows = -(-of // max(self.columns["A"] // 2 // len(stamped), 1))
        each = -(-of // rows)
        for at in range(0, of, each):
            yield TextRow((Span(0, "".join(boxes[at : at + each])),), width=2, height=2, align="center")

    def _two_columns(self, element: Columns) -> Iterator[TextRow]:
        """The value stands on the last line of its name; one that would squeeze or break the name goes to a line of its own."""
        left, right, font = self.spell(element.left), self.spell(element.right), self._font(element.font)
        columns = self.columns[font]
        room = columns - len(right) - 1 if right else columns
        squeezed = room < min(len(left), columns // 3) or breaks_a_word(left, room)
        names = wrap(left, columns if squeezed else room) if left else []
        alone = names if squeezed or not right else names[:-1]
        row = TextRow((), element.bold, height=element.height, font=font)
        for line in alone:
            yield replace(row, spans=(Span(0, line),))
        if right and len(alone) < len(names):
            yield replace(row, spans=(Span(0, names[-1]), Span(columns - len(right), right)))
        elif right:
            for line in wrap(right, columns):
                yield replace(row, spans=(Span(0, line),), align="right")
