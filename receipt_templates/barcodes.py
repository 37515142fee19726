"""What a barcode can hold and how wide it comes out, so that none is promised that a printer leaves out in silence."""

from __future__ import annotations

import re
from typing import Literal

BarcodeKind = Literal["ean13", "ean8", "upca", "itf", "code39", "code128"]

MODULES_LIMIT = 192  # narrow bars across 58 mm paper (384 dots) at the two dots each that a scanner needs

_DIGITS = {"ean13": 13, "ean8": 8, "upca": 12}
_CHARSETS = {
    "itf": (re.compile(r"(?:[0-9]{2})+"), "an even number of digits"),
    "code39": (re.compile(r"[0-9A-Z .$/+%-]+"), "digits, capital Latin letters and . $ / + % -"),
    "code128": (re.compile(r"[ -~]+"), "Latin letters, digits and signs"),
}


def check(kind: BarcodeKind, payload: str) -> None:
    """Raise ValueError, saying what is wrong, when `payload` is no barcode of this kind that fits on 58 mm paper."""
    if kind in _DIGITS:
        _check_number(kind, payload)
        return
    pattern, holds = _CHARSETS[kind]
    if not pattern.fullmatch(payload):
        raise ValueError(f"a barcode {kind} holds {holds}, not {payload!r}")
    if modules(kind, payload) > MODULES_LIMIT:
        raise ValueError(f"{payload!r} is too long for a barcode {kind} on 58 mm paper; shorten it or take a qr")


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
        raise ValueError(f"a barcode {kind} holds {length} digits, not {payload!r}")
    right = _check_digit(payload[:-1])
    if payload[-1] != right:
        raise ValueError(f"the last digit of the {kind} {payload} must be its check digit {right}")


def _check_digit(digits: str) -> str:
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)
