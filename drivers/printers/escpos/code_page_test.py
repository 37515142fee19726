"""The page that finds out what a printer really has: code pages by slot, letters on a line, QR codes of its own.

Profiles are written for models, and clones lie about theirs. So the same Russian line is printed through every pair of
slot and code page that any profile knows, each with its number; a person says which lines read right. The likely ones come
once more behind FS ., for clones that start in a two-byte mode which eats Cyrillic letters in pairs. Then come ruled lines,
each ending in the number of letters that it has, and a QR code by the printer's own command.

    page = setup_page(profile)
    printer.write(page.job, timeout)
    page.profile(right=(3, 7), columns=42, qr=True, title="...")      # what the answers say
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from msgspec.structs import replace

from drivers.printers.escpos.charset import charset
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.profile import CELL_WIDTH, Page, Profile, Size, load_profile, profile_names
from receipt_templates.document import Document, Feed, Qr, Text

LINE: Final = "Съешь ещё — «булок» № 7"
"""Short enough for 58 mm; the letters that code pages disagree about are in it."""

QR_TEXT: Final = "TILLMATE"
RULERS: Final = {58: (30, 32, 35), 80: (42, 44, 48)}
"""Letters of font A on a line of the printers that are sold, by paper width in mm."""

_BEST_FIRST = ("cp1251", "cp866", "cp855")
"""CP1251 has the quotes and the dash, CP866 is everywhere."""

_OF_CLONES = ("cp1251", "cp866")
_LEAVE_CHINESE = b"\x1c."
_HEADS = {30: 360, 32: 384, 35: 420, 42: 512, 44: 528, 48: 576}  # dots, by letters
_RUSSIAN = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"


@dataclass(frozen=True)
class SetupPage:
    """The bytes, and what the numbers on the paper stand for: line 1 is `lines[0]`, line `plain` + 1 the first behind FS ."""

    base: Profile
    width_mm: int
    lines: tuple[Page, ...]
    plain: int
    rulers: tuple[int, ...]
    job: bytes

    @property
    def usual(self) -> int:
        """Letters on a line as the model has it, or as most printers have it."""
        size = self.base.paper.get(str(self.width_mm))
        return size.columns if size else self.rulers[len(self.rulers) // 2]

    def profile(self, right: Sequence[int], columns: int, *, qr: bool, title: str) -> Profile:
        """The profile of a printer on which these lines read right, none being an answer too.

        Raises LookupError for a line or a ruler that is not on the page.
        """
        if columns not in self.rulers or not set(right) <= set(range(1, len(self.lines) + 1)):
            raise LookupError(f"there are the lines 1 to {len(self.lines)} and the rulers {self.rulers}")
        found = sorted({self.lines[number - 1] for number in right}, key=_rank)
        chinese = bool(right) and all(number > self.plain for number in right)
        pages = (*found, *(page for page in self.base.pages if not _is_russian(page) and not found))
        paper = {str(self.width_mm): _size(self.base, self.width_mm, columns)}
        return replace(
            self.base,
            title=title,
            pages=pages or (Page("cp437", 0),),
            paper=paper,
            native_qr=qr,
            leaves_chinese_mode=chinese or (self.base.leaves_chinese_mode and not right),
        )


def setup_page(base: Profile, width_mm: int, lines: Iterable[Page] = ()) -> SetupPage:
    """The page for a printer that may be like `base`, on that paper. `lines`: what to try; else all that is known."""
    tried = tuple(lines) or known_pages()
    rulers = tuple(sorted({*RULERS[width_mm], *(_fits(base, width_mm))}))
    again = tuple(page for page in tried if page.codec in _OF_CLONES)
    job = bytearray(b"\x1b@")
    for number, page in enumerate((*tried, *again), 1):
        job += _LEAVE_CHINESE if number == len(tried) + 1 else b""
        job += b"\x1bt" + bytes([page.slot]) + f"{number:>2} ".encode("ascii") + _line(page) + b"\n"
    return SetupPage(base, width_mm, (*tried, *again), len(tried), rulers, bytes(job) + _rest(base, width_mm, rulers))


def _rest(base: Profile, width_mm: int, rulers: Sequence[int]) -> bytes:
    """Rulers, QR code and cut, as a job of the encoder for a printer that has it all."""
    most = rulers[-1]
    able = replace(base, native_qr=True, paper={str(width_mm): Size(dots=most * CELL_WIDTH, columns=most)})
    ruled = [Text(str(columns).rjust(columns, "-")) for columns in rulers]
    return encode(Document((Feed(), *ruled, Feed(), Text("QR:"), Qr(QR_TEXT)), "en"), able, width_mm)


@cache
def known_pages() -> tuple[Page, ...]:
    """Every slot and Russian code page that any shipped profile names, the most frequent first."""
    seen: dict[Page, int] = {}
    for name in profile_names():
        for page in load_profile(name).pages:
            if _is_russian(page):
                seen[page] = seen.get(page, 0) + 1
    best: dict[tuple[int, bytes], Page] = {}
    for page in sorted(seen, key=lambda page: (-seen[page], page.slot, _rank(page))):
        best.setdefault((page.slot, _line(page)), page)
    return tuple(best.values())


def _rank(page: Page) -> tuple[int, int]:
    return _BEST_FIRST.index(page.codec) if page.codec in _BEST_FIRST else len(_BEST_FIRST), page.slot


def _is_russian(page: Page) -> bool:
    return charset(page.codec).has(_RUSSIAN)


def _line(page: Page) -> bytes:
    letters = charset(page.codec)
    spelled = letters.spell(LINE)
    return letters.encode("".join(char for char in spelled if letters.has(char))) or b""


def _fits(base: Profile, width_mm: int) -> tuple[int, ...]:
    size = base.paper.get(str(width_mm))
    return (size.columns,) if size else ()


def _size(base: Profile, width_mm: int, columns: int) -> Size:
    size = base.paper.get(str(width_mm))
    if size is not None and size.columns == columns:
        return size
    return Size(dots=_HEADS.get(columns, columns * CELL_WIDTH), columns=columns)
