"""A slip as items for a fiscal printer that is not ours: the JSON tasks of ATOL's driver 10.

The same list goes into a `nonFiscal` task as `items`, or behind a receipt as its `postItems`. Lines are laid out here, for
the columns that the fiscal printer has, so the driver wraps nothing; bold and small print are not among its choices.
"""

from __future__ import annotations

from collections.abc import Mapping

from receipt_templates.barcodes import BarcodeKind
from receipt_templates.document import Document
from receipt_templates.layout import BarcodeRow, FeedRow, LogoRow, QrRow, Row, TextRow, lay_out
from receipt_templates.printable import NO_BREAK_SPACE

Item = dict[str, object]

QR_SCALE, BAR_SCALE, BAR_HEIGHT = 6, 2, 60  # dots of a module, dots of a narrow bar, dots

_BARCODES: Mapping[BarcodeKind, str] = {
    "ean13": "EAN13",
    "ean8": "EAN8",
    "upca": "UPCA",
    "itf": "ITF",
    "code39": "CODE39",
    "code128": "CODE128",
}


def atol_items(document: Document, columns: int) -> list[Item]:
    """The items that print `document` on a fiscal printer of `columns` letters to a line."""
    return [item for row in lay_out(document, columns, small_columns=columns) for item in _items(row, columns)]


def _items(row: Row, columns: int) -> list[Item]:
    match row:
        case TextRow():
            return [_text(row, columns)]
        case QrRow(payload):
            return [_barcode(payload, "QR", QR_SCALE)]
        case BarcodeRow(payload, kind):
            return [{**_barcode(payload, _BARCODES[kind], BAR_SCALE), "height": BAR_HEIGHT, "printText": False}]
        case FeedRow(lines):
            return [_text(TextRow(()), columns)] * lines
        case LogoRow():
            return []


def _text(row: TextRow, columns: int) -> Item:
    text = row.line(columns) if row.align == "left" else row.spans[0].text
    return {
        "type": "text",
        "text": text.replace(NO_BREAK_SPACE, " "),
        "alignment": row.align,
        "wrap": "none",
        "font": 0,
        "doubleWidth": row.width == 2,
        "doubleHeight": row.height == 2,
    }


def _barcode(payload: str, kind: str, scale: int) -> Item:
    return {"type": "barcode", "barcode": payload, "barcodeType": kind, "alignment": "center", "scale": scale}
