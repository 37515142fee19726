"""From a document to the bytes of one print job.

A job is whole or nothing: it begins with ESC @, so that nothing of a broken job before it lives on, sets one code page,
and ends with the cut. Letters come from the page, from a stand-in (see `charset`), or the line goes out as a picture; a
question mark never takes their place. The grammar is what stands here: no command opens a drawer, and since every text
byte comes out of a charset, none can be a control byte.
"""

from __future__ import annotations

from drivers.printers.escpos.charset import Charset, charset
from drivers.printers.escpos.profile import CELL_WIDTH, Page, Profile, Size
from drivers.printers.escpos.raster import qr_code, text_line
from receipt_templates.document import Document
from receipt_templates.layout import FeedRow, QrRow, Row, TextRow, lay_out

QUIET_MODULES = 4

_BOLD, _TALL, _WIDE = 0x08, 0x10, 0x20
_ALIGN = {"left": 0, "center": 1, "right": 2}
_LINE_GAP = 6  # dots between two lines of single height, to be added below a picture of one
_CUT = {"partial": b"\x1dVB\x00", "full": b"\x1dVA\x00", "none": b"\x1bd\x04"}

# Bytes that a QR code of level M holds in byte mode, by version from 1 on (ISO/IEC 18004, table 7).
_QR_BYTES = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331)


def encode(document: Document, profile: Profile, width_mm: int) -> bytes:
    """The job that prints `document` on paper of `width_mm`. Raises LookupError when the profile has no such paper."""
    size = profile.size(width_mm)
    page = _best_page(document, profile)
    letters = charset(page.codec)
    job = _Job(profile, size, page, letters)
    for row in lay_out(document, size.columns, letters.spell):
        job.add(row)
    return job.finished()


def qr_module(payload: str, dots: int, wish: int) -> int:
    """Dots of one module: `wish`, or as many as the paper takes with the quiet zone."""
    size = len(payload.encode())
    version = next(number for number, room in enumerate(_QR_BYTES, 1) if size <= room)
    return min(wish, dots // (17 + 4 * version + 2 * QUIET_MODULES))


def _best_page(document: Document, profile: Profile) -> Page:
    """The page that needs the fewest pictures, then the fewest stand-ins; the first of equals."""
    if len(profile.pages) == 1:
        return profile.pages[0]
    chars = set("".join(document.texts()))

    def cost(page: Page) -> tuple[int, int]:
        letters = charset(page.codec)
        lacking = [char for char in chars if not letters.has(char)]
        return sum(not letters.has(letters.spell(char)) for char in lacking), len(lacking)

    return min(profile.pages, key=cost)


class _Job:
    """The bytes so far and the printer's state after them."""

    def __init__(self, profile: Profile, size: Size, page: Page, letters: Charset) -> None:
        self._profile, self._size, self._letters = profile, size, letters
        self._mode, self._align = 0, "left"
        self._bytes = bytearray(b"\x1b@")
        if profile.leaves_chinese_mode:
            self._bytes += b"\x1c."
        self._bytes += b"\x1bt" + bytes([page.slot])
        if size.area != size.dots:
            self._bytes += b"\x1dW" + size.area.to_bytes(2, "little")

    def add(self, row: Row) -> None:
        match row:
            case TextRow():
                self._text(row)
            case QrRow(payload):
                self._qr(payload)
            case FeedRow(lines):
                self._bytes += b"\n" * lines if lines <= 3 else b"\x1bd" + bytes([lines])

    def finished(self) -> bytes:
        self._set(0, "left")
        return bytes(self._bytes + _CUT[self._profile.cutter])

    def _set(self, mode: int, align: str) -> None:
        if mode != self._mode:
            self._bytes += b"\x1b!" + bytes([mode])
        if align != self._align:
            self._bytes += b"\x1ba" + bytes([_ALIGN[align]])
        self._mode, self._align = mode, align

    def _text(self, row: TextRow) -> None:
        spans = [(span.column, self._letters.encode(span.text)) for span in row.spans]
        encoded = [(column, text) for column, text in spans if text is not None]
        if len(encoded) < len(spans):
            self._picture_of(row)
            return
        mode = (_BOLD if row.bold else 0) | (_TALL if row.height == 2 else 0) | (_WIDE if row.width == 2 else 0)
        self._set(mode, row.align)
        at = 0
        for column, text in encoded:
            self._bytes += self._gap(at, column) + text
            at = column + len(text)
        self._bytes += b"\n"

    def _gap(self, at: int, column: int) -> bytes:
        """From one column to the next: blanks, or a position where that is shorter."""
        if column - at <= 4 or not self._profile.positions:
            return b" " * (column - at)
        return b"\x1b$" + (column * CELL_WIDTH).to_bytes(2, "little")

    def _picture_of(self, row: TextRow) -> None:
        self._set(0, "left")
        self._bytes += text_line(row, self._size.columns).command()
        if row.height == 1:
            self._bytes += b"\x1bJ" + bytes([_LINE_GAP])

    def _qr(self, payload: str) -> None:
        module = qr_module(payload, self._size.area, self._profile.module)
        quiet = b"\x1bJ" + bytes([QUIET_MODULES * module])
        self._set(0, "center")
        self._bytes += quiet + (self._native_qr if self._profile.native_qr else self._drawn_qr)(payload, module) + quiet

    def _native_qr(self, payload: str, module: int) -> bytes:
        return b"".join(
            b"\x1d(k" + len(body).to_bytes(2, "little") + body
            for body in (
                b"1A2\x00",  # model 2
                b"1C" + bytes([module]),
                b"1E1",  # level M
                b"1P0" + payload.encode(),
                b"1Q0",
            )
        )

    def _drawn_qr(self, payload: str, module: int) -> bytes:
        """Every even module is drawn at half its size and doubled by the printer: a quarter of the bytes."""
        doubled = module % 2 == 0
        return qr_code(payload, module // 2 if doubled else module).command(doubled)
