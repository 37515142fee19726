"""How a queue that cannot go on as it was goes on under a new epoch.

The queue begins the new epoch by itself and at once (`NewEpoch`), so that the till sells on; before any row of it is
sent, the server agrees to it. Where it says no (another queue of this device is at work), it needs an operator; the rows
wait.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Final, Protocol

from agent.identity import Identity
from agent.sync.errors import EpochTaken, ServerRejected, ServerUnreachable
from agent.sync.queue_access import Rows, Writer, carried_out
from loyalty.wire import EpochReply, EpochRequest
from offline_queue import Depth, EpochAgreed, NewEpoch
from offline_queue.epochs import Reason

log = logging.getLogger(__name__)


PAUSE: Final = 15
"""Heartbeats that are answered, one a minute, between two new epochs of which the first has brought nothing forward."""


class Epochs(Protocol):
    """The server, as far as epochs go."""

    def open_epoch(self, wish: EpochRequest) -> EpochReply:
        """Let the queue go on under a new epoch."""
        ...


class Turn:
    """For one thread. `machine` is the machine that we run on; "" = the one of the claim."""

    def __init__(
        self,
        identity: Identity,
        server: Epochs,
        rows: Rows,
        writer: Writer,
        *,
        machine: str = "",
        agreed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._identity = identity
        self._server = server
        self._rows = rows
        self._writer = writer
        self._machine = machine or identity.machine
        self._agreed = agreed
        self._instead: str | None = None
        self._pause = 0

    def begin(self, reason: Reason, refused: ServerRejected | None = None) -> None:
        """Begin a new epoch. Raises for a while when the last one has brought nothing forward either.

        A server that will have none of them would be asked for ever more; but since it agreed to the last one it may have
        been put back, or a copy of this queue may have begun another.
        """
        if self._pause:
            raise refused or ServerUnreachable(f"a new epoch did not help against {reason}", "reply")
        self._pause = PAUSE
        epoch = carried_out(self._writer, NewEpoch(reason))
        log.error("epoch begun reason=%s epoch=%s", reason, epoch)

    def progress(self) -> None:
        """Rows have been settled."""
        self._pause = 0

    def heard(self) -> None:
        """The server has answered a heartbeat."""
        self._pause = max(self._pause - 1, 0)

    def agree(self, depth: Depth) -> None:
        """Let the server agree to the epoch that the queue has begun. Raises what the server has against it."""
        handover = self._rows.handover()
        if handover is None:
            return
        wish = EpochRequest(
            epoch=self._instead or handover.epoch,
            old_epoch=handover.old_epoch,
            last_seq=handover.last_seq or 0,
            last_hash=handover.last_hash.hex() if handover.last_hash else "",
            reason=handover.reason,
            machine=self._machine,
            instance=depth.instance,
        )
        try:
            reply = self._ask(wish)
        except EpochTaken:
            if self._instead is not None:
                raise
            self._instead = uuid.uuid4().hex  # a copy of this queue has used our name
            return
        log.warning("epoch agreed reason=%s epoch=%s", wish.reason, reply.epoch)
        if self._instead is None:
            self._agreed(reply.epoch)  # the queue knows this name already, so whichever comes first may be the last
        carried_out(self._writer, EpochAgreed(reply.epoch))
        if self._instead is not None:
            self._agreed(reply.epoch)
        self._instead = None

    def _ask(self, wish: EpochRequest) -> EpochReply:
        reply = self._server.open_epoch(wish)
        if reply.device != self._identity.device or reply.epoch != wish.epoch:
            raise ServerUnreachable("a reply that does not answer this wish", "reply")
        return reply
