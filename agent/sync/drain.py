"""The thread that carries rows from queue.db to the server; what one step is stands in `delivery`.

How often it has failed and when it tries again is kept in the queue file, so that a till that is restarted again and
again does not hammer a server that is down. After an outage of more than ten minutes the first delivery waits a share
of a minute that each device has for itself (the server may ask for more), so that a fleet does not come back at once.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta

from agent.clock import Clock
from agent.identity import Identity
from agent.sync.delivery import Delivery, Server
from agent.sync.errors import NotAuthorised
from agent.sync.queue_access import Rows, Writer
from agent.sync.report import Report
from agent.sync.retry import Bell, Patience, Series, Waits
from agent.sync.turn import Turn
from loyalty.errors import TillmateError
from loyalty.wire import Heartbeat, HeartbeatReply
from offline_queue import NewEpoch, NoteAttempt, QueueUnclaimed

log = logging.getLogger(__name__)

IDLE = 60.0
"""Seconds after which the drain looks by itself whether something waits."""
OUTAGE = timedelta(minutes=10)
"""After so long without a connection tills must not come back all at once."""
_NOTE_EVERY = 600.0


class Drain:
    """Delivers rows, oldest first, for ever. Everything but `run` may be called by any thread."""

    def __init__(
        self,
        *,
        writer: Writer,
        open_reader: Callable[[], Rows],
        connect: Callable[[Identity], Server],
        report: Report,
        clock: Clock,
        patience: Patience,
        identity: Identity | None = None,
        machine: str = "",
        agreed: Callable[[str], None] = lambda _: None,
        operator_needed: Callable[[], None] = lambda: None,
        idle: Waits | None = None,
        pause: Waits | None = None,
    ) -> None:
        self._writer = writer
        self._open_reader = open_reader
        self._connect = connect
        self._report = report
        self._clock = clock
        self._patience = patience
        self._bell = idle or Bell(clock)
        self._pause = pause or Bell(clock)
        self._machine = machine
        self._agreed = agreed
        self._operator_needed = operator_needed
        self._lock = threading.Lock()
        self._identity = identity
        self._spread = 60.0
        self._storm = False
        self._heard: tuple[Heartbeat, HeartbeatReply] | None = None
        self._noted = float("-inf")

    def identified(self, identity: Identity) -> None:
        """The device has been claimed, perhaps anew: begin."""
        self._identity = identity
        self.wake()

    def nudge(self) -> None:
        """There are new rows. Does not shorten a wait after a failure."""
        self._bell.ring()

    def wake(self) -> None:
        """The server may be there again: try at once."""
        self._patience.wake()
        self._bell.ring()

    def try_now(self) -> None:
        """A person wants it: whatever there is to wait for."""
        self._storm = False
        self._pause.ring()
        self.wake()

    def recovered(self, outage: timedelta) -> None:
        """The server is there again, after so long."""
        self._storm = self._storm or outage > OUTAGE
        self.wake()

    def heard(self, beat: Heartbeat, reply: HeartbeatReply) -> None:
        """The server has answered a heartbeat."""
        with self._lock:
            self._heard = (beat, reply)
        self._spread = float(max(reply.spread, 0))
        self._bell.ring()

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop`."""
        with closing(self._open_reader()) as rows:
            depth = rows.depth()
            self._report.counted(depth.pending, depth.rejected)
            while not stop.is_set() and self._identity is None:
                self._bell.wait(IDLE, stop)
            self._move_in()
            self._resume(rows, stop)
            while not stop.is_set() and self._identity is not None:
                self._deliver(self._identity, rows, stop)

    def _move_in(self) -> None:
        """On another machine than the one of the claim this is a copy: what is sold here must not look like its rows."""
        if self._identity and self._machine and self._machine != self._identity.machine:
            log.error("queue moved device=%s", self._identity.device)
            with suppress(QueueUnclaimed):
                self._writer.submit(NewEpoch("moved")).result()

    def _resume(self, rows: Rows, stop: threading.Event) -> None:
        """Begin where the last run stood: a wait that was cut, or an outage that lasts."""
        depth, past = rows.depth(), rows.delivery()
        now = self._clock.now()
        if past is not None:
            left = (past.next_attempt - now).total_seconds()
            waited = max((now - past.since).total_seconds(), 0.0)
            self._patience.resume(Series(past.attempts, waited, max(left, 0.0)), stop)
        elif depth.pending and depth.oldest_at is not None and now - depth.oldest_at > OUTAGE:
            self._storm = True

    def _deliver(self, identity: Identity, rows: Rows, stop: threading.Event) -> None:
        """Deliver as this device, until `stop` or until it is another one."""
        server = self._connect(identity)
        turn = Turn(identity, server, rows, self._writer, machine=self._machine, agreed=self._agreed)
        delivery = Delivery(identity, server, rows, self._writer, turn)
        while not stop.is_set() and identity is self._identity:
            more = self._patience.carry_out(lambda: self._attempt(delivery, identity, stop), stop, self._failed)
            if not more:
                self._bell.wait(IDLE, stop)

    def _attempt(self, delivery: Delivery, identity: Identity, stop: threading.Event) -> bool:
        if identity is not self._identity:
            return True  # as another device from now on
        if self._storm:
            self._storm = False
            self._pause.wait(self._spread * share_of(identity.device), stop)
        with self._lock:
            heard, self._heard = self._heard, None
        if heard is not None:
            delivery.judge(*heard)
        before = delivery.sent
        more = delivery.step()
        if more:
            self._report.reached("delivery")
            self._report.sent(delivery.sent - before)
        return more

    def _failed(self, error: TillmateError) -> None:
        self._report.failed("delivery", error)
        if isinstance(error, NotAuthorised) and error.why == "epoch_code":
            self._operator_needed()
        series, now = self._patience.series, self._clock.monotonic()
        if series.attempts > 1 and now - self._noted < _NOTE_EVERY:
            return
        self._noted = now
        with suppress(TillmateError, OverflowError):  # nothing depends on it
            again = self._clock.now() + timedelta(seconds=series.wait)
            self._writer.submit(NoteAttempt(series.attempts, again, error.code))


def share_of(device: str) -> float:
    """A number from 0 to 1 that is this device's own, evenly spread over all of them."""
    return int.from_bytes(hashlib.sha256(device.encode()).digest()[:4]) / 0xFFFFFFFF
