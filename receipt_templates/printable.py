"""The one filter between data and paper: what comes out of here has no control characters, whatever went in.

Names, products and texts come from people and from other programs, and a printer obeys ESC in the middle of a name: it
resets, cuts, or opens the drawer. Every text of a document passes through `printable` when the document is made, also
when it is read back from JSON; templates use it on each value before the value meets the markup.
"""

from __future__ import annotations

import re
import unicodedata

NO_BREAK_SPACE = "\u00a0"

_PLAIN = re.compile("[ -~\u00a0\u0410-\u044f\u0401\u0451№«»—−×•€₽→]*")
"""Letters and signs that stay as they are, whatever stands beside them: nearly every text is nothing but these."""
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"}
_BLANKS = {"\t": " ", "\n": " ", "\r": " ", "\v": " ", "\f": " ", "\x85": " ", "\u2028": " ", "\u2029": " ", "\xad": ""}


def printable(text: str) -> str:
    """Return `text` on one line: composed letters, ordinary or no-break spaces, nothing that is not a picture.

    Line ends and tabs become spaces; thin and other fixed spaces become the no-break space; control, format, private
    and unassigned characters, lone surrogates and marks that no letter takes up are dropped. Idempotent.
    """
    if _PLAIN.fullmatch(text):
        return text
    flat = "".join(_BLANKS.get(char, char) for char in text)
    return unicodedata.normalize("NFC", "".join(map(_keep, unicodedata.normalize("NFC", flat))))


def _keep(char: str) -> str:
    category = unicodedata.category(char)
    if category in _DROPPED:
        return ""
    return NO_BREAK_SPACE if category == "Zs" and char != " " else char
