"""The mod-10 check digit of EAN, UPC, ITF-14 and of our own card numbers."""

from __future__ import annotations


def check_digit(digits: str) -> int:
    """Return the check digit that belongs behind `digits`: weights 3, 1, 3, ... from the right."""
    threes = sum(int(digit) for digit in digits[::-2])
    ones = sum(int(digit) for digit in digits[-2::-2])
    return -(3 * threes + ones) % 10


def has_check_digit(code: str) -> bool:
    """Tell whether the last of these ASCII digits is the check digit of the others."""
    return len(code) > 1 and check_digit(code[:-1]) == int(code[-1])
