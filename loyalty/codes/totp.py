"""Codes that a phone shows for a short while: a template of a wallet with a one-time password (TOTP, RFC 6238).

The template holds `{id}`, `{totp_value_0}` and, for most wallets, `{totp_timestamp_seconds}` or `..._millis`; the rest is
literal. The password is HMAC-SHA-1 of the number of the period under the key of the site, so it is checked without the
server. A code of the wrong time is stale, one with another password wrong; that a code was used before only the till
can know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from loyalty.codes.kinds import MemberRotating, RejectedRotating

_PLACES = re.compile(r"\{(?:id|totp_timestamp_seconds|totp_timestamp_millis|totp_value_0)\}")
_PERIODS = 10  # as many periods before and after now are tried where the code does not say its time


def hotp(key: bytes, counter: int, digits: int) -> str:
    """Return the password of RFC 4226."""
    digest = hmac.digest(key, counter.to_bytes(8, "big"), hashlib.sha1)
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a site's rotating codes look like and how they are checked."""

    shape: re.Pattern[str]
    vouches: bool  # a literal part says that a code is meant as one of these
    key: bytes
    period: int
    digits: int
    window: int

    def read(self, code: str, now: int) -> MemberRotating | RejectedRotating | None:
        """Return the member, the refusal, or None for a code of another shape."""
        found = self.shape.fullmatch(code)
        if found is None:
            return None
        parts = found.groupdict()
        seconds = _seconds(parts)
        made = self._made_at(parts["otp"], now) if seconds is None else self._checked(parts["otp"], seconds)
        if made is None:
            return RejectedRotating(parts["id"], "wrong") if self.vouches else None
        if abs(now - made) > self.window:
            return RejectedRotating(parts["id"], "stale")
        return MemberRotating(parts["id"], made)

    def _checked(self, password: str, seconds: int) -> int | None:
        good = hmac.compare_digest(hotp(self.key, seconds // self.period, self.digits), password)
        return seconds if good else None

    def _made_at(self, password: str, now: int) -> int | None:
        """The start of the period, as near to now as possible, that has this password."""
        this = max(now // self.period, 0)
        for counter in sorted(range(max(this - _PERIODS, 0), this + _PERIODS + 1), key=lambda each: abs(each - this)):
            if hmac.compare_digest(hotp(self.key, counter, self.digits), password):
                return counter * self.period
        return None


def wallet(template: str, key_hex: str, period: int, digits: int, window: int) -> Wallet:
    """Make the reader of a template in which `place_amiss` finds nothing amiss."""
    shape, at = "", 0
    names = {
        "{id}": r"(?P<id>[^\x00-\x1f]+?)",
        "{totp_timestamp_seconds}": r"(?P<seconds>[0-9]{1,11})",
        "{totp_timestamp_millis}": r"(?P<millis>[0-9]{4,14})",
        "{totp_value_0}": rf"(?P<otp>[0-9]{{{digits}}})",
    }
    literal = ""
    for place in _PLACES.finditer(template):
        literal += template[at : place.start()]
        shape += re.escape(template[at : place.start()]) + names[place.group()]
        at = place.end()
    literal += template[at:]
    expression = re.compile(shape + re.escape(template[at:]), re.ASCII)
    return Wallet(expression, bool(literal), bytes.fromhex(key_hex), period, digits, window)


def place_amiss(template: str) -> str | None:
    """Name a place that the template lacks or has twice, or None."""
    places = _PLACES.findall(template)
    lacking = [needed for needed in ("{id}", "{totp_value_0}") if needed not in places]
    return next((each for each in (*lacking, *places) if places.count(each) != 1), None)


def _seconds(parts: dict[str, str]) -> int | None:
    if "seconds" in parts:
        return int(parts["seconds"])
    return int(parts["millis"]) // 1000 if "millis" in parts else None
