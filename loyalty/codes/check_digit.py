"""The check digits of GS1: mod 10 of EAN, UPC, ITF-14, SSCC and our own cards, and those of prices in store labels."""

from __future__ import annotations

_THRICE = str.maketrans("0123456789", "0369258147")  # three times a digit, without its tens


def check_digit(digits: str) -> int:
    """Return the check digit that belongs behind `digits`: weights 3, 1, 3, ... from the right."""
    threes = sum(map(int, digits[::-2].translate(_THRICE)))
    return -(threes + sum(map(int, digits[-2::-2]))) % 10


def has_check_digit(code: str) -> bool:
    """Tell whether the last of these ASCII digits is the check digit of the others."""
    return len(code) > 1 and check_digit(code[:-1]) == int(code[-1])


# The price verifier of the GS1 General Specifications, section 7.9: each place has its own table of weighted products.
_2_MINUS, _3, _5_PLUS, _5_MINUS = "0246891357", "0369258147", "0516273849", "0594837261"
_FOUR = (_2_MINUS, _2_MINUS, _3, _5_MINUS)
_FIVE = (_5_PLUS, _2_MINUS, _5_MINUS, _5_PLUS, _2_MINUS)


def price_verifier_4(price: str) -> int:
    """Return the check digit of a price of four digits."""
    return 3 * _products(price, _FOUR) % 10


def price_verifier_5(price: str) -> int:
    """Return the check digit of a price of five digits."""
    return _5_MINUS.index(str(-_products(price, _FIVE) % 10))


def _products(price: str, places: tuple[str, ...]) -> int:
    return sum(int(table[int(digit)]) for digit, table in zip(price, places, strict=True))
