"""The token in the enrolment QR: 20 bytes as 32 base32 letters and digits, good for one receipt.

    device 28 bits | key generation 8 | hour 20 | counter 24    10 bytes that say which receipt of which till
    HMAC-SHA-256 over them, first 10 bytes                       that nobody else can make

Upper case only, so that the whole address fits the alphanumeric mode of a QR code. Reading ignores case, because people
and browsers change it.
"""

from __future__ import annotations

import base64
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from loyalty.errors import TillmateError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BITS = (28, 8, 20, 24)
_HALF = 10
_FORM = re.compile("[A-Za-z2-7]{32}")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = str.maketrans(
    f"{_LETTERS}234567{_LETTERS.lower()}", "0123456789ABCDEFGHIJKLMNOPQRSTUV0123456789ABCDEFGHIJKLMNOP"
)
"""From the letters of base32 to those of int(): a server reads hundreds in a batch, and b32decode takes ten times as long."""


class BadToken(TillmateError):
    """Not a token at all: wrong length or letters. Says nothing about whether one is genuine."""

    code: ClassVar[str] = "bad_token"


class TokenId(NamedTuple):
    """What a token says of itself."""

    device_number: int
    generation: int
    hour: int
    counter: int


def mint(key: bytes, device_number: int, generation: int, hour: int, counter: int) -> str:
    """Return a token. Raises ValueError when a number does not fit its bits."""
    packed = 0
    for name, bits, number in zip(TokenId._fields, _BITS, (device_number, generation, hour, counter), strict=True):
        if not 0 <= number < 1 << bits:
            raise ValueError(f"{name} must fit {bits} bits")
        packed = packed << bits | number
    identity = packed.to_bytes(_HALF, "big")
    return base64.b32encode(identity + _seal(identity, key)).decode()


def read(token: str) -> TokenId:
    """Return what the token says, genuine or not. Raises BadToken."""
    packed = int.from_bytes(_decode(token)[:_HALF], "big")
    numbers = []
    for bits in reversed(_BITS):
        numbers.append(packed & (1 << bits) - 1)
        packed >>= bits
    return TokenId(*reversed(numbers))


def genuine(token: str, key: bytes) -> bool:
    """Tell whether `key` made this token; takes the same time for every wrong one."""
    try:
        decoded = _decode(token)
    except BadToken:
        return False
    return hmac.compare_digest(decoded[_HALF:], _seal(decoded[:_HALF], key))


def url(base: str, token: str) -> str:
    """Return the address for the QR: all upper case, whatever the base is."""
    return f"{base.rstrip('/')}/E/{token}".upper()


def hour_of(at: datetime) -> int:
    """Return the whole hours from 1970 to `at` (which knows its offset); fits 20 bits until 2089."""
    return (at - _EPOCH) // timedelta(hours=1)


def _seal(identity: bytes, key: bytes) -> bytes:
    return hmac.digest(key, identity, "sha256")[:_HALF]


def _decode(token: str) -> bytes:
    if not _FORM.fullmatch(token):
        raise BadToken("an enrolment token is 32 letters and digits, A-Z and 2-7")
    return int(token.translate(_DIGITS), 32).to_bytes(2 * _HALF, "big")
