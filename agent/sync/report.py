"""What the sync threads have to say to people: is there a connection, how many receipts wait, is anything wrong.

Two roads lead to the server, the members' feed and the delivery of rows; the network counts as well while both do. An
offline till is a normal till: the words say since when, and how many receipts wait, and while a large backlog goes out,
how much of it has. The log hears of the first failure loudly, of its repetitions quietly and of the recovery once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from agent.clock import Clock
from agent.sync.errors import NotAuthorised, ServerBusy, ServerRejected, ServerUnreachable
from agent.views import Health, Part
from loyalty.errors import TillmateError
from offline_queue import Changed, QueueFull

log = logging.getLogger(__name__)

Road = Literal["feed", "delivery"]

LARGE = 1000
"""Receipts; a backlog from this size on is shown while it goes out."""
_SHOW_EVERY = 1.0
_LOG_EVERY = 10.0
_OLD = timedelta(hours=20)

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
    began: float  # monotonic: the wall clock may leap while nobody corrects it


class Report:
    """Thread-safe: written by feed, drain and queue writer."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._lock = threading.RLock()
        self._troubles: dict[Road, _Trouble] = {}
        self._unclaimed = False
        self._met = False  # the server has answered once since the start
        self._pending = 0
        self._rejected = 0
        self._sent = 0  # of the present backlog
        self._progress: tuple[int, int] | None = None  # what is shown of it
        self._shown = self._logged = clock.monotonic()
        self._recovered: tuple[Callable[[timedelta], None], ...] = ()

    def when_recovered(self, wake: Callable[[timedelta], None]) -> None:
        """Call `wake` when a road leads to the server again, so that the other one need not sit out its wait."""
        self._recovered += (wake,)

    def queue_changed(self, changed: Changed) -> None:
        """Hear from the queue's writer where the queue stands."""
        self.counted(changed.pending, changed.rejected)

    def counted(self, pending: int, rejected: int) -> None:
        """So many rows wait, so many were rejected."""
        with self._lock:
            self._pending, self._rejected = pending, rejected
            self._count_up(0)
            self._show()

    def sent(self, rows: int) -> None:
        """So many more rows are settled."""
        with self._lock:
            self._count_up(rows)
            self._show()

    def _count_up(self, rows: int) -> None:
        now = self._clock.monotonic()
        self._sent = self._sent + rows if self._pending else 0
        total = self._sent + self._pending
        if not self._sent or total < LARGE:
            self._progress = None
        elif self._progress is None or now - self._shown >= _SHOW_EVERY:
            self._progress, self._shown = (self._sent, total), now
            if now - self._logged >= _LOG_EVERY:
                self._logged = now
                log.info("delivering sent=%d of=%d", self._sent, total)

    def reached(self, road: Road) -> None:
        """The server has answered as it should."""
        with self._lock:
            trouble = self._troubles.pop(road, None)
            self._unclaimed = False
            self._met = True
            self._show()
        if trouble:
            outage = timedelta(seconds=self._clock.monotonic() - trouble.began)
            log.info("sync recovered road=%s after=%ds", road, outage.total_seconds())
            for wake in self._recovered:
                wake(outage)

    def failed(self, road: Road, error: TillmateError) -> None:
        """An attempt came to nothing; it will be made again."""
        with self._lock:
            old = self._troubles.get(road)
            level = logging.DEBUG if old and old.error.code == error.code else logging.WARNING
            since, began = (old.since, old.began) if old else (self._clock.now(), self._clock.monotonic())
            self._troubles[road] = _Trouble(error, since, began)
            self._show()
        log.log(level, "sync failed road=%s code=%s error=%s", road, error.code, error)

    def unclaimed(self) -> None:
        """There is no identity, and no code to claim one with."""
        with self._lock:
            self._unclaimed = True
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
        since = self._moment(trouble)
        return state, key, {**trouble.error.params, "since": since, "count": self._pending}

    def _queue(self) -> tuple[Health, str, dict[str, str | int]]:
        if any(isinstance(trouble.error, QueueFull) for trouble in self._troubles.values()):
            return "down", "disk_full", {}
        if self._rejected:
            return "warning", "rejected", {"count": self._rejected}
        if self._progress and "delivery" not in self._troubles:
            done, total = self._progress
            return "ok", "sending", {"done": _grouped(done), "total": _grouped(total)}
        if self._pending:
            return "ok", "waiting", {"count": self._pending}
        return "ok", "ok", {}

    def _moment(self, trouble: _Trouble) -> str:
        outage = timedelta(seconds=self._clock.monotonic() - trouble.began)
        return f"{trouble.since.astimezone():{'%H:%M' if outage < _OLD else '%d.%m. %H:%M'}}"


def _grouped(number: int) -> str:
    """1 200 in every language."""
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def _words(error: TillmateError) -> tuple[Health, str]:
    """State and key of the network part for a failed attempt; trouble of our own speaks for itself."""
    match error:
        case ServerUnreachable(reason="tls" | "tls_time"):
            return "down", f"status.network.{error.reason}"
        case ServerUnreachable():
            return "warning", "status.network.offline"
        case ServerBusy():
            return "warning", "status.network.busy"
        case NotAuthorised(why="device_revoked"):
            return "down", "status.network.revoked"
        case NotAuthorised(why="epoch_code"):
            return "down", "status.network.copied"
        case NotAuthorised() | ServerRejected():
            return "down", "status.network.refused"
    return "down", error.key
