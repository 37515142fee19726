"""Phone numbers: whatever people type -> +79161234567, or None."""

from __future__ import annotations

import re
import unicodedata

_DECORATION = re.compile(r"[\s().\-\u2010-\u2015]+")


def parse_phone(text: str) -> str | None:
    """Return the number in international form; one without a country is Russian (8..., 7..., or 9... of ten digits)."""
    typed = _DECORATION.sub("", unicodedata.normalize("NFKC", text))
    typed = re.sub(r"^00", "+", typed)
    if not re.fullmatch(r"\+?[0-9]{10,15}", typed):
        return None
    number = typed if typed.startswith("+") else _russian(typed)
    return number if number and re.fullmatch(r"\+(7[3-9][0-9]{9}|[1-689][0-9]{9,14})", number) else None


def masked(phone: str) -> str:
    """Return what may stand in a log and on a page: +7***4567."""
    return f"{phone[:2]}***{phone[-4:]}"


def _russian(digits: str) -> str | None:
    if len(digits) == 10 and digits[0] == "9":
        return f"+7{digits}"
    return f"+7{digits[1:]}" if len(digits) == 11 and digits[0] in "78" else None
