"""A receipt as data: the finished text of one slip, with no idea of columns, fonts or printers.

This is what a print job stores and seals, so it must read back to the same slip for years: JSON in, JSON out, defaults
left out. Every text is made printable as the element is made (see `printable`), so no document can carry control bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec.structs import force_setattr

from receipt_templates.barcodes import BarcodeKind, check
from receipt_templates.mistakes import Mistake
from receipt_templates.printable import printable

Align = Literal["left", "center", "right"]
Font = Literal["A", "B"]
"""The printer's two typefaces: A is 12 dots wide, B (small print) is 9."""
Language = Literal["ru", "en"]
Size = Literal[1, 2]

QR_LIMIT = 331  # bytes of a version 13-M symbol: the largest that 58 mm paper takes at 4 dots a module

STAMPS_LIMIT = 40


class DocumentError(ValueError):
    """Stored bytes that are not a document."""


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A paragraph, wrapped where it must be; `width` and `height` multiply the letters."""

    text: str
    bold: bool = False
    width: Size = 1
    height: Size = 1
    align: Align = "left"
    font: Font = "A"

    def __post_init__(self) -> None:
        force_setattr(self, "text", printable(self.text))


class Columns(msgspec.Struct, frozen=True, tag="columns", omit_defaults=True):
    """A name at the left edge and its value at the right edge of the same line."""

    left: str
    right: str
    bold: bool = False
    font: Font = "A"
    height: Size = 1

    def __post_init__(self) -> None:
        force_setattr(self, "left", printable(self.left))
        force_setattr(self, "right", printable(self.right))


class Rule(msgspec.Struct, frozen=True, tag="rule", omit_defaults=True):
    """A line across the paper, drawn with one character."""

    char: str = "-"

    def __post_init__(self) -> None:
        force_setattr(self, "char", printable(self.char))
        if len(self.char) != 1:
            raise ValueError(f"a rule is drawn with one character, not {self.char!r}")


class Progress(msgspec.Struct, frozen=True, tag="progress", omit_defaults=True):
    """A bar that is `share_bp` / 10000 full."""

    share_bp: Annotated[int, msgspec.Meta(ge=0, le=10000)]


class Qr(msgspec.Struct, frozen=True, tag="qr", omit_defaults=True):
    """A QR code with its quiet zone and, under it, a line that says where it leads."""

    payload: str
    caption: str = ""

    def __post_init__(self) -> None:
        force_setattr(self, "payload", printable(self.payload))
        force_setattr(self, "caption", printable(self.caption))
        if not 0 < len(self.payload.encode()) <= QR_LIMIT:
            raise Mistake("qr_size", limit=QR_LIMIT, size=len(self.payload.encode()))


class Barcode(msgspec.Struct, frozen=True, tag="barcode", omit_defaults=True):
    """A barcode and, under it in letters, `caption` or else the payload, for whoever must type it in."""

    payload: str
    kind: BarcodeKind
    caption: str = ""

    def __post_init__(self) -> None:
        force_setattr(self, "payload", printable(self.payload))
        force_setattr(self, "caption", printable(self.caption))
        check(self.kind, self.payload)


class Logo(msgspec.Struct, frozen=True, tag="logo", omit_defaults=True):
    """The shop's logo. The picture is with the printing side; a shop without one prints nothing here."""


class Stamps(msgspec.Struct, frozen=True, tag="stamps", omit_defaults=True):
    """A stamp card: `of` boxes, `filled` of them with a stamp."""

    filled: Annotated[int, msgspec.Meta(ge=0, le=STAMPS_LIMIT)]
    of: Annotated[int, msgspec.Meta(ge=1, le=STAMPS_LIMIT)]

    def __post_init__(self) -> None:
        if self.filled > self.of:
            raise ValueError(f"{self.filled} stamps do not go on a card of {self.of}")


class Feed(msgspec.Struct, frozen=True, tag="feed", omit_defaults=True):
    """Empty lines."""

    lines: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1


Element = Text | Columns | Rule | Progress | Qr | Barcode | Logo | Stamps | Feed


class Document(msgspec.Struct, frozen=True):
    """One slip, from top to bottom; the cut at its end is implied."""

    elements: tuple[Element, ...]
    language: Language

    def texts(self) -> Iterator[str]:
        """Every piece of text that will stand on the paper as letters."""
        for element in self.elements:
            match element:
                case Text(text=text):
                    yield text
                case Columns(left=left, right=right):
                    yield from (left, right)
                case Rule(char=char):
                    yield char
                case Qr(caption=caption):
                    yield caption
                case Barcode(payload=payload, caption=caption):
                    yield caption or payload


_decoder = msgspec.json.Decoder(Document)


def to_json(document: Document) -> bytes:
    """The stored form; equal documents give equal bytes."""
    return msgspec.json.encode(document)


_COPY: Mapping[Language, str] = {"ru": "ПОВТОР", "en": "COPY"}


def marked_as_copy(document: Document) -> Document:
    """The same slip with "ПОВТОР" or "COPY" at its head, once however often it is repeated."""
    head = Text(_COPY[document.language], bold=True, width=2, height=2, align="center")
    if document.elements[:1] == (head,):
        return document
    return Document((head, *document.elements), document.language)


def from_json(stored: bytes) -> Document:
    """The document that `to_json` stored. Raises DocumentError."""
    try:
        return _decoder.decode(stored)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DocumentError(f"not a receipt document: {error}") from error
