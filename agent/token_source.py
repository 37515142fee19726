"""Enrolment tokens for one till: counters reserved in blocks, so that printing one never waits for the disk.

A counter that was reserved and not used is lost, which costs nothing; one that was used is never handed out again, not
even after a crash, because the reservation is durable before the first token of its block is made.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from agent.clock import Clock
from loyalty import enrolment_token
from loyalty.errors import TillmateError
from offline_queue.outcome import Outcome
from offline_queue.tokens import ReserveTokens
from offline_queue.transaction import Operation

log = logging.getLogger(__name__)

BLOCK = 64
_LOW = 16


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: Operation[int], /) -> Outcome[int]:
        """Carry it out. Raises a TillmateError where it cannot even be taken."""
        ...


@dataclass(frozen=True)
class TokenKey:
    """What makes the tokens of this device genuine."""

    key: bytes
    device_number: int
    generation: int


class TokenSource:
    """For one thread."""

    def __init__(self, key: TokenKey, writer: Writer, clock: Clock) -> None:
        self._key = key
        self._writer = writer
        self._clock = clock
        self._counters: list[int] = []
        self._asked: Outcome[int] | None = None

    def peek(self) -> str | None:
        """The next unused token; None while the queue has not reserved any yet."""
        self._refill()
        if not self._counters:
            return None
        hour = enrolment_token.hour_of(self._clock.now())
        return enrolment_token.mint(
            self._key.key, self._key.device_number, self._key.generation, hour, self._counters[0]
        )

    def take(self) -> None:
        """The token that `peek` showed last has been used."""
        self._counters.pop(0)

    def _refill(self) -> None:
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            if asked.exception() is not None:
                log.warning("tokens not_reserved error=%s", asked.exception())
            else:
                self._counters.extend(range(asked.result(), asked.result() + BLOCK))
        if self._asked is None and len(self._counters) < _LOW:
            try:
                self._asked = self._writer.submit(ReserveTokens(BLOCK))
            except TillmateError as error:
                log.warning("tokens not_reserved code=%s", error.code)
