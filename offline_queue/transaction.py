"""What an operation of the queue gets to work with."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from offline_queue.errors import QueueFull
from offline_queue.sealing import NO_KEYS, Keyring

ResultT_co = TypeVar("ResultT_co", covariant=True)


_STATE = "SELECT epoch, last_seq, last_hash, watermark, rejected, next_token, base, sealed_by FROM queue_state"
_GROWN = "UPDATE queue_state SET last_seq = ?, last_hash = ?"


class QueueState(NamedTuple):
    """The queue's counters, in running numbers. `epoch` is None on a device that is not claimed."""

    epoch: str | None
    last_seq: int
    last_hash: bytes
    watermark: int
    rejected: int
    next_token: int
    base: int
    sealed_by: int


@dataclass(slots=True)
class Transaction:
    """One open write transaction. An operation uses it only while its `apply` runs."""

    connection: sqlite3.Connection
    now: datetime
    keys: Keyring = NO_KEYS
    room: bool = True
    """False: the disk is full, and what there is left is kept for settling what is stored."""
    printers: set[str] = field(default_factory=set)
    """Printers that get a new job by this transaction."""
    known: QueueState | None = None
    """Where the queue stands, as far as that needs no look."""
    cut_log: bool = False
    """What was in the file before shall not stay in its log either."""
    _grown: bool = False

    def one(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The first row of the answer, or None."""
        row: tuple[Any, ...] | None = self.connection.execute(statement, values).fetchone()
        return row

    def state(self) -> QueueState:
        """Where the queue stands inside this transaction."""
        if self.known is None:
            self.known = QueueState._make(self.connection.execute(_STATE).fetchone())
        return self.known

    def append(self, number: int, digest: bytes) -> None:
        """The row with this running number and hash is the newest one now; noted once for all rows, by `note_growth`."""
        self.known = self.state()._replace(last_seq=number, last_hash=digest)
        self._grown = True

    def note_growth(self) -> None:
        """Write down which row is the newest one, before anything reads or changes the counters in the file."""
        if self._grown:
            self._grown = False
            self.connection.execute(_GROWN, self.state()[1:3])

    def need_room(self) -> None:
        """Raises QueueFull where nothing more may be added."""
        if not self.room:
            raise QueueFull("the disk is full: nothing more is taken")

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """Carry out a statement; returns the rowid of an INSERT."""
        if statement.startswith("UPDATE queue_state"):
            self.note_growth()
            self.known = None
        return self.connection.execute(statement, values).lastrowid or 0


class Operation(Protocol[ResultT_co]):
    """A frozen request to the writer. It may be applied again after a roll-back."""

    def apply(self, transaction: Transaction, /) -> ResultT_co:
        """Change the file and return the answer. Raises a TillmateError when nothing shall be kept of it."""
        ...
