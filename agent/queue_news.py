"""What the care of the queue has to tell, in words for people: room on the disk, files set aside, damaged rows."""

from __future__ import annotations

import logging

from agent.status import Status
from agent.views import Health
from offline_queue.ballast import MIB, Level, Room
from offline_queue.epochs import Reason
from offline_queue.salvage import Standing

log = logging.getLogger(__name__)

_HEALTH: dict[Level, Health] = {"ok": "ok", "low": "warning", "scarce": "down", "full": "down"}


class QueueNews:
    """Puts it on the board; for the thread of `Care`. What is well and always was is not mentioned."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._level: Level = "ok"
        self._percent = -1

    def room(self, room: Room) -> None:
        """How much room the disk has; said again when the level changes."""
        if room.level != self._level:
            log.log(logging.INFO if room.level == "ok" else logging.WARNING, "disk=%s free=%d", room.level, room.free)
            self._level = room.level
            self._status.set(
                "queue", "disk", _HEALTH[room.level], f"status.queue.disk_{room.level}", free=room.free // MIB
            )

    def new_epoch(self, reason: Reason) -> None:
        """What people should know of a queue that was begun anew; of a damaged file the salvage tells."""
        if reason == "lost":
            self._status.set("queue", "file", "warning", "status.queue.file_lost")
        elif reason in ("fork", "restored", "moved"):
            self._status.set("queue", "file", "warning", "status.queue.file_copied")

    def salvaging(self, file: str, seen: int, whole: int, now: Standing) -> None:
        """How far the salvage of a file has come."""
        percent = 100 * seen // whole if whole else 100
        if now.stage == "done":
            key = "salvage_lost" if now.lost else "salvage_done"
            self._status.set(
                "queue", "salvage", "warning", f"status.queue.{key}", file=file, rows=now.rows, lost=now.lost
            )
        elif percent != self._percent:
            self._status.set("queue", "salvage", "warning", "status.queue.salvage", file=file, percent=percent)
        self._percent = percent

    def unsalvaged(self, file: str, why: str) -> None:
        """A file that was set aside cannot be read."""
        key = "salvage_sealed" if why == "queue_sealed" else "salvage_impossible"
        self._status.set("queue", "salvage", "down", f"status.queue.{key}", file=file)

    def damaged(self, rows: int) -> None:
        """So many rows are known to be damaged."""
        if rows:
            self._status.set("queue", "rows", "warning", "status.queue.rows_damaged", count=rows)
