"""A slip on the paper of a printer: the bytes that it gets, and what they draw. The preview is drawn from the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.receipts.source import BadInput
from drivers.printers.escpos.encoder import encode, printed_lines
from drivers.printers.escpos.errors import CannotPrint, CodeTooLarge, LogoError
from drivers.printers.escpos.profile import Profile
from receipt_templates.document import Document
from receipt_templates.fiscal import atol_items
from receipt_templates.layout import slip_lines

if TYPE_CHECKING:
    from drivers.printers.escpos.raster import Picture
    from drivers.printers.escpos.sheet import Paper

Lacking = Literal["picture", "refuse"]

_BETWEEN = 40  # dots between two papers on one picture
_GAP = "   "


@dataclass(frozen=True)
class Model:
    """A printer with paper in it."""

    name: str
    profile: Profile
    width: int
    lacking: Lacking = "picture"
    logo: Path | None = None

    @property
    def columns(self) -> int:
        """Letters on a line."""
        return self.profile.size(self.width).columns

    def job(self, document: Document) -> bytes:
        """The job. Raises BadInput."""
        try:
            return encode(document, self.profile, self.width, self.picture(), self.lacking)
        except CannotPrint as error:
            raise BadInput("no_letters", printer=self.profile.title, chars=error.chars) from error
        except CodeTooLarge as error:
            raise BadInput("code_large", size=error.size, dots=error.dots) from error

    def picture(self) -> Picture | None:
        """The logo for that paper. Raises BadInput."""
        if self.logo is None:
            return None
        from drivers.printers.escpos.logo import load

        try:
            return load(self.logo, self.profile.size(self.width).area)
        except LogoError as error:
            raise BadInput("logo", reason=str(error)) from error

    def text(self, document: Document) -> str:
        """What a person reads on the paper of that job."""
        return _text(printed_lines(document, self.profile, self.width))

    def draw(self, job: bytes) -> Paper:
        """What that job puts on the paper; the printer has its code pages where the profile says."""
        from drivers.printers.escpos.paper import draw
        from drivers.printers.escpos.slots import SLOTS

        slots = {**SLOTS, **{page.slot: page.codec for page in self.profile.pages}}
        return draw(job, self.profile.size(self.width).dots, slots)


def model(name: str, profile: Profile, width: int, lacking: Lacking = "picture", logo: Path | None = None) -> Model:
    """Raises BadInput where the printer does not take that paper."""
    if str(width) not in profile.paper:
        raise BadInput("no_width", profile=name, width=width, known=", ".join(sorted(profile.paper)))
    return Model(name, profile, width, lacking, logo)


def lines_of(document: Document, columns: int) -> str:
    """The slip as plain lines, for a POS that prints by itself."""
    return _text(slip_lines(document, columns))


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def atol_task(document: Document, columns: int) -> dict[str, object]:
    """The slip as a task of the ATOL driver, version 10; its `items` may stand in a receipt as `postItems` too."""
    return {"type": "nonFiscal", "items": atol_items(document, columns)}


def side_by_side(document: Document, models: Sequence[Model]) -> str:
    """The slip as several printers print it, next to each other, a title above each."""
    blocks = [
        [f"{model.name}, {model.width} mm", "─" * model.columns, *_clipped(model.text(document), model.columns)]
        for model in models
    ]
    height = max(map(len, blocks))
    filled = [
        [line.ljust(model.columns) for line in [*block, *[""] * (height - len(block))]]
        for block, model in zip(blocks, models, strict=True)
    ]
    return "".join(f"{_GAP.join(row).rstrip()}\n" for row in zip(*filled, strict=True))


def _clipped(text: str, columns: int) -> list[str]:
    """Codes in words and small print may be longer than the paper is wide."""
    return [line if len(line) <= columns else f"{line[: columns - 1]}…" for line in text.splitlines()]


def one_png(papers: Sequence[Paper]) -> bytes:
    """The pictures of several papers next to each other."""
    from PIL import Image

    pictures = [Image.open(BytesIO(paper.png())) for paper in papers]
    width = sum(picture.width for picture in pictures) + _BETWEEN * (len(pictures) - 1)
    sheet = Image.new("L", (width, max(picture.height for picture in pictures)), 192)
    at = 0
    for picture in pictures:
        sheet.paste(picture, (at, 0))
        at += picture.width + _BETWEEN
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()
