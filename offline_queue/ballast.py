"""Room on the disk: a file that only takes up space, to be given up when the disk is full, and how much is left.

A full disk stops more than sales: noting what the server has taken, deleting it and moving the log into the file need room
as well. The ballast gives it back at the moment when it is needed, so what is stored can still be delivered.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Level = Literal["ok", "low", "scarce", "full"]

MIB: Final = 1 << 20
_LEAST: Final = MIB // 4
_LOW: Final = (0.20, 5 << 30)
_SCARCE: Final = (0.05, 1 << 30)
"""Share of the disk, and bytes that are enough on any disk."""


@dataclass(frozen=True)
class Room:
    """Bytes of the disk on which the queue lies. `full`: nothing new is taken, what is stored is still delivered."""

    free: int
    total: int
    level: Level


def room_at(path: Path, *, full: bool) -> Room:
    """How much room there is beside this file. Raises OSError."""
    usage = shutil.disk_usage(path.parent)
    return Room(usage.free, usage.total, "full" if full else _level(usage.free, usage.total))


def _level(free: int, total: int) -> Level:
    if free < min(_SCARCE[0] * total, _SCARCE[1]):
        return "scarce"
    return "low" if free < min(_LOW[0] * total, _LOW[1]) else "ok"


class Ballast:
    """The file `queue.db.ballast`; for one thread. With `size` 0 there is none."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path.with_name(path.name + ".ballast")
        self._folder = path.parent
        self._size = size

    @property
    def wanted(self) -> bool:
        """Whether there is to be one."""
        return self._size > 0

    def begin(self) -> bool:
        """At the start: what there is of it, or as much as fits into half of what is free; False = next to nothing."""
        if not self.wanted:
            self.give_up()
            return True
        try:
            there = self._has()
            size = min(self._size, max(there, (shutil.disk_usage(self._folder).free + there) // 2))
        except OSError:
            return False
        return size >= min(_LEAST, self._size) and self._make(size)

    def make(self) -> bool:
        """Take the whole room up; True when it is there. Only where as much again stays free."""
        try:
            if self._has() != self._size and shutil.disk_usage(self._folder).free < 2 * self._size:
                return False
        except OSError:
            return False
        return self._make(self._size)

    def _make(self, size: int) -> bool:
        try:
            if self._has() == size:
                return True
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                _fill(file.fileno(), size)
                os.fsync(file.fileno())
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> None:
        """Give the room back."""
        with suppress(OSError):
            os.truncate(self._path, 0)
            self._path.unlink()

    def _has(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


def _fill(handle: int, size: int) -> None:
    """Blocks that are really taken, not a hole in a file."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    for start in range(0, size, MIB):
        os.write(handle, bytes(min(MIB, size - start)))
