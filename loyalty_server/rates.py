"""How often a device may ask, and a stranger who claims to become one: a bucket of tokens for each, filled up again as time goes by.

A bucket is one time: until when it is not full. A device that is not asked about has a full one, so nothing is kept for
it, and whatever the clock does, nobody is sent away for longer than it takes to make one token. Each process counts
for itself.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from loyalty_server.problems import refuse


class Rate(NamedTuple):
    """So many calls at once, and one more after each `every`."""

    burst: int
    every: timedelta


CALLS = Rate(200, timedelta(milliseconds=20))
"""All signed calls of a device together: fifty a second. A long queue drains with fewer."""

SEARCHES = Rate(20, timedelta(seconds=3))
"""Searches for a member: whoever has stolen a device must not try telephone numbers."""

CLAIMS = Rate(100, timedelta(seconds=1))
"""Claims from an address: whoever has no code must not try codes without end, nor keep the database busy with that."""

ALL_CLAIMS = Rate(1000, timedelta(milliseconds=50))
"""Claims from all addresses together."""

MOST_DEVICES = 100_000
_NOW = timedelta()


class Buckets:
    """Tokens of one kind for all devices; of more than `most` the longest silent ones are forgotten. Safe in threads."""

    def __init__(self, rate: Rate, most: int = MOST_DEVICES) -> None:
        self._rate = rate
        self._most = most
        self._full_at: dict[str, datetime] = {}  # in the order of the last call
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, device: str, now: datetime) -> timedelta:
        """Take a token; else return how long to wait for one."""
        burst, every = self._rate
        with self._lock:
            full_at = min(max(self._full_at.pop(device, now), now), now + burst * every)
            wait = max(full_at + every - now - burst * every, _NOW)
            self._full_at[device] = full_at if wait else full_at + every
            if len(self._full_at) > self._most:
                del self._full_at[next(iter(self._full_at))]
        return wait


class Rates:
    """The rates that this server holds its devices to. Each raises Refused `too_many_requests`."""

    def __init__(
        self, calls: Rate = CALLS, searches: Rate = SEARCHES, claims: Rate = CLAIMS, all_claims: Rate = ALL_CLAIMS
    ) -> None:
        self._calls = Buckets(calls)
        self._searches = Buckets(searches)
        self._claims = Buckets(claims)
        self._all_claims = Buckets(all_claims)

    def call(self, device: str, now: datetime) -> None:
        """A signed call of any kind."""
        _check(self._calls.take(device, now))

    def search(self, device: str, now: datetime) -> None:
        """A search for a member."""
        _check(self._searches.take(device, now))

    def claim(self, address: str, now: datetime) -> None:
        """A claim from this address, whose own bound comes first: it cannot use up what others have."""
        _check(self._claims.take(address, now))
        _check(self._all_claims.take("", now))


def _check(wait: timedelta) -> None:
    if wait:
        raise refuse("too_many_requests", retry_after=ceil(wait.total_seconds()))
