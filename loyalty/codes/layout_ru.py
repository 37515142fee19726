"""Turns back what a keyboard scanner typed while the Russian layout was on.

A scanner that plays keyboard presses the keys of a US keyboard. The layout `ru(winkeys)` of xkeyboard-config, which is
the Russian layout of Windows, makes other characters of the same 47 printable keys; the two are a bijection, so what
has at least one character that only the Russian layout has is turned back exactly. A text of digits and `. , / ? : ;`
alone could have come from either and stays as it is.
"""

from __future__ import annotations

_US = "`1234567890-=qwertyuiop[]asdfghjkl;'\\zxcvbnm,./" + '~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"|ZXCVBNM<>?'
_RU = "ё1234567890-=йцукенгшщзхъфывапролджэ\\ячсмитьбю." + 'Ё!"№;%:?*()_+ЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭ/ЯЧСМИТЬБЮ,'
_BACK = dict(zip(_RU, _US, strict=True))
_TABLE = str.maketrans(_BACK)
_ONLY_RUSSIAN = frozenset(letter for letter in _RU if not letter.isascii())


def turn_back(text: str) -> str | None:
    """Return the text as the scanner meant it; None when it was not typed under the Russian layout."""
    if _ONLY_RUSSIAN.isdisjoint(text):
        return None
    if any(letter not in _BACK and letter > " " for letter in text):
        return None
    return text.translate(_TABLE)
