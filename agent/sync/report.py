"""What the sync threads have to say to people: is there a connection, how many receipts wait, is anything wrong.

Two roads lead to the server, the members' feed and the delivery of rows; the network counts as well while both do. An
offline till is a normal till: the words say since when, and how many receipts wait. The log hears of the first failure
loudly, of its repetitions quietly and of the recovery once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from agent.clock import Clock
from agent.sync.errors import NotAuthorised, ServerBusy, ServerRejected, ServerUnreachable
from agent.views import Health, Part
from loyalty.errors import TillmateError
from offline_queue import Changed, QueueFull

log = logging.getLogger(__name__)

Road = Literal["feed", "delivery"]
Halt = Literal["fork", "restored", "broken_row"]

NAME = "server"
"""The name of our parts on the board."""


class Board(Protocol):
    """The part of agent.status that is used here."""

    def set(self, part: Part, name: str, state: Health, key: str, **params: str | int) -> None:
        """Put words on the board; the same again is quiet."""
        ...


@dataclass(frozen=True)
class _Trouble:
    error: TillmateError
    since: datetime


class Report:
    """Thread-safe: written by feed, drain and queue writer."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._lock = threading.RLock()
        self._troubles: dict[Road, _Trouble] = {}
        self._unclaimed = False
        self._met = False  # the server has answered once since the start
        self._halt: Halt | None = None
        self._pending = 0
        self._rejected = 0
        self._recovered: tuple[Callable[[], None], ...] = ()

    def when_recovered(self, wake: Callable[[], None]) -> None:
        """Call `wake` when a road leads to the server again, so that the other one need not sit out its wait."""
        self._recovered += (wake,)

    def queue_changed(self, changed: Changed) -> None:
        """Hear from the queue's writer where the queue stands."""
        self.counted(changed.pending, changed.rejected)

    def counted(self, pending: int, rejected: int) -> None:
        """So many rows wait, so many were rejected."""
        with self._lock:
            self._pending, self._rejected = pending, rejected
            self._show()

    def reached(self, road: Road) -> None:
        """The server has answered as it should."""
        with self._lock:
            trouble = self._troubles.pop(road, None)
            self._unclaimed = False
            self._met = True
            self._show()
        if trouble:
            seconds = int((self._clock.now() - trouble.since).total_seconds())
            log.info("sync recovered road=%s after=%ds", road, seconds)
            for wake in self._recovered:
                wake()

    def failed(self, road: Road, error: TillmateError) -> None:
        """An attempt came to nothing; it will be made again."""
        with self._lock:
            old = self._troubles.get(road)
            level = logging.DEBUG if old and old.error.code == error.code else logging.WARNING
            self._troubles[road] = _Trouble(error, old.since if old else self._clock.now())
            self._show()
        log.log(level, "sync failed road=%s code=%s error=%s", road, error.code, error)

    def unclaimed(self) -> None:
        """There is no identity, and no code to claim one with."""
        with self._lock:
            self._unclaimed = True
            self._show()

    def halted(self, halt: Halt) -> None:
        """Nothing is sent any more until a person has looked."""
        log.error("sync halted reason=%s", halt)
        with self._lock:
            self._halt = halt
            self._show()

    def programme(self, state: Health, key: str, **params: str | int) -> None:
        """How the loyalty programme is; `key` stands in [status.programme]."""
        self._board.set("programme", NAME, state, f"status.programme.{key}", **params)

    def _show(self) -> None:
        state, key, params = self._network()
        self._board.set("network", NAME, state, key, **params)
        state, key, params = self._queue()
        self._board.set("queue", NAME, state, f"status.queue.{key}", **params)

    def _network(self) -> tuple[Health, str, dict[str, str | int]]:
        if self._unclaimed:
            return "down", "status.network.unclaimed", {}
        if not self._troubles:
            return ("ok", "status.network.ok", {}) if self._met else ("warning", "status.network.connecting", {})
        trouble = min(self._troubles.values(), key=lambda each: each.since)
        state, key = _words(trouble.error)
        since = f"{trouble.since.astimezone():%H:%M}"
        return state, key, {**trouble.error.params, "since": since, "count": self._pending}

    def _queue(self) -> tuple[Health, str, dict[str, str | int]]:
        if self._halt:
            return "down", self._halt, {"count": self._pending}
        if any(isinstance(trouble.error, QueueFull) for trouble in self._troubles.values()):
            return "down", "disk_full", {}
        if self._rejected:
            return "warning", "rejected", {"count": self._rejected}
        if self._pending:
            return "ok", "waiting", {"count": self._pending}
        return "ok", "ok", {}


def _words(error: TillmateError) -> tuple[Health, str]:
    """State and key of the network part for a failed attempt; trouble of our own speaks for itself."""
    match error:
        case ServerUnreachable(reason="tls"):
            return "down", "status.network.tls"
        case ServerUnreachable():
            return "warning", "status.network.offline"
        case ServerBusy():
            return "warning", "status.network.busy"
        case NotAuthorised() | ServerRejected():
            return "down", "status.network.refused"
    return "down", error.key
