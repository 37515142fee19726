"""Barcodes as printers make them: the data of GS k in, bar and space widths out.

Tables from the standards (ISO/IEC 15420, 16388, 16390, 15417). What a real printer refuses, or prints so that no scanner
reads it, is a `BadBarcode` that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


def _words(text: str) -> list[str]:
    return text.split()


_SIDES = _words("0001101 0011001 0010011 0111101 0100011 0110001 0101111 0111011 0110111 0001011")
_PARITY = _words("LLLLLL LLGLGG LLGGLG LLGGGL LGLLGG LGGLLG LGGGLL LGLGLG LGLGGL LGGLGL")
_FIVES = _words("00110 10001 01001 11000 00101 10100 01100 00011 10010 01010")

_LETTERS_39 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
_WIDE_39 = (
    *(0x034, 0x121, 0x061, 0x160, 0x031, 0x130, 0x070, 0x025, 0x124, 0x064, 0x109, 0x049, 0x148, 0x019, 0x118),
    *(0x058, 0x00D, 0x10C, 0x04C, 0x01C, 0x103, 0x043, 0x142, 0x013, 0x112, 0x052, 0x007, 0x106, 0x046, 0x016),
    *(0x181, 0x0C1, 0x1C0, 0x091, 0x190, 0x0D0, 0x085, 0x184, 0x0C4, 0x0A8, 0x0A2, 0x08A, 0x02A),
)
_STAR_39 = 0x094

_WIDTHS_128 = _words(
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232"
)
_STOP_128 = "2331112"
_START_128 = {"A": 103, "B": 104, "C": 105}
_CHANGE_128 = {"A": 101, "B": 100, "C": 99}
_SPECIAL_128 = {"1": 102, "2": 97, "3": 96, "S": 98}


class BadBarcode(ValueError):
    """The printer would print no such barcode, or one that cannot be read."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Widths in modules, a bar first and then space and bar in turn; `text` is what a scanner reads.

    In a kind with `wide` bars a width of 2 stands for the wide one, whatever the printer makes of it.
    """

    widths: tuple[int, ...]
    text: str
    wide: bool = False

    def dots(self, module: int) -> tuple[int, ...]:
        """Widths in dots; a wide bar is two and a half narrow ones, as Epson has it."""
        if not self.wide:
            return tuple(width * module for width in self.widths)
        return tuple(module if width == 1 else (5 * module + 1) // 2 for width in self.widths)


def bars(kind: int, data: bytes) -> Bars:
    """The barcode of GS k: `kind` is 65.. or 0.. by the form of the command."""
    number = kind - 65 if kind >= 65 else kind
    make = _KINDS.get(number)
    if make is None:
        raise BadBarcode(f"not drawn: GS k {_NOT_DRAWN.get(number, number)}")
    return make(data.decode("latin-1"))


def _checked(digits: str, length: int) -> str:
    """The number with its check digit, which may have been sent or not."""
    if not digits.isascii() or not digits.isdigit() or len(digits) not in (length - 1, length):
        raise BadBarcode(f"a barcode of {length} digits from {digits!r}")
    body = digits[: length - 1]
    check = str(-sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(body))) % 10)
    if digits not in (body, body + check):
        raise BadBarcode(f"a barcode with a wrong check digit: {digits}")
    return body + check


def _ean(left: str, parity: str, right: str) -> tuple[int, ...]:
    halves = [_turned(_SIDES[int(digit)], side) for digit, side in zip(left, parity, strict=True)]
    tail = [_turned(_SIDES[int(digit)], "R") for digit in right]
    return _runs("101" + "".join(halves) + "01010" + "".join(tail) + "101")


def _turned(left: str, side: str) -> str:
    """An odd pattern as it is (L), inverted (R), or inverted and mirrored (G)."""
    right = left.translate({48: "1", 49: "0"})
    return {"L": left, "R": right, "G": right[::-1]}[side]


def _runs(modules: str) -> tuple[int, ...]:
    widths: list[int] = []
    last = ""
    for module in modules:
        if module == last:
            widths[-1] += 1
        else:
            widths.append(1)
        last = module
    return tuple(widths)


def _ean13(data: str) -> Bars:
    digits = _checked(data, 13)
    return Bars(_ean(digits[1:7], _PARITY[int(digits[0])], digits[7:]), digits)


def _upc_a(data: str) -> Bars:
    digits = _checked(data, 12)
    return Bars(_ean(digits[:6], "LLLLLL", digits[6:]), digits)


def _ean8(data: str) -> Bars:
    digits = _checked(data, 8)
    return Bars(_ean(digits[:4], "LLLL", digits[4:]), digits)


def _itf(data: str) -> Bars:
    if not data.isascii() or not data.isdigit() or len(data) % 2:
        raise BadBarcode(f"ITF takes an even number of digits, not {data!r}")
    widths = [1, 1, 1, 1]
    for one, two in zip(data[::2], data[1::2], strict=True):
        for bar, space in zip(_FIVES[int(one)], _FIVES[int(two)], strict=True):
            widths += [1 + int(bar), 1 + int(space)]
    return Bars((*widths, 2, 1, 1), data, wide=True)


def _code39(data: str) -> Bars:
    text = data.removeprefix("*").removesuffix("*")
    if not text or any(letter not in _LETTERS_39 for letter in text):
        raise BadBarcode(f"CODE39 has no such letters: {text!r}")
    codes = [_STAR_39, *(_WIDE_39[_LETTERS_39.index(letter)] for letter in text), _STAR_39]
    widths: list[int] = []
    for code in codes:
        widths += [1 + (code >> 8 - bit & 1) for bit in range(9)] + [1]
    return Bars(tuple(widths[:-1]), text, wide=True)


def _code128(data: str) -> Bars:
    """In the language of GS k: `{A`, `{B`, `{C` choose the set, `{{` is a brace, `{1`..`{3` FNC, `{S` shift."""
    codes: list[int] = []
    text, letters, at = "", "", 0
    while at < len(data):
        if data[at] != "{":
            code, seen = _symbol_128(letters, ord(data[at]))
            codes, text, at = [*codes, code], text + seen, at + 1
            continue
        mark = data[at + 1 : at + 2]
        if mark == "{" and letters == "B":
            codes, text = [*codes, ord("{") - 32], text + "{"
        elif mark in _START_128:
            codes.append((_CHANGE_128 if codes else _START_128)[mark])
            letters = mark
        elif mark in _SPECIAL_128 and codes:
            codes.append(_SPECIAL_128[mark])
        else:
            raise BadBarcode(f"CODE128 with {{{mark} at {at}")
        at += 2
    if not text:
        raise BadBarcode("CODE128 without content")
    check = (codes[0] + sum(at * code for at, code in enumerate(codes))) % 103
    patterns = [*(_WIDTHS_128[code] for code in (*codes, check)), _STOP_128]
    return Bars(tuple(int(width) for pattern in patterns for width in pattern), text)


def _symbol_128(letters: str, byte: int) -> tuple[int, str]:
    """Number and text of one byte of data."""
    if letters == "C" and byte <= 99:
        return byte, f"{byte:02}"
    if letters == "B" and 32 <= byte <= 127:
        return byte - 32, chr(byte)
    if letters == "A" and byte <= 95:
        return (byte + 64 if byte < 32 else byte - 32), chr(byte)
    raise BadBarcode(f"CODE128 has no {byte:#04x} in set {letters or '?'}: the data begins with {{A, {{B or {{C")


_KINDS: Mapping[int, Callable[[str], Bars]] = {
    0: _upc_a,
    2: _ean13,
    3: _ean8,
    4: _code39,
    5: _itf,
    8: _code128,
}
_NOT_DRAWN = {1: "UPC-E", 6: "CODABAR", 7: "CODE93"}
