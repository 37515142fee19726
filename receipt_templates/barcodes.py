"""What a barcode can hold and how wide it comes out, so that none is promised that a printer leaves out in silence."""

from __future__ import annotations

import re
from typing import Literal

from receipt_templates.mistakes import Mistake

BarcodeKind = Literal["ean13", "ean8", "upca", "itf", "code39", "code128"]

MODULES_LIMIT = 192  # narrow bars across 58 mm paper (384 dots) at the two dots each that a scanner needs

_DIGITS = {"ean13": 13, "ean8": 8, "upca": 12}
_CHARSETS = {
    "itf": re.compile(r"(?:[0-9]{2})+"),
    "code39": re.compile(r"[0-9A-Z .$/+%-]+"),
    "code128": re.compile(r"[ -~]+"),
}


def check(kind: BarcodeKind, payload: str) -> None:
    """Raise Mistake when `payload` is no barcode of this kind that fits on 58 mm paper."""
    if kind in _DIGITS:
        _check_number(kind, payload)
        return
    if not _CHARSETS[kind].fullmatch(payload):
        raise Mistake(f"barcode_{kind}", given=repr(payload))
    if modules(kind, payload) > MODULES_LIMIT:
        raise Mistake("barcode_long", given=repr(payload), kind=kind)


def modules(kind: BarcodeKind, payload: str) -> int:
    """The width of the barcode in narrow bars, without its quiet zone."""
    match kind:
        case "ean13" | "upca":
            return 95
        case "ean8":
            return 67
        case "itf":
            return 9 + 9 * len(payload)
        case "code39":
            return 16 * (len(payload) + 2) - 1
        case "code128":
            return 35 + 11 * (len(payload) // 2 if in_pairs(payload) else len(payload))


def in_pairs(payload: str) -> bool:
    """True when code 128 writes `payload` as pairs of digits (its set C), which takes half the room."""
    return len(payload) % 2 == 0 and payload.isdecimal()


def _check_number(kind: BarcodeKind, payload: str) -> None:
    length = _DIGITS[kind]
    if len(payload) != length or not (payload.isascii() and payload.isdecimal()):
        raise Mistake("barcode_digits", kind=kind, length=length, given=repr(payload))
    right = _check_digit(payload[:-1])
    if payload[-1] != right:
        raise Mistake("barcode_check", kind=kind, payload=payload, right=right)


def _check_digit(digits: str) -> str:
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)
