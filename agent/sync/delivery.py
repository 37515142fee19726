"""One step of the delivery: read rows, send them, judge the reply, settle what is done.

A row is done only up to the watermark of a well-formed reply for this device and epoch that has a verdict for every row
up to there. Whatever else comes back leaves everything as it was, and the very same batch goes out again; the server tells
its rows from new ones by their number and hash.

What the server says            what follows
gap                    send from the row that it waits for; what is kept no longer begins a new epoch
fork, or more booked   a new epoch for what is not delivered (see `agent.sync.turn`)
epoch unknown          the server has lost it with a backup that was put back: a new epoch for all that is kept
too large              half as much from now on
the batch refused      halve it until the row that is meant stands alone; that one is put aside, and travels without its
                       content, so that its neighbours need not wait for a person
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from agent.identity import Identity
from agent.sync.batches import Batches
from agent.sync.errors import EpochUnknown, Fork, Gap, ServerRejected, ServerUnreachable, TooLarge
from agent.sync.queue_access import Rows, Writer, carried_out
from agent.sync.turn import Epochs, Turn
from loyalty.wire import EventBatch, EventReply, Heartbeat, HeartbeatReply
from offline_queue import Depth, MarkDamaged, Quarantine, SettleRows, StoredRow

log = logging.getLogger(__name__)

MOST_GAPS = 3
"""Answers of `gap` without any progress between them, before the server is given a pause."""
_REFUSALS = (400, 413, 422)


class Server(Epochs, Protocol):
    """The server, as far as rows go."""

    def events(self, batch: EventBatch) -> EventReply:
        """Deliver rows."""


class Delivery:
    """The delivery of a queue's rows, epoch by epoch. For one thread."""

    def __init__(
        self, identity: Identity, server: Server, rows: Rows, writer: Writer, turn: Turn | None = None
    ) -> None:
        self._identity = identity
        self._server = server
        self._rows = rows
        self._writer = writer
        self._turn = turn or Turn(identity, server, rows, writer)
        self._epoch = ""
        self._batches = Batches(rows, 1)
        self._furthest = 0
        self._gaps = 0
        self._damage: set[tuple[str, int]] = set()
        self.sent = 0
        """Rows that have been settled by this object."""

    def step(self) -> bool:
        """Send at most one batch; tell whether to go on at once. Raises what the server, or the queue, has against it."""
        depth = self._rows.depth()
        if not depth.agreed:
            self._turn.agree(depth)
            return True
        self._enter(depth)
        batch = self._batches.next()
        if batch is None:
            if depth.pending:
                self._turn.begin("damaged")  # a number that no row has: what stands behind it goes on elsewhere
            return depth.pending > 0
        self._note_damage(batch)
        try:
            reply = self._server.events(
                EventBatch(self._epoch, tuple(row.to_wire() for row in batch), _after(depth, batch))
            )
        except ServerRejected as refused:
            self._refused(batch, refused)
            return True
        return self._settle(batch, reply)

    def judge(self, beat: Heartbeat, reply: HeartbeatReply) -> None:
        """Compare what the server has booked, as it said to a heartbeat, with what we have. Raises as `step` does."""
        self._turn.heard()
        depth = self._rows.depth()
        if not depth.agreed or depth.epoch != beat.epoch:
            return
        self._enter(depth)
        if reply.watermark is None:
            if "open_epoch" in reply.commands:
                self._turn.begin("pruned")
            return
        settled = beat.last_seq - beat.pending  # not what is settled by now: more may have gone since
        strange = reply.diverged or reply.watermark > depth.last_seq or self._is_other(reply)
        if "open_epoch" in reply.commands or strange:
            self._turn.begin("pruned" if reply.diverged or reply.watermark < settled else "restored")
        elif reply.watermark < settled:
            self._batches.begin(reply.watermark + 1)

    def _is_other(self, reply: HeartbeatReply) -> bool:
        """Whether the last row that is booked is another one than ours of that number."""
        mine = self._rows.rows(reply.watermark or 0, 1) if reply.watermark and reply.last_hash else []
        return bool(mine) and mine[0].seq == reply.watermark and mine[0].hash.hex() != reply.last_hash

    def _enter(self, depth: Depth) -> None:
        """The epoch may be another one since the last step."""
        if depth.epoch != self._epoch:
            self._epoch = depth.epoch or ""
            self._batches.begin(depth.watermark + 1)
            self._furthest, self._gaps = depth.watermark, 0

    def _note_damage(self, batch: Sequence[StoredRow]) -> None:
        for row in batch:
            if row.kind == "damaged" and (self._epoch, row.seq) not in self._damage:
                self._damage.add((self._epoch, row.seq))
                if carried_out(self._writer, MarkDamaged(row.seq, "delivery")):
                    log.error("row damaged seq=%d", row.seq)

    def _refused(self, batch: Sequence[StoredRow], refused: ServerRejected) -> None:
        match refused:
            case Gap():
                self._go_back(refused.expect)
            case Fork():
                lacks = refused.expect is not None and refused.expect <= self._rows.depth().watermark
                self._turn.begin("pruned" if lacks else "fork", refused)
            case EpochUnknown():
                self._turn.begin("pruned", refused)
            case _ if refused.problem.status in _REFUSALS and self._batches.halve(
                too_large=isinstance(refused, TooLarge)
            ):
                log.warning("batch refused code=%s rows=%d", refused.problem.code, len(batch))
            case _ if refused.problem.status in _REFUSALS and self._batches.may_be_given_up(refused):
                log.error("row refused seq=%d code=%s", batch[0].seq, refused.problem.code)
                carried_out(self._writer, Quarantine(batch[0].seq, refused.problem))
                self._batches.begin(batch[0].seq)
            case _:
                raise refused

    def _go_back(self, expect: int) -> None:
        """The server was restored from a backup, or never got an earlier batch: send again from there."""
        self._gaps += 1
        if not 1 <= expect < self._batches.first or self._gaps > MOST_GAPS:
            self._gaps = 0  # after a pause it may speak of gaps again
            raise ServerUnreachable(f"gap with expect={expect} for a batch from {self._batches.first} on", "reply")
        self._batches.begin(expect)
        if self._batches.next() is None:
            self._turn.begin("pruned")

    def _settle(self, batch: Sequence[StoredRow], reply: EventReply) -> bool:
        if reply.device == self._identity.device and reply.epoch == self._epoch:
            if reply.watermark > self._rows.depth().last_seq:
                self._turn.begin("restored")
                return True
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
        carried_out(self._writer, SettleRows(self._epoch, last, verdicts))
        self._batches.delivered(last)
        if last > self._furthest:
            self.sent += last - self._furthest
            self._furthest, self._gaps = last, 0
            self._turn.progress()


def _after(depth: Depth, batch: Sequence[StoredRow]) -> str:
    """The settled row before the batch, by its hash: a server that was put back may have another one there."""
    follows = batch[0].seq == depth.watermark + 1
    return depth.settled_hash.hex() if follows and depth.settled_hash else ""
