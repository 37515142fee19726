"""The thread that keeps this till up to date: the claim, then rounds of news every few seconds.

What fails is repeated with growing, random waits. While there is no connection the till lives on what it has: the kept
programme, the replica as it is, the queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from agent.clock import Clock
from agent.identity import Identity
from agent.sync.claim import Claimant
from agent.sync.errors import NotAuthorised
from agent.sync.new_key import NewKey
from agent.sync.programme import ProgrammeBook
from agent.sync.report import Report
from agent.sync.retry import Bell, Patience, Waits
from agent.sync.rounds import Depths, Listeners, Rounds, Server, Shelf
from loyalty.errors import TillmateError
from offline_queue import Replica, ReplicaWriter

_SHUT_OUT = ("device_revoked", "bad_signature")


class Feed:
    """Keeps identity, programme and replica. `wake` may be called by any thread."""

    def __init__(
        self,
        *,
        folder: Path,
        claimant: Claimant,
        replica: Replica,
        open_reader: Callable[[], Depths],
        connect: Callable[[Identity], Server],
        listeners: Listeners,
        report: Report,
        clock: Clock,
        patience: Patience,
        every: float,
        identity: Identity | None = None,
        idle: Waits | None = None,
    ) -> None:
        self._folder = folder
        self._claimant = claimant
        self._replica = replica
        self._open_reader = open_reader
        self._connect = connect
        self._listeners = listeners
        self._report = report
        self._clock = clock
        self._patience = patience
        self._every = every
        self._bell = idle or Bell(clock)
        self._new_key = NewKey(folder, connect)
        self._identity = identity
        self._wants_code = False

    def wake(self) -> None:
        """The server is there again, or may be: ask at once."""
        self._patience.wake()
        self._bell.ring()

    def operator_needed(self) -> None:
        """The server wants an operator's code before this device may go on: use it, if there is one."""
        self._wants_code = True
        self.wake()

    def run(self, stop: threading.Event) -> None:
        """Keep up until `stop`."""
        identity = self._identity or self._claim(stop)
        while identity is not None and not stop.is_set():
            self._identity = identity
            identity = self._keep_up(identity, stop)

    def _claim(self, stop: threading.Event) -> Identity | None:
        """Claim, for ever if need be; None when `stop` came first."""
        if not self._claimant.has_code:
            self._report.unclaimed()
            stop.wait()
            return None
        identity = self._patience.carry_out(self._claimant.claim, stop, self._failed)
        if identity is not None:
            self._listeners.on_claimed(identity)
        return identity

    def _keep_up(self, identity: Identity, stop: threading.Event) -> Identity | None:
        """Round after round as this device, until `stop` or until it has been claimed again."""
        with closing(ReplicaWriter(self._replica, self._clock.now)) as members, closing(self._open_reader()) as queue:
            shelf = Shelf(book=ProgrammeBook(self._folder, identity.programme_key), members=members, queue=queue)
            rounds = Rounds(identity, self._connect(identity), shelf, self._listeners, self._report, self._clock)
            rounds.begin()
            while not stop.is_set():
                again = self._patience.carry_out(lambda: self._go(rounds, identity, stop), stop, self._failed)
                if again is not None:
                    self._wants_code = False
                    self._listeners.on_claimed(again)
                    return again
                self._bell.wait(self._every, stop)
        return None

    def _go(self, rounds: Rounds, identity: Identity, stop: threading.Event) -> Identity | None:
        """One round; the new identity where the old one is worth nothing any more, and there is a code for another."""
        can_claim = self._claimant.has_code_after(identity)
        if self._wants_code and can_claim:
            return self._claimant.claim_again()
        try:
            if rounds.key_wanted or self._new_key.begun:
                return self._new_key.take(identity)
            rounds.go(stop)
        except NotAuthorised as refused:
            if refused.why not in _SHUT_OUT or not can_claim:
                raise
            return self._claimant.claim_again()
        return None

    def _failed(self, error: TillmateError) -> None:
        self._report.failed("feed", error)
