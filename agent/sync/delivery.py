"""One step of the delivery: read rows, send them, judge the reply, settle what is done.

A row is done only up to the watermark of a well-formed reply for this device and epoch that has a verdict for every row
up to there. Whatever else comes back leaves everything as it was, and the same rows go out again; the server tells them
from new ones by their number and hash. Where the delivery stands is kept in memory only: the file's watermark and the
server know it anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from agent.identity import Identity
from agent.sync.errors import Fork, Gap, ServerUnreachable, TooLarge
from agent.sync.report import Halt
from loyalty.wire import MAX_BATCH, EventBatch, EventReply
from offline_queue import Depth, QueueFull, SettleRows, StoredRow, first_broken
from offline_queue.transaction import Operation

ResultT = TypeVar("ResultT")

PATIENCE_WITH_DISK = 30.0
"""Seconds for the queue's writer to note an answer."""
MOST_GAPS = 3
"""Answers of `gap` without any progress between them, before the server is given a pause."""


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: Operation[ResultT], /) -> Future[ResultT]:
        """Carry it out."""
        ...


class Rows(Protocol):
    """The queue, read-only."""

    def depth(self) -> Depth:
        """Where the queue stands."""
        ...

    def rows(self, first: int, limit: int) -> list[StoredRow]:
        """Rows in order from seq `first` on."""
        ...

    def hash_before(self, seq: int) -> bytes:
        """What that row must follow."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class Events(Protocol):
    """The server, as far as rows go."""

    def events(self, batch: EventBatch) -> EventReply:
        """Deliver rows."""
        ...


class Delivery:
    """The delivery of one epoch's rows."""

    def __init__(self, identity: Identity, server: Events, rows: Rows, writer: Writer) -> None:
        self._identity = identity
        self._server = server
        self._rows = rows
        self._writer = writer
        self._next = rows.depth().watermark + 1
        self._furthest = 0
        self._size = MAX_BATCH
        self._gaps = 0
        self.halted: Halt | None = None
        """Set when nothing may be sent any more until a person has looked."""

    def step(self) -> bool:
        """Send at most one batch; tell whether to go on at once. Raises what the server, or the queue, has against it."""
        batch = self._rows.rows(self._next, self._size)
        if not batch or self.halted:
            return False
        if first_broken(batch, self._identity.epoch, self._rows.hash_before(self._next)):
            self.halted = "broken_row"
            return False
        try:
            reply = self._server.events(EventBatch(self._identity.epoch, tuple(row.to_wire() for row in batch)))
        except Fork:
            self.halted = "fork"
            return False
        except Gap as gap:
            self._go_back(gap.expect)
            return True
        except TooLarge:
            if len(batch) == 1:
                raise
            self._size = len(batch) // 2
            return True
        return self._settle(batch, reply)

    def _go_back(self, expect: int) -> None:
        """The server was restored from a backup, or never got an earlier batch: send again from there."""
        self._gaps += 1
        if not 1 <= expect < self._next or self._gaps > MOST_GAPS:
            self._gaps = 0  # after a pause it may speak of gaps again
            raise ServerUnreachable(f"gap with expect={expect} for a batch from {self._next} on", "reply")
        self._next = expect

    def _settle(self, batch: Sequence[StoredRow], reply: EventReply) -> bool:
        if reply.device == self._identity.device and reply.epoch == self._identity.epoch:
            if reply.watermark > self._rows.depth().last_seq:
                self.halted = "restored"
                return False
            if self._covers(batch, reply):
                self._done(min(reply.watermark, batch[-1].seq), reply)
                return True
        raise ServerUnreachable("a reply that does not answer these rows", "reply")

    def _covers(self, batch: Sequence[StoredRow], reply: EventReply) -> bool:
        """Whether the reply books at least one row and has one verdict for each row up to its watermark."""
        last = min(reply.watermark, batch[-1].seq)
        judged = [verdict.seq for verdict in reply.verdicts if verdict.seq <= last]
        return last >= batch[0].seq and judged == list(range(batch[0].seq, last + 1))

    def _done(self, last: int, reply: EventReply) -> None:
        verdicts = tuple(verdict for verdict in reply.verdicts if verdict.seq <= last)
        noted = self._writer.submit(SettleRows(self._identity.epoch, last, verdicts))
        try:
            noted.result(PATIENCE_WITH_DISK)
        except TimeoutError as error:
            raise QueueFull("the disk is too slow to note the server's answer") from error
        self._next = last + 1
        self._size = min(MAX_BATCH, self._size * 2)
        if last > self._furthest:
            self._furthest, self._gaps = last, 0
