"""How one document is spelled on one printer: its code page, and the letters that the printer is taught for it.

First comes the page. A sign that it lacks is taught to a printer that can learn (ESC &), under the code of an ASCII
character that the document does not use; on any other printer its stand-in is printed. What is left has to be a picture.
Only a bar leaves the page for its line: CP1251 has no blocks, but the page in the first slot nearly always does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from drivers.printers.escpos.charset import CYRILLIC_CODECS, IN_NO_CYRILLIC_PAGE, Charset, charset, spelled
from drivers.printers.escpos.glyphs import HEIGHT, Font, glyph
from drivers.printers.escpos.profile import Page, Profile
from drivers.printers.escpos.raster import without_real_time
from receipt_templates.document import Document
from receipt_templates.layout import Row, TextRow

TAUGHT = b"\x1b%\x01"
FORGOTTEN = b"\x1b%\x00"

_ASCII = [chr(code) for code in range(0x7E, 0x20, -1)]
_CYRILLIC = frozenset(map(chr, range(0x0400, 0x0500)))
_BLOCKS = frozenset("█░")
_BAR = _BLOCKS | frozenset("0123456789% \u00a0")
_FONT_MODE = {"A": b"\x1b!\x00", "B": b"\x1b!\x01"}


class Spelling:
    """`spell` before layout, `teach` with the rows that came of it, then `encode`."""

    def __init__(self, document: Document, profile: Profile) -> None:
        chars = frozenset().union(*document.texts())
        self.page = _best_page(chars, profile)
        self._charset = charset(self.page.codec)
        self._learns = profile.user_glyphs
        self._plain = self._learns or (
            profile.pictures and not self._charset.has("я") and not chars.isdisjoint(_CYRILLIC)
        )
        self._codes: dict[str, int] = self._charset.codes
        self._taught: dict[str, int] = {}
        self._bar_page = None if self._charset.has("█") else _page_of_bars(profile)

    def spell(self, text: str) -> str:
        """`text` with stand-ins for signs, unless the printer can learn them or the document will be pictures anyway."""
        return text if self._plain else self._charset.spell(text)

    def spell_bar(self, text: str) -> str:
        """The same for a bar, which is printed as it is where any page has it."""
        return text if self._bar_page else self.spell(text)

    def teach(self, rows: Iterable[Row]) -> bytes:
        """The commands that teach the printer what these rows need; empty for most."""
        if not self._learns:
            return b""
        used = {font: Counter(self._text(rows, font)) for font in ("A", "B")}
        lacking = Counter({char: n for char, n in (used["A"] + used["B"]).items() if char not in self._codes})
        free = [char for char in _ASCII if char not in used["A"] and char not in used["B"]]
        self._taught = dict(zip((char for char, _ in lacking.most_common()), map(ord, free), strict=False))
        if not self._taught:
            return b""
        self._codes = self._codes | self._taught
        return self._lessons("A", used["A"]) + self._lessons("B", used["B"]) + TAUGHT

    def encode(self, text: str) -> bytes | None:
        """One byte a character, none below 0x20, a bar with its page around it; None when the printer lacks one."""
        if self._bar_page and _is_bar(text):
            bar = spelled(text, charset(self._bar_page.codec).codes)
            return bar and page_command(self._bar_page) + bar + page_command(self.page)
        return spelled(text, self._codes)

    def lacking(self, text: str) -> set[str]:
        """The characters that the printer has no letter for."""
        return set() if self._bar_page and _is_bar(text) else set(text) - self._codes.keys()

    @property
    def taught(self) -> bool:
        """True when the printer knows letters that the next job must not find."""
        return bool(self._taught)

    def _text(self, rows: Iterable[Row], font: Font) -> Iterator[str]:
        return (
            char
            for row in rows
            if isinstance(row, TextRow) and row.font == font
            for span in row.spans
            if not (self._bar_page and _is_bar(span.text))
            for char in span.text
        )

    def _lessons(self, font: Font, used: Iterable[str]) -> bytes:
        taught = sorted((self._taught[char], char) for char in used if char in self._taught)
        lessons = b"".join(_lesson(run, font) for run in _runs(taught))
        return _FONT_MODE["B"] + lessons + _FONT_MODE["A"] if lessons and font == "B" else lessons


def _best_page(chars: frozenset[str], profile: Profile) -> Page:
    """The page that leaves the fewest characters to pictures, then the fewest to stand-ins; the first of equals."""
    pages = profile.pages
    if not chars.isdisjoint(_CYRILLIC):
        pages = tuple(page for page in pages if page.codec in CYRILLIC_CODECS) or pages
        chars -= IN_NO_CYRILLIC_PAGE
    best, least = pages[0], (len(chars) + 1, 0)
    for page in pages:
        letters = charset(page.codec)
        lacking = letters.lacking(chars)
        cost = (0 if profile.user_glyphs else _not_spelled(lacking, letters), len(lacking))
        if cost < least:
            best, least = page, cost
        if not lacking:
            break
    return best


def _not_spelled(lacking: Iterable[str], letters: Charset) -> int:
    return sum(not letters.has(letters.spell(char)) for char in lacking)


def page_command(page: Page) -> bytes:
    """ESC t."""
    return b"\x1bt" + bytes([page.slot])


def _page_of_bars(profile: Profile) -> Page | None:
    """The lower the slot, the more printers agree on what is in it."""
    pages = sorted(profile.pages, key=lambda page: page.slot)
    return next((page for page in pages if not charset(page.codec).lacking(_BLOCKS)), None)


def _is_bar(text: str) -> bool:
    return _BAR.issuperset(text) and not _BLOCKS.isdisjoint(text)


def _runs(taught: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Letters under consecutive codes go into one command."""
    run: list[tuple[int, str]] = []
    for code, char in taught:
        if run and code != run[-1][0] + 1:
            yield run
            run = []
        run.append((code, char))
    if run:
        yield run


def _lesson(run: list[tuple[int, str]], font: Font) -> bytes:
    drawn = [glyph(char, font) for _, char in run]
    letters = b"".join(bytes([len(columns) // HEIGHT]) + columns for columns in drawn)
    return b"\x1b&" + bytes([HEIGHT, run[0][0], run[-1][0]]) + without_real_time(letters)
