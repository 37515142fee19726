"""Is this agent well? Asked by /healthz, and by the watchdog before each beat to systemd.

Only till, queue and HTTP count: a printer or a scanner that hangs is shown, but is no reason to restart a till.
"""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from typing import Protocol

from agent.clock import Clock
from agent.service import notify
from agent.threads import Worker
from loyalty.errors import TillmateError
from offline_queue.outcome import Outcome
from offline_queue.transaction import Transaction

log = logging.getLogger(__name__)

BEAT_WITHIN = 10.0
_ANSWER_WITHIN = 5.0


class Beating(Protocol):
    """A till."""

    @property
    def beat(self) -> float:
        """When it was last seen alive."""
        ...


@dataclass(frozen=True)
class Ping:
    """An operation that does nothing, to see whether the queue's writer works."""

    def apply(self, transaction: Transaction) -> None:
        """Never refused."""


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: Ping, /) -> Outcome[None]:
        """Carry it out. Raises a TillmateError where it cannot even be taken."""
        ...


class Health:
    """Thread-safe."""

    def __init__(self, tills: Mapping[str, Beating], vital: Sequence[Worker], writer: Writer, clock: Clock) -> None:
        self._tills = tills
        self._vital = vital
        self._writer = writer
        self._clock = clock

    def failing(self) -> list[str]:
        """Names of what does not work; empty = well. Never waits."""
        late = self._clock.monotonic() - BEAT_WITHIN
        dead = [worker.name for worker in self._vital if not worker.alive]
        return dead + [f"till-{name}" for name, till in self._tills.items() if till.beat < late]

    def queue_answers(self) -> bool:
        """Whether the writer carries out an operation in time."""
        try:
            self._writer.submit(Ping()).result(_ANSWER_WITHIN)
        except (TillmateError, NotInTime):
            return False
        return True


def http_answers(port: int, path: str, timeout: float = _ANSWER_WITHIN) -> bool:
    """Whether the local API answers 200 there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Watchdog:
    """Tells systemd that all is well, three times in the time that it grants, and says nothing when it is not."""

    def __init__(self, health: Health, port: int, every: float, tell: Callable[[str], object] = notify) -> None:
        self._tell = tell
        self._health = health
        self._port = port
        self._every = every / 3

    def run(self, stop: threading.Event) -> None:
        """Beat until `stop`."""
        while not stop.wait(self._every):
            if self._health.queue_answers() and http_answers(self._port, "/healthz"):
                self._tell("WATCHDOG=1")
            else:
                log.error("watchdog withheld failing=%s", ",".join(self._health.failing()) or "queue or http")
