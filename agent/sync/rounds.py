"""One round of news for a claimed till: heartbeat, programme, members until complete.

The heartbeat comes first, because it tells a till that was restored, or copied, before it sells on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from agent import __version__
from agent.clock import Clock
from agent.identity import Identity
from agent.sync.errors import Gone, ServerBusy, ServerUnreachable
from agent.sync.programme import OldRevision, ProgrammeBook
from agent.sync.report import Report
from loyalty.jws import BadSignature
from loyalty.programme import Programme, ProgrammeError
from loyalty.wire import ChangesPage, Heartbeat, HeartbeatReply, KeyReply, Programmes
from offline_queue import Depth, ReplicaWriter

log = logging.getLogger(__name__)

HEARTBEAT = timedelta(seconds=60)


class Server(Protocol):
    """The server, as far as a till asks it for news."""

    def programmes(self, known: str) -> tuple[Programmes, str] | None:
        """What is in force, with its ETag."""
        ...

    def changes(self, since: str | None, epoch: str = "") -> ChangesPage:
        """The next page of members, with what it has counted in of this epoch."""
        ...

    def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        """Say how this device is."""
        ...

    def change_key(self, key: bytes) -> KeyReply:
        """Go on with this private key."""
        ...


class Depths(Protocol):
    """The queue, read-only."""

    def depth(self) -> Depth:
        """Where the queue stands."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


@dataclass(frozen=True)
class Listeners:
    """Whom the feed tells, in its own thread, and whom it asks."""

    on_claimed: Callable[[Identity], None]
    on_programme: Callable[[Programme], None]
    on_members: Callable[[], None]
    on_heartbeat: Callable[[Heartbeat, HeartbeatReply], None]
    health: Callable[[], Mapping[str, str]]
    """For the heartbeat: device name -> state word."""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """What a round works with on this side."""

    book: ProgrammeBook
    members: ReplicaWriter
    queue: Depths


class Rounds:
    """Asks for news, one round at a time."""

    def __init__(
        self, identity: Identity, server: Server, shelf: Shelf, listeners: Listeners, report: Report, clock: Clock
    ) -> None:
        self._identity = identity
        self._server = server
        self._shelf = shelf
        self._listeners = listeners
        self._report = report
        self._clock = clock
        self._told: Programme | None = None
        self._etag = ""
        self._last_heartbeat: datetime | None = None
        self.key_wanted = False
        """Whether the server has asked for another device key with its last heartbeat."""

    def begin(self) -> None:
        """Start with what is kept here, connection or not."""
        self._shelf.book.open()
        if not self._announce():
            self._report.programme("warning", "missing")

    def go(self, stop: threading.Event) -> None:
        """One round. Raises what the server has against it."""
        self._announce()
        self._heartbeat()
        self._programme()
        self._members(stop)
        self._report.reached("feed")

    def _announce(self) -> bool:
        """Tell of the programme in force when it is another one; whether there is one."""
        programme = self._shelf.book.in_force(self._clock.now())
        if programme is not None and programme is not self._told:
            self._told = programme
            log.info("programme revision=%d", programme.header.revision)
            self._report.programme("ok", "ok", revision=programme.header.revision)
            self._listeners.on_programme(programme)
        return programme is not None

    def _programme(self) -> None:
        try:
            fresh = self._server.programmes(self._etag)
        except ServerBusy as busy:
            if busy.why != "no_programme":
                raise
            return  # a server that is being set up; members may be there already
        if fresh is None:
            return
        programmes, etag = fresh
        try:
            self._shelf.book.take(programmes)
        except (BadSignature, ProgrammeError, OldRevision) as error:
            log.warning("programme refused code=%s error=%s", error.code, error)
            self._report.programme("warning", "refused", why=error.code)
        else:
            self._announce()
        self._etag = etag  # one that the disk did not take is asked for again

    def _members(self, stop: threading.Event) -> None:
        while not stop.is_set():
            cursor = self._shelf.members.age.cursor
            try:
                page = self._server.changes(cursor, self._shelf.queue.depth().epoch or "")
            except Gone as error:
                if cursor is None:
                    raise ServerUnreachable("a first page is gone", "reply") from error
                log.warning("replica refill")
                self._shelf.members.reset()
                continue
            if not page.complete and page.next == cursor:
                raise ServerUnreachable("a page that leads back to itself", "reply")
            self._shelf.members.apply(page)
            self._listeners.on_members()
            if page.complete:
                return

    def _heartbeat(self) -> None:
        now = self._clock.now()
        if self._last_heartbeat is not None and timedelta() <= now - self._last_heartbeat < HEARTBEAT:
            return
        depth = self._shelf.queue.depth()
        beat = Heartbeat(
            epoch=depth.epoch or self._identity.epoch,
            last_seq=depth.last_seq,
            last_hash=depth.last_hash.hex(),
            pending=depth.pending,
            oldest_pending_at=depth.oldest_at,
            version=__version__,
            programme_revision=self._told.header.revision if self._told else None,
            devices=dict(self._listeners.health()),
            at=now,
            opened=depth.opened,
            instance=depth.instance,
            settled_hash=(depth.settled_hash or b"").hex(),
        )
        reply = self._server.heartbeat(beat)
        self._last_heartbeat = now
        self._listeners.on_heartbeat(beat, reply)
        self.key_wanted = "rotate_key" in reply.commands
        if "fetch_programme" in reply.commands:
            self._etag = ""
