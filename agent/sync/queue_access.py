"""The queue, as far as the sync threads work with it."""

from __future__ import annotations

from typing import Protocol, TypeVar

from offline_queue import DeliveryState, Depth, Handover, QueueFull, StoredRow
from offline_queue.outcome import Outcome
from offline_queue.transaction import Operation

ResultT = TypeVar("ResultT")

PATIENCE_WITH_DISK = 30.0
"""Seconds for the queue's writer to note something."""


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: Operation[ResultT], /) -> Outcome[ResultT]:
        """Carry it out."""
        ...


class Rows(Protocol):
    """The queue, read-only."""

    def depth(self) -> Depth:
        """Where the queue stands."""
        ...

    def rows(self, first: int, limit: int) -> list[StoredRow]:
        """Rows in order from seq `first` on, as they may be sent."""
        ...

    def handover(self) -> Handover | None:
        """What the server must agree to before any row is sent."""
        ...

    def delivery(self) -> DeliveryState | None:
        """How the last attempts went, before a restart too."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


def carried_out(writer: Writer, operation: Operation[ResultT]) -> ResultT:
    """The result, once it is on the disk. Raises what the operation raises, and QueueFull for a disk that is too slow."""
    future = writer.submit(operation)
    try:
        return future.result(PATIENCE_WITH_DISK)
    except TimeoutError as error:
        raise QueueFull("the disk is too slow to take note") from error
