"""A queue file of a shop that has been selling for months: most rows were settled long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from offline_queue import BeginEpoch, Queue, SettleRows
from offline_queue.retention import KEPT_DAYS, NoteDay

from .scene import DEVICE, EPOCH, commit

DAYS = KEPT_DAYS + 10


class Calendar:
    """A clock that is turned day by day."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC) - timedelta(days=DAYS)

    def now(self) -> datetime:
        return self.time


def write(path: Path, rows: int, unsettled: int) -> None:
    """So many sales; the server has all but the last ones, and has had them for longer than they are kept."""
    calendar = Calendar()
    queue = Queue.open(path, calendar)
    queue.carry_out_now(BeginEpoch(DEVICE, EPOCH))
    for number in range(1, rows + 1):
        queue.carry_out_now(commit(number))
    queue.carry_out_now(SettleRows(EPOCH, rows - unsettled, ()))
    for _ in range(DAYS):
        queue.carry_out_now(NoteDay())
        calendar.time += timedelta(days=1)
    queue.close()
