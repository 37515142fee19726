"""The threads of the agent: each has a name, a stop event and one guard; groups of them end together, within a deadline.

The guard is the only place that catches everything. What nobody foresaw is logged with its traceback and shown, and the
thread's `run(stop)` is called again after a moment. A thread that does not end in time is named and left behind: all
are daemon threads, so a hung driver cannot keep the process alive.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.clock import Clock

log = logging.getLogger(__name__)

Run = Callable[[threading.Event], None]

RESTART_AFTER = 1.0


def _nothing(error: BaseException) -> None:
    """Nobody is to be told."""


@dataclass
class Worker:
    """One thread. `failed` is told of each exception; with `fatal` the thread is not run again after one."""

    name: str
    run: Run
    failed: Callable[[BaseException], None] = _nothing
    fatal: bool = False
    restarts: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._guard, name=self.name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """It runs, or will be run again."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout: float) -> bool:
        """Wait for the end. False: it hangs."""
        if self._thread is not None:
            self._thread.join(max(timeout, 0.0))
        return not self.alive

    def _guard(self) -> None:
        while not self.stop.is_set():
            try:
                self.run(self.stop)
            except Exception as error:
                log.critical(
                    "thread=%s crashed=%s restarts=%d", self.name, type(error).__name__, self.restarts, exc_info=True
                )
                self.failed(error)
                if self.fatal:
                    return
            self.restarts += 1
            self.stop.wait(RESTART_AFTER)


def end(workers: Iterable[Worker], clock: Clock, deadline: float) -> list[str]:
    """Tell all of them to stop, wait until `deadline` (monotonic), and return the names of those that hang."""
    workers = list(workers)
    for worker in workers:
        worker.stop.set()
    return [worker.name for worker in workers if not worker.join(deadline - clock.monotonic())]
