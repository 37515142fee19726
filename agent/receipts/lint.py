"""Looks at a slip as a printer will have it, and names what a person would rather know before the customer does.

refused   it does not come out at all: a QR under 4 dots a module, no letters
warning   it comes out, and looks wrong: a word broken, a heading on several lines, a QR under 5 dots, a code as text
note      it comes out otherwise than written: by a stand-in, by a letter that we draw, as a picture of the line
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from agent.receipts.paper import Model
from agent.receipts.source import BadInput
from drivers.printers.escpos.charset import charset
from drivers.printers.escpos.commands import split
from drivers.printers.escpos.encoder import draws
from drivers.printers.escpos.errors import CannotPrint, CodeTooLarge
from drivers.printers.escpos.profile import Profile
from drivers.printers.escpos.qr import qr_module
from loyalty.i18n import Language, Param, texts
from receipt_templates.document import Barcode, Columns, Document, Element, Qr, Text
from receipt_templates.layout import BarcodeRow, QrRow, lay_out
from receipt_templates.wrapping import breaks_a_word

Severity = Literal["refused", "warning", "note"]

_HEADING_LINES = 2
_QR_EASY = 5  # dots a module; below, cameras need a good light
_SHOWN = 40
_COMMA = ", "


@dataclass(frozen=True)
class Finding:
    """`sentence` is a key of the texts, under `lint`."""

    severity: Severity
    sentence: str
    params: Mapping[str, Param] = field(default_factory=dict, hash=False)

    @property
    def about(self) -> str:
        """What of the slip it is true of; "" = of the whole."""
        about = self.params.get("text", self.params.get("reason", ""))
        return about("en") if callable(about) else str(about)

    def said(self, language: Language) -> str:
        """In words."""
        return texts(f"lint.{self.sentence}", **self.params)[language]

    def with_chars_of(self, other: Finding) -> Finding:
        """The same for the characters of both, where it is about characters."""
        if "chars" not in self.params:
            return self
        chars = [*str(self.params["chars"]).split(_COMMA), *str(other.params["chars"]).split(_COMMA)]
        return Finding(self.severity, self.sentence, {"chars": _COMMA.join(dict.fromkeys(chars))})


def look(document: Document, model: Model) -> Iterator[Finding]:
    """What is to be said of the document on that printer."""
    try:
        job = model.job(document)
    except BadInput as error:
        if isinstance(error.__cause__, CannotPrint):
            yield Finding("refused", "no_letters", {"chars": _COMMA.join(error.__cause__.chars)})
        else:
            yield Finding("refused", "unprintable", {"reason": error.said})
        job = None
    for element in document.elements:
        yield from _element(element, document, model)
    if job is not None:
        yield from _letters(document, job, model)


def _element(element: Element, document: Document, model: Model) -> Iterator[Finding]:
    match element:
        case Text():
            yield from _text(element, document, model)
        case Columns(left, right):
            room = _room(element.font, model)
            for text in (left, right):
                if breaks_a_word(text, room):
                    yield _about("word_broken", text)
        case Qr(payload):
            yield from _code(QrRow(payload), model)
            yield from _qr(payload, model)
        case Barcode(payload, kind):
            yield from _code(BarcodeRow(payload, kind), model)


def _text(element: Text, document: Document, model: Model) -> Iterator[Finding]:
    room = _room(element.font, model)
    size = model.profile.size(model.width)
    if breaks_a_word(element.text, room):
        yield _about("word_broken", element.text)
    elif breaks_a_word(element.text, room // element.width):
        yield _about("heading_narrowed", element.text)
    elif element.width == 2 or element.height == 2:
        rows = lay_out(Document((element,), document.language), size.columns, small_columns=size.small_columns)
        if len(rows) > 1:
            yield _about(
                "heading_wrapped", element.text, "warning" if len(rows) > _HEADING_LINES else "note", lines=len(rows)
            )


def _room(font: str, model: Model) -> int:
    size = model.profile.size(model.width)
    return size.columns if font == "A" else size.small_columns


def _code(row: QrRow | BarcodeRow, model: Model) -> Iterator[Finding]:
    if not draws(model.profile, model.profile.size(model.width), row):
        yield _about("code_in_words", row.payload)


def _qr(payload: str, model: Model) -> Iterator[Finding]:
    try:
        module = qr_module(payload, model.profile.size(model.width).area, model.profile.module)
    except CodeTooLarge:  # the encoder has said so
        return
    if module < _QR_EASY:
        yield Finding("warning", "qr_small", {"dots": module, "size": len(payload.encode())})


def _letters(document: Document, job: bytes, model: Model) -> Iterator[Finding]:
    """How characters come out that the code page of the job lacks: each is printed by itself, and looked at."""
    used = replace(model.profile, pages=_pages(job, model.profile))
    lacking = {
        char
        for text in document.texts()
        for char in text
        if not any(charset(page.codec).has(char) for page in used.pages)
    }
    ways: dict[str, list[str]] = {"stand_in": [], "drawn": [], "picture": []}
    for char in sorted(lacking):
        alone = Document((Text(char),), document.language)
        printer = Model(model.name, used, model.width)
        shown = printer.draw(printer.job(alone)).text.strip()
        if shown.startswith("[picture"):
            ways["picture"].append(char)
        elif "\ue000" <= shown[:1] <= "\ue0ff":
            ways["drawn"].append(char)
        elif shown != char:
            ways["stand_in"].append(f"{char} ({shown})")
    for way, chars in ways.items():
        if chars:
            yield Finding("note", way, {"chars": _COMMA.join(chars)})


def _pages(job: bytes, profile: Profile) -> tuple[object, ...]:
    """The page of the job; a later one is for a bar alone."""
    slot = next((command.args[0] for command in split(job) if command.name == "ESC t"), None)
    return tuple(page for page in profile.pages if page.slot == slot) or profile.pages[:1]


def _about(sentence: str, text: str, severity: Severity = "warning", **params: int) -> Finding:
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return Finding(severity, sentence, {"text": shown, **params})
