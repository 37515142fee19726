"""GS (0x1D) in its disguises.

Data Matrix and QR separate the parts of a GS1 code with FNC1, which a scanner sends as GS. On the way to us it may have
become the byte 0xE8 (the codeword of FNC1 itself), a text such as `<GS>`, or nothing. The byte counts in front of
digits; texts count only when the frame holds no real GS, because `<` and `>` are legal in serial numbers.
"""

from __future__ import annotations

import re

from loyalty.codes.gs1 import GS

_AS_TEXT = re.compile(
    r"<(?:GS|FNC1|F8|0x1D)>|\{(?:GS|FNC1|F8|0x1D)\}|\[(?:GS|FNC1|0x1D)\]|\((?:GS|FNC1)\)|\\x1D|\\u001D|\\035|\\0?29"
    r"|%1D|&#29;|&#x1D;|\^\]|\^029|~d?029|~1|\x1b\[19~|\u241d",
    re.IGNORECASE,
)
_SIGNS = frozenset("<{[(\\%&^~\u241d")  # each of these texts has one
_FNC1 = (b"\xe8", "\u00e8".encode())


def from_bytes(data: bytes) -> bytes:
    """Put GS where a scanner left the codeword of FNC1, in front of the digits and further on."""
    for codeword in _FNC1:
        if data.startswith(codeword) and data[len(codeword) : len(codeword) + 2].isdigit() and b"\x1d" not in data:
            return data.replace(codeword, b"\x1d")
    return data


def from_text(code: str) -> str:
    """Put GS where a text stands for it. A code without such texts, or with a real GS, comes back as it is."""
    if GS in code or _SIGNS.isdisjoint(code):
        return code
    changed = _AS_TEXT.sub(GS, code)
    return changed if changed.lstrip(GS)[:2].isdigit() else code
