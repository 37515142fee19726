"""The thread that carries rows from queue.db to the server; what one step is stands in `delivery`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

from agent.clock import Clock
from agent.identity import Identity
from agent.sync.delivery import Delivery, Events, Rows, Writer
from agent.sync.report import Report
from agent.sync.retry import Bell, Patience

IDLE = 60.0
"""Seconds after which the drain looks by itself whether something waits."""


class Drain:
    """Delivers rows, oldest first, for ever. `identified`, `nudge` and `wake` may be called by any thread."""

    def __init__(
        self,
        *,
        writer: Writer,
        open_reader: Callable[[], Rows],
        connect: Callable[[Identity], Events],
        report: Report,
        clock: Clock,
        patience: Patience,
        identity: Identity | None = None,
    ) -> None:
        self._writer = writer
        self._open_reader = open_reader
        self._connect = connect
        self._report = report
        self._patience = patience
        self._bell = Bell(clock)
        self._identity = identity

    def identified(self, identity: Identity) -> None:
        """The device has been claimed: begin."""
        self._identity = identity
        self._bell.ring()

    def nudge(self) -> None:
        """There are new rows. Does not shorten a wait after a failure."""
        self._bell.ring()

    def wake(self) -> None:
        """The server is there again, or may be: try at once."""
        self._patience.wake()
        self._bell.ring()

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop`."""
        with closing(self._open_reader()) as rows:
            depth = rows.depth()
            self._report.counted(depth.pending, depth.rejected)
            while not stop.is_set() and self._identity is None:
                self._bell.wait(IDLE, stop)
            if self._identity is not None:
                self._deliver(Delivery(self._identity, self._connect(self._identity), rows, self._writer), stop)

    def _deliver(self, delivery: Delivery, stop: threading.Event) -> None:
        while not stop.is_set():
            more = self._patience.carry_out(
                lambda: self._attempt(delivery), stop, lambda error: self._report.failed("delivery", error)
            )
            if not more:
                self._bell.wait(IDLE, stop)

    def _attempt(self, delivery: Delivery) -> bool:
        before = delivery.halted
        more = delivery.step()
        if more:
            self._report.reached("delivery")
        elif delivery.halted and not before:
            self._report.halted(delivery.halted)
        return more
