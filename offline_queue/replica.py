"""members.db: this store's regulars, as the central server last told them. The reading side.

    Replica          the file's name, and the one lock under which it may be exchanged
    ReplicaReader    owned by a till: finds a member by card
    ReplicaWriter    owned by the sync thread, in `replica_writer`: applies the feed, refills, sets a damaged file aside

The file may be lost at any time, so it is fetched again rather than repaired. A refill goes into a fresh file beside it,
which takes its place when it is complete; until then the old one answers. A reader opens the file for each look-up
(some 0.2 ms), so that nobody holds a file that is being exchanged.

What the till shows is the member's state plus its own sales behind `Found.counted_in`: each member carries what his page
had counted in, and a complete answer vouches for all members at once.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from loyalty.codes import ident
from loyalty.quote import MemberState
from loyalty.wire import Included
from offline_queue import store
from offline_queue.errors import QueueDamaged

log = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")

_FIND = """
SELECT member, greeting, state, ifnull(replica_state.as_of, members.as_of),
       members.included_epoch, members.included_seq, replica_state.included_epoch, replica_state.included_seq
FROM idents JOIN members USING (member) JOIN replica_state WHERE ident = ?
"""
_AGE = "SELECT cursor, complete, as_of, included_epoch, included_seq FROM replica_state"


@dataclass(frozen=True)
class Found:
    """A member of the replica. `state.as_of` is the age of the knowledge."""

    member: str
    greeting: str | None
    state: MemberState
    included: tuple[Included, ...]

    def counted_in(self, epoch: str) -> int:
        """The last row of this epoch that `state` already holds; the till's own sales behind it come on top."""
        return max((included.seq for included in self.included if included.epoch == epoch), default=0)


NOTHING_INCLUDED = Included(epoch="", seq=0)


@dataclass(frozen=True)
class ReplicaAge:
    """How far the replica has come. `as_of` None = never complete yet; `cursor` None = nothing fetched yet."""

    cursor: str | None = None
    complete: bool = False
    as_of: datetime | None = None
    includes: Included = NOTHING_INCLUDED


def read_age(connection: sqlite3.Connection) -> ReplicaAge:
    """How far the file behind this connection has come."""
    cursor, complete, as_of, epoch, seq = connection.execute(_AGE).fetchone()
    return ReplicaAge(
        cursor, bool(complete), datetime.fromisoformat(as_of) if as_of else None, Included(epoch=epoch, seq=seq)
    )


class Replica:
    """The replica's place on the disk, shared by its one writer and its readers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchange = threading.Lock()
        """Held while the file is open for a look-up, and while it is being exchanged."""
        self.suspect = threading.Event()
        """Set by a reader that met a damaged page; the writer sets the file aside and clears it."""

    def reader(self, ident_key: bytes) -> ReplicaReader:
        """A reader for one till; cheap, opens nothing."""
        return ReplicaReader(self, ident_key)


class ReplicaReader:
    """Finds members. Never raises for the file's sake: a missing or damaged replica knows nobody."""

    def __init__(self, replica: Replica, ident_key: bytes) -> None:
        self._replica = replica
        self._ident_key = ident_key

    def find(self, card: str) -> Found | None:
        """The member who holds this card, or None when the replica does not know."""
        key = ident(self._ident_key, card)

        def look_up(connection: sqlite3.Connection) -> tuple[Any, ...] | None:
            found: tuple[Any, ...] | None = connection.execute(_FIND, (key,)).fetchone()
            return found

        row = self._ask(look_up)
        if row is None:
            return None
        member, greeting, state, as_of, epoch, seq, whole_epoch, whole_seq = row
        known = msgspec.json.decode(state, type=MemberState)
        return Found(
            member=member,
            greeting=greeting,
            state=msgspec.structs.replace(known, as_of=datetime.fromisoformat(as_of)),
            included=(Included(epoch=epoch, seq=seq), Included(epoch=whole_epoch, seq=whole_seq)),
        )

    @property
    def age(self) -> ReplicaAge:
        """How far the replica has come."""
        return self._ask(read_age) or ReplicaAge()

    @property
    def includes(self) -> Included:
        """What the last complete answer of the server had counted in, for all members."""
        return self.age.includes

    def _ask(self, question: Callable[[sqlite3.Connection], AnswerT]) -> AnswerT | None:
        replica = self._replica
        with replica.exchange:
            if not replica.path.exists():
                return None
            try:
                with store.translated(replica.path), closing(store.connect_reader(replica.path)) as connection:
                    return question(connection)
            except QueueDamaged as error:
                log.warning("replica_unreadable error=%s", error.code)
                replica.suspect.set()
                return None
