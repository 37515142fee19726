"""From a document to the bytes of one print job.

A job is whole or nothing: it begins with ESC @, so that nothing of a broken job before it lives on, sets one code page
(a bar may borrow another for its line), and ends with the cut, after it has taken back what it set. Letters come from `spelling`, or the line goes out as a picture;
a question mark never takes their place. The grammar is what stands here and in the modules it asks: no command opens a
drawer, and since every text byte comes out of a charset, none can be a control byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from drivers.printers.escpos.barcode import barcode
from drivers.printers.escpos.errors import CannotPrint, CodeTooLarge, EncodeError
from drivers.printers.escpos.profile import CELL_WIDTH, SMALL_WIDTH, Profile, Size
from drivers.printers.escpos.qr import QUIET_MODULES, drawn_qr, native_qr, qr_module
from drivers.printers.escpos.raster import Picture, text_line
from drivers.printers.escpos.spelling import FORGOTTEN, Spelling, page_command
from receipt_templates.document import Align, Document
from receipt_templates.layout import BarcodeRow, FeedRow, LogoRow, QrRow, Row, Span, TextRow, lay_out, lines
from receipt_templates.wrapping import wrap

__all__ = ["CannotPrint", "CodeTooLarge", "EncodeError", "draws", "encode", "printed_lines"]

_BOLD, _TALL, _WIDE, _SMALL = 0x08, 0x10, 0x20, 0x01
_ALIGN = {"left": 0, "center": 1, "right": 2}
_SPACING = 30  # dots from one line to the next, where the letters are not higher
_POSITION = 4  # bytes of ESC $: the widest gap that is as well filled with blanks
_BELOW_LOGO = 12
_CUT = {"partial": b"\x1dVB\x00", "full": b"\x1dVA\x00", "none": b"\x1bd\x04"}


def encode(
    document: Document,
    profile: Profile,
    width_mm: int,
    logo: Picture | None = None,
    lacking: Literal["picture", "refuse"] = "picture",
) -> bytes:
    """The job that prints `document` on paper of `width_mm`, with `logo` where the document has a place for one.

    Lines with letters that the printer lacks go out as pictures; with "refuse", or where the printer takes no pictures,
    CannotPrint is raised. Also raises CodeTooLarge, and LookupError when the profile has no such paper.
    """
    size, letters = profile.size(width_mm), Spelling(document, profile)
    rows = _rows(document, profile, size, letters)
    job = _Job(profile, size, letters, logo, letters.teach(rows))
    if lacking == "refuse" or not profile.pictures:
        job.refuse_lacking(rows)
    for row in rows:
        job.add(row)
    return job.finished()


def printed_lines(document: Document, profile: Profile, width_mm: int) -> list[str]:
    """What a person reads on the paper of that job, also where lines, letters or codes go out as pictures."""
    size = profile.size(width_mm)
    return lines(_rows(document, profile, size, Spelling(document, profile)), size.columns)


def _rows(document: Document, profile: Profile, size: Size, letters: Spelling) -> list[Row]:
    """The layout; a code that this printer cannot draw is what it says, for a person to type in, unless that follows."""
    rows = lay_out(document, size.columns, letters.spell, size.small_columns, letters.spell_bar)
    fit: list[Row] = []
    for row, following in zip(rows, [*rows, None][1:], strict=True):
        if not isinstance(row, QrRow | BarcodeRow) or draws(profile, size, row):
            fit.append(row)
        elif not (isinstance(following, TextRow) and following.spans[0].text == row.payload):
            fit += [TextRow((Span(0, line),), align="center") for line in wrap(row.payload, size.columns)]
    return fit


def draws(profile: Profile, size: Size, row: QrRow | BarcodeRow) -> bool:
    """True when the code comes out as one; else it is printed as text."""
    if isinstance(row, QrRow):
        return profile.native_qr or profile.pictures
    return profile.barcodes and barcode(row.kind, row.payload, profile.limit(size) or size.dots) is not None


class _Job:
    """The bytes so far and the printer's state after them."""

    def __init__(self, profile: Profile, size: Size, letters: Spelling, logo: Picture | None, lessons: bytes) -> None:
        self._profile, self._size, self._letters, self._logo = profile, size, letters, logo
        self._limit = profile.limit(size)
        self._width = self._limit or size.dots
        self._mode, self._align = 0, "left"
        self._bytes = bytearray(b"\x1b@")
        if profile.leaves_chinese_mode:
            self._bytes += b"\x1c."
        self._bytes += page_command(letters.page) + lessons
        if self._limit is not None:
            self._bytes += _width(self._limit)

    def refuse_lacking(self, rows: Sequence[Row]) -> None:
        """Raise CannotPrint if any row would have to be a picture."""
        texts = [span.text for row in rows if isinstance(row, TextRow) for span in row.spans]
        if chars := frozenset().union(*map(self._letters.lacking, texts)):
            raise CannotPrint("".join(sorted(chars)), self._profile.title)

    def add(self, row: Row) -> None:
        """Print a row."""
        match row:
            case TextRow():
                self._text(row)
            case FeedRow(lines):
                self._bytes += b"\n" * lines if lines <= 3 else b"\x1bd" + bytes([lines])
            case QrRow(payload):
                self._qr(payload)
            case BarcodeRow(payload, kind):
                self._set(0, "center")
                self._bytes += barcode(kind, payload, self._width) or b""
            case LogoRow():
                self._picture(self._logo)

    def finished(self) -> bytes:
        """The whole job; the printer is left as it was found."""
        self._set(0, "left")
        if self._letters.taught:
            self._bytes += FORGOTTEN
        if self._limit is not None:
            self._bytes += _width(max(self._profile.head, self._size.dots))
        return bytes(self._bytes + _CUT[self._profile.cutter])

    def _set(self, mode: int, align: str) -> None:
        if mode != self._mode:
            self._bytes += b"\x1b!" + bytes([mode])
        if align != self._align:
            self._bytes += b"\x1ba" + bytes([_ALIGN[align]])
        self._mode, self._align = mode, align

    def _text(self, row: TextRow) -> None:
        spans = [(span, self._letters.encode(span.text)) for span in row.spans]
        encoded = [(span.column, len(span.text), text) for span, text in spans if text is not None]
        if len(encoded) < len(spans):
            self._picture_of(row)
            return
        mode = (_BOLD if row.bold else 0) | (_TALL if row.height == 2 else 0) | (_WIDE if row.width == 2 else 0)
        small = row.font == "B"
        letter = (SMALL_WIDTH if small else CELL_WIDTH) * row.width
        align: Align = row.align
        if align == "right" and self._profile.positions:
            ((_, length, text),) = encoded
            encoded, align = [(self._size.area // letter - length, length, text)], "left"
        self._set(mode | _SMALL if small else mode, align)
        at = 0
        for column, length, text in encoded:
            self._bytes += self._gap(at, column, letter) + text
            at = column + length
        self._bytes += b"\n"

    def _gap(self, at: int, column: int, letter: int) -> bytes:
        """From one column to the next: blanks, or a position where that is shorter."""
        if column - at <= _POSITION or not self._profile.positions:
            return b" " * (column - at)
        return b"\x1b$" + (column * letter).to_bytes(2, "little")

    def _picture_of(self, row: TextRow) -> None:
        """As high as the line would have been, without sending the blank rows."""
        line = text_line(row, self._size.small_columns if row.font == "B" else self._size.columns)
        above, ink, below = line.trimmed()
        self._set(0, "left")
        self._feed(above)
        self._bytes += ink.command()
        self._feed(below + max(_SPACING - line.height, 0))

    def _feed(self, dots: int) -> None:
        if dots:
            self._bytes += b"\x1bJ" + bytes([dots])

    def _picture(self, picture: Picture | None) -> None:
        """Centred; one that the printer or the paper cannot take is left out, the slip is whole without it."""
        if picture is not None and self._profile.pictures and picture.stride * 8 <= self._width + 7:
            self._set(0, "center")
            self._bytes += picture.command()
            self._feed(_BELOW_LOGO)

    def _qr(self, payload: str) -> None:
        module = qr_module(payload, self._width, self._profile.module)
        quiet = b"\x1bJ" + bytes([QUIET_MODULES * module])
        self._set(0, "center")
        self._bytes += quiet + (native_qr if self._profile.native_qr else drawn_qr)(payload, module) + quiet


def _width(dots: int) -> bytes:
    return b"\x1dW" + dots.to_bytes(2, "little")
