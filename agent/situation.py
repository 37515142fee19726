"""What the agent knows while it runs: its identity and the programme in force; the tills are told of anything new."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from agent.identity import Identity
from agent.till import Facts
from agent.till_effects import Claim
from agent.token_source import TokenKey
from loyalty.programme import Programme
from offline_queue import Replica


class Situation:
    """Thread-safe. `changed` listeners are called in the thread that brings the news."""

    def __init__(self, replica: Replica, identity: Identity | None) -> None:
        self._replica = replica
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._facts = Facts()
        self._programme: Programme | None = None  # as it was published
        self._redemption = True
        self.identity: Identity | None = None
        if identity is not None:
            self.on_claimed(identity)

    def facts(self) -> Facts:
        """What a till needs to know, as of now."""
        return self._facts

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change. Before the threads start only."""
        self._listeners += (listener,)

    def on_claimed(self, identity: Identity) -> None:
        """This device has an identity now."""
        claim = Claim(
            store=identity.store.id,
            tills=frozenset(till.id for till in identity.tills),
            enrolment_url=identity.enrolment_url,
            token_key=TokenKey(identity.token_key, identity.device_number, identity.token_generation),
            members=self._replica.reader(identity.ident_key),
        )
        with self._lock:
            self.identity = identity
            self._facts = replace(self._facts, claim=claim)
        self._tell()

    def on_programme(self, programme: Programme) -> None:
        """Another programme is in force."""
        with self._lock:
            self._programme = programme
            self._facts = replace(self._facts, programme=self._usable())
        self._tell()

    def on_redemption(self, allowed: bool) -> None:
        """Points may be taken as payment from now on, or not."""
        with self._lock:
            self._redemption = allowed
            self._facts = replace(self._facts, programme=self._usable())
        self._tell()

    def _usable(self) -> Programme | None:
        """The programme as the tills may use it: one that is stopped redeems nothing and earns as ever."""
        if self._programme is None or self._redemption:
            return self._programme
        return replace(self._programme, redeem=None)

    def on_members(self) -> None:
        """The replica has taken over what the server says of some members."""
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
