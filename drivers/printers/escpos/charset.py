"""Which letters a code page has, and which signs have a stand-in that says the same.

A letter never has one: І is not I. There is no question mark on this path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Set
from functools import lru_cache

NO_BREAK_SPACE = "\u00a0"
CYRILLIC_CODECS = ("cp1251", "cp866", "cp1125", "kz1048", "cp855")
IN_NO_CYRILLIC_PAGE = frozenset("₽→×−")

_STAND_INS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys("«»“”„‟″", ('"',)),
    **dict.fromkeys("‘’‚‛′ʼ", ("'",)),
    **dict.fromkeys("–—―‒‐‑−─", ("-",)),
    **dict.fromkeys("•∙●★☆✓✔", ("*",)),
    "₽": ("р.", "RUB"),
    "€": ("EUR",),
    "№": ("No",),
    "…": ("...",),
    "→": (">",),
    "←": ("<",),
    "×": ("x",),
    "÷": (":",),
    "·": ("∙", "."),
    "±": ("+-",),
    "≤": ("<=",),
    "≥": (">=",),
    "≈": ("~",),
    "©": ("(c)",),
    "®": ("(R)",),
    "™": ("(TM)",),
    "═": ("=",),
    "█": ("#",),
    "░": (".",),
    "■": ("X",),
    "¦": ("|",),
}


class Charset:
    """One code page of a printer: `codes` has the byte of each of its characters, none below 0x20."""

    def __init__(self, codec: str) -> None:
        self.codes = {char: code for code, char in _decoded(codec)}
        self.codes[NO_BREAK_SPACE] = 0x20
        self._stand_ins = {
            ord(char): next((text for text in texts if self.has(text)), char)
            for char, texts in _STAND_INS.items()
            if char not in self.codes
        }

    def has(self, text: str) -> bool:
        """True when every character is in the page."""
        return self.codes.keys() >= set(text)

    def lacking(self, chars: Set[str]) -> Set[str]:
        """Those that are not in the page."""
        return chars - self.codes.keys()

    def encode(self, text: str) -> bytes | None:
        """One byte a character; None when the page lacks one."""
        return spelled(text, self.codes)

    def spell(self, text: str) -> str:
        """`text` with stand-ins for what the page lacks; what has none stays."""
        return text.translate(self._stand_ins)


def spelled(text: str, codes: Mapping[str, int]) -> bytes | None:
    """One byte a character; None when one has no code."""
    try:
        return bytes([codes[char] for char in text])
    except KeyError:
        return None


def _decoded(codec: str) -> Iterator[tuple[int, str]]:
    """The codes above the control characters and what they print."""
    for code in (*range(0x20, 0x7F), *range(0x80, 0x100)):
        char = bytes([code]).decode(codec, "ignore")
        if char and (char == " " or unicodedata.category(char)[0] not in "CZ"):
            yield code, char


@lru_cache(maxsize=16)
def charset(codec: str) -> Charset:
    """The charset of a Python codec, made once."""
    return Charset(codec)


def signs() -> str:
    """The signs that have a stand-in: those that receipts use and code pages lack."""
    return "".join(_STAND_INS)
