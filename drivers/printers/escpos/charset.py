"""Which letters a code page has, and what stands in for those it has not.

`spell` works on text, before layout, because a stand-in may be longer than its character; `encode` then gives one byte
for each character, or None: such a line must go out as a picture. There is no question mark on this path.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

NO_BREAK_SPACE = "\u00a0"

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
    "І": ("I",),
    "і": ("i",),
    "Ґ": ("Г",),
    "ґ": ("г",),
    "¦": ("|",),
}


class Charset:
    """One code page of a printer."""

    def __init__(self, codec: str) -> None:
        self._bytes = {char: code for code in _CODES if (char := _decoded(code, codec)) is not None}
        self._bytes[NO_BREAK_SPACE] = 0x20
        self._stand_ins = {
            ord(char): next((text for text in texts if self.has(text)), char)
            for char, texts in _STAND_INS.items()
            if char not in self._bytes
        }

    def has(self, text: str) -> bool:
        """True when every character is in the page."""
        return self._bytes.keys() >= set(text)

    def spell(self, text: str) -> str:
        """`text` with stand-ins for what the page lacks; what has none stays."""
        return text.translate(self._stand_ins)

    def encode(self, text: str) -> bytes | None:
        """One byte a character, none below 0x20; None when the page lacks one."""
        codes = [self._bytes.get(char) for char in text]
        return None if None in codes else bytes(code for code in codes if code is not None)


_CODES = (*range(0x20, 0x7F), *range(0x80, 0x100))


def _decoded(code: int, codec: str) -> str | None:
    char = bytes([code]).decode(codec, "ignore")
    return char if char and (char == " " or unicodedata.category(char)[0] not in "CZ") else None


@lru_cache(maxsize=8)
def charset(codec: str) -> Charset:
    """The charset of a Python codec, made once."""
    return Charset(codec)
