"""The AIM id `]cm` that a scanner may put in front of a code to say what kind of symbol it read (ISO/IEC 15424)."""

from __future__ import annotations

import re

_AIM = re.compile(r"\][A-Za-z][0-9A-F]")
_SYMBOLOGY = {
    "A": "code39", "C": "code128", "E": "ean", "F": "codabar", "G": "code93", "H": "code11", "I": "itf",
    "J": "dotcode", "K": "code16k", "L": "pdf417", "M": "msi", "O": "codablock", "Q": "qrcode", "R": "itf", "S": "itf",
    "T": "code49", "U": "maxicode", "d": "datamatrix", "e": "databar", "h": "hanxin", "o": "ocr", "z": "aztec",
}  # fmt: skip

GS1 = frozenset({"]C1", "]e0", "]e1", "]e2", "]e3", "]d2", "]d5", "]Q3", "]Q4", "]J1", "]J4", "]J5"})
"""AIM ids of symbols that begin with FNC1: their content is element strings of GS1 and nothing else."""

EAN_13, EAN_8, EAN_ADD_ON, ADD_ON = "]E0", "]E4", "]E3", frozenset({"]E1", "]E2"})


def split_aim(code: str) -> tuple[str, str]:
    """Return (AIM id or "", the rest). What only looks like an AIM id stays where it is."""
    found = _AIM.match(code)
    return (found.group(), code[found.end() :]) if found else ("", code)


def symbology(aim: str) -> str | None:
    """Return the name of the symbology, or None when there is no AIM id or nobody gave that letter a name."""
    return _SYMBOLOGY.get(aim[1:2])
