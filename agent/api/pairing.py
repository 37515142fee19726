"""Pairing: store IT asks for a one-time code on this machine, a page or a POS pays with it for its token.

A code has 10 base32 characters (50 bits), lives VALID_SECONDS in memory only and buys once. Each wrong guess counts
against all codes that are out; the MOST_TRIES-th voids them. This is the one lock-out of the API: bad tokens never
lock, because that would let anybody stop a till.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass
from typing import Final

from agent.api.schemas import Scope
from agent.api.tokens import SCOPES, Grant, Holder, Tokens
from agent.clock import Clock

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LENGTH: Final = 10
VALID_SECONDS: Final = 300
MOST_TRIES: Final = 5
MOST_CODES: Final = 8


@dataclass(frozen=True, slots=True)
class _Offer:
    code: str
    till: str
    holder: Holder
    until: float


@dataclass(frozen=True, slots=True)
class Bought:
    """A fresh token and what it is for."""

    token: str
    till: str
    holder: Holder

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What the token allows."""
        return SCOPES[self.holder]


class Pairing:
    """Thread-safe: codes are asked for on the admin socket and paid with over HTTP."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._offers: tuple[_Offer, ...] = ()
        self._tries = 0

    def issue(self, till: str, holder: Holder) -> str:
        """Return a new code. An older one for the same till and holder is void, and the count of guesses starts anew."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        offer = _Offer(code, till, holder, self._clock.monotonic() + VALID_SECONDS)
        with self._lock:
            others = [one for one in self._live() if (one.till, one.holder) != (till, holder)]
            self._offers = (*others, offer)[-MOST_CODES:]
            self._tries = 0
        return code

    def redeem(self, code: str) -> Bought | None:
        """Pay with a code, in any case, with or without dashes. None: wrong, used, too old or void. Raises OSError."""
        given = code.replace("-", "").replace(" ", "").upper().encode()
        with self._lock:
            offer = self._match(given)
            if offer is None:
                return None
            self._offers = tuple(one for one in self._offers if one is not offer)
        return Bought(self._tokens.mint(offer.till, offer.holder, self._clock.now()), offer.till, offer.holder)

    def grant(self, token: str) -> Grant | None:
        """What a token allows; None = not known here."""
        return self._tokens.find(token)

    def _match(self, given: bytes) -> _Offer | None:
        found = None
        for offer in self._live():
            if hmac.compare_digest(offer.code.encode(), given):
                found = offer
        if found is None:
            self._tries += 1
            if self._tries >= MOST_TRIES:
                self._offers = ()
        return found

    def _live(self) -> list[_Offer]:
        now = self._clock.monotonic()
        return [one for one in self._offers if now < one.until]
