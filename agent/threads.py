"""The threads of the agent: each has a name, a stop event and one guard; groups of them end together, within a deadline.

The guard is the only place that catches everything. What nobody foresaw is logged and shown, and the thread's
`run(stop)` is called again after a moment; a damaged queue ends the thread instead, and with it the agent. The same
crash again is logged ever more rarely. A thread that hangs in a driver is left behind for a new one; one that does not
end in time is named. All are daemon threads, so none of them can keep the process alive.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.watch import GivenUp
from offline_queue import QueueDamaged

log = logging.getLogger(__name__)

Run = Callable[[threading.Event], None]
Told = Callable[[BaseException], None]

RESTART_AFTER = 1.0
MOST_LEFT_BEHIND = 3
"""A driver that hangs again and again must not eat up the machine: beyond this it is waited for."""


def _nothing(error: BaseException) -> None:
    """Nobody is to be told."""


def _never() -> bool:
    return False


@dataclass
class Worker:
    """One thread. `failed` is told of each exception, `ended` of one of the `fatal` kinds, after which it is not run again.

    `hangs` says whether the thread is lost in a driver; from a yes on it must come no further.
    """

    name: str
    run: Run
    failed: Told = _nothing
    ended: Told = _nothing
    fatal: tuple[type[Exception], ...] = (QueueDamaged,)
    hangs: Callable[[], bool] = _never
    restart_after: float = RESTART_AFTER
    restarts: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _left_behind: list[threading.Thread] = field(default_factory=list)
    _crash: str = ""

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._guard, args=(self.stop,), name=self.name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """It runs, or will be run again."""
        return self._thread is not None and self._thread.is_alive()

    def replace_if_hung(self) -> bool:
        """Leave a thread that hangs behind and start another one in its place. For the thread that also ends it."""
        self._left_behind = [each for each in self._left_behind if each.is_alive()]
        if self._thread is None or len(self._left_behind) >= MOST_LEFT_BEHIND or not self.hangs():
            return False
        self._left_behind.append(self._thread)
        log.error("thread=%s hangs left_behind=%d", self.name, len(self._left_behind))
        self.stop.set()
        self.stop = threading.Event()
        self.start()
        return True

    def join(self, timeout: float) -> bool:
        """Wait for the end. False: it hangs, or one that it has replaced still does."""
        if self._thread is not None:
            self._thread.join(max(timeout, 0.0))
        return not self.alive and not any(each.is_alive() for each in self._left_behind)

    def _guard(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.run(stop)
            except GivenUp:
                return
            except Exception as error:
                words, numbers = "thread=%s crashed=%s restarts=%d", (self.name, type(error).__name__, self.restarts)
                if self._is_new(error):
                    log.critical(words, *numbers, exc_info=True)
                else:
                    log.log(logging.ERROR if _is_rare(self.restarts) else logging.DEBUG, words, *numbers)
                self.failed(error)
                if isinstance(error, self.fatal):
                    self.ended(error)
                    return
            self.restarts += 1
            stop.wait(self.restart_after)

    def _is_new(self, error: Exception) -> bool:
        last, self._crash = self._crash, repr(error)
        return self._crash != last


def _is_rare(count: int) -> bool:
    """1, 2, 4, 8 ..."""
    return count & (count - 1) == 0


def end(workers: Iterable[Worker], clock: Clock, deadline: float) -> list[str]:
    """Tell all of them to stop, wait until `deadline` (monotonic), and return the names of those that hang."""
    workers = list(workers)
    for worker in workers:
        worker.stop.set()
    return [worker.name for worker in workers if not worker.join(deadline - clock.monotonic())]
