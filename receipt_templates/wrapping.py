"""Where a line of text ends: at a space if it can, and never so that a sign or a short preposition is left behind.

Only blanks at the ends of lines are lost. Plain functions of text and width, for any typeface of equal letters.
"""

from __future__ import annotations

import unicodedata

_OPENING = {"Ps", "Pi"}  # ( «
_CLOSING = {"Pe", "Pf", "Po", "Pd"}  # ) » . , ! % and the dash, which Russian keeps on the line it ends


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` letters; a word is broken only where it alone is too long. Always at least one line."""
    lines = [""]
    for word in _words(text, width):
        if lines[-1] and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.extend(_pieces(word, width))
    return lines[1:] or lines


def unorphaned(text: str, width: int) -> list[str]:
    """As `wrap`, unless a single word would be left on the last line: then of like length."""
    lines = wrap(text, width)
    return balanced(text, width) if len(lines) > 1 and " " not in lines[-1] else lines


def balanced(text: str, width: int) -> list[str]:
    """As few lines as `wrap` makes, but of like length, so that no single word hangs below a centred sentence."""
    lines = wrap(text, width)
    if len(lines) == 1:
        return lines
    longest_word = max(map(len, _words(text, width)))
    narrowest = min(max(-(-len(text) // len(lines)), longest_word), width)
    return next(shorter for room in range(narrowest, width + 1) if len(shorter := wrap(text, room)) <= len(lines))


def breaks_a_word(text: str, width: int) -> bool:
    """True when some word of `text` is too long for a line."""
    return any(len(word) > width for word in text.split(" "))


def _words(text: str, width: int) -> list[str]:
    """The words, each with the signs that stand apart from it but must not stand alone, and the short words before it."""
    words: list[str] = []
    before = ""
    for word in text.split(" "):
        if not word:
            continue
        joins = words and (_only(word, _CLOSING) or _only(before, _OPENING) or _is_short(before))
        if joins and len(words[-1]) + 1 + len(word) <= width:
            words[-1] += f" {word}"
        else:
            words.append(word)
        before = word
    return words


def _pieces(word: str, width: int) -> list[str]:
    """A word in lines; a break falls before no closing sign and after no opening one, as far as there is room."""
    pieces = []
    while len(word) > width:
        at = next((at for at in range(width, 0, -1) if _may_break(word, at)), width)
        pieces.append(word[:at])
        word = word[at:]
    return [*pieces, word]


def _may_break(word: str, at: int) -> bool:
    return unicodedata.category(word[at]) not in _CLOSING and unicodedata.category(word[at - 1]) not in _OPENING


def _is_short(word: str) -> bool:
    """A preposition or the like, which reads badly at the end of a line."""
    return len(word) <= 2 and word.isalpha() and word.islower()


def _only(word: str, categories: set[str]) -> bool:
    return all(unicodedata.category(char) in categories for char in word)
