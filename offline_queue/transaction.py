"""What an operation of the queue gets to work with."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

ResultT_co = TypeVar("ResultT_co", covariant=True)


_STATE = "SELECT epoch, last_seq, last_hash, watermark, rejected, next_token FROM queue_state"


@dataclass(frozen=True)
class QueueState:
    """The queue's counters. `epoch` is None on a device that is not claimed."""

    epoch: str | None
    last_seq: int
    last_hash: bytes
    watermark: int
    rejected: int
    next_token: int


@dataclass
class Transaction:
    """One open write transaction. An operation uses it only while its `apply` runs."""

    connection: sqlite3.Connection
    now: datetime
    printers: set[str] = field(default_factory=set)
    """Printers that get a new job by this transaction."""

    def one(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The first row of the answer, or None."""
        row: tuple[Any, ...] | None = self.connection.execute(statement, values).fetchone()
        return row

    def state(self) -> QueueState:
        """Where the queue stands inside this transaction."""
        return QueueState(*self.connection.execute(_STATE).fetchone())

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """Carry out a statement; returns the rowid of an INSERT."""
        return self.connection.execute(statement, values).lastrowid or 0


class Operation(Protocol[ResultT_co]):
    """A frozen request to the writer. It may be applied again after a roll-back."""

    def apply(self, transaction: Transaction, /) -> ResultT_co:
        """Change the file and return the answer. Raises a TillmateError when nothing shall be kept of it."""
        ...
