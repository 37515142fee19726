"""The QR of a Russian fiscal receipt: `t=20200923T0940&s=911.00&fn=9289000100597234&i=57908&fp=1791342888&n=1`.

The parameters come in any order, bare or behind the `?` of a web address. Money is read as kopecks, digit by digit.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from loyalty.codes.kinds import FiscalReceipt, Unknown

_KEYS = ("t", "s", "fn", "i", "fp", "n")
_BARE = re.compile(r"(?:t|s|fn|i|fp|n)=[^&=]*(?:&[a-z]+=[^&=]*)+(?:&[a-z]*)?")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?", re.ASCII)
_SUM = re.compile(r"(\d{1,12})(?:[.,](\d{1,2}))?", re.ASCII)
_FN = re.compile(r"\d{16}", re.ASCII)
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)
_OPERATION = re.compile(r"[1-4]")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def read(code: str) -> FiscalReceipt | Unknown | None:
    """Return the receipt; Unknown when it is a part of one, or has a parameter amiss; None when it is something else."""
    bare = _BARE.fullmatch(code) is not None
    if not bare and "fn=" not in code:
        return None
    found = _parameters(code if bare else code.partition("?")[2].partition("#")[0])
    receipt = _receipt(found)
    if receipt is None and bare and (_TIME.fullmatch(found.get("t", "")) or _FN.fullmatch(found.get("fn", ""))):
        return Unknown("fiscal_incomplete")
    return receipt


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in text.split("&"):
        key, _, value = each.partition("=")
        if key in _KEYS:
            found.setdefault(key, unquote(value))
    return found


def _receipt(found: dict[str, str]) -> FiscalReceipt | None:
    if any(key not in found for key in _KEYS):
        return None
    at, money = _iso(found["t"]), _SUM.fullmatch(found["s"])
    numbers = (_FN.fullmatch(found["fn"]), _NUMBER.fullmatch(found["i"]), _NUMBER.fullmatch(found["fp"]))
    if at is None or money is None or not all(numbers) or not _OPERATION.fullmatch(found["n"]):
        return None
    kopecks = 100 * int(money[1]) + int((money[2] or "0").ljust(2, "0"))
    return FiscalReceipt(at, kopecks, found["fn"], int(found["i"]), int(found["fp"]), int(found["n"]))


def _iso(text: str) -> str | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = found.groups("00")
    if not 1 <= int(month) <= 12 or not 1 <= int(day) <= _DAYS[int(month) - 1]:
        return None
    if max(int(hour) - 23, int(minute) - 59, int(second) - 59) > 0:
        return None
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}"
