"""The AIM id `]cm` that a scanner may put in front of a code to say what kind of symbol it read (ISO/IEC 15424)."""

from __future__ import annotations

import re

_AIM = re.compile(r"\][A-Za-z][0-9A-F]")


def split_aim(code: str) -> tuple[str, str]:
    """Return (AIM id or "", the rest). What only looks like an AIM id stays where it is."""
    found = _AIM.match(code)
    return (found.group(), code[found.end() :]) if found else ("", code)
