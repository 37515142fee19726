"""The log that qemu's blklogwrites keeps of a disk: what was written in which order, and when the disk was told to flush.

The layout is that of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst): a superblock, then
for each write a sector that describes it and its data behind. Sectors have 512 bytes here.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
_MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<4Q")  # sector, sectors, flags, and a length that only marks have
_FLUSH, _DISCARD = 1, 4


@dataclass(frozen=True)
class Entry:
    """A write, or nothing but a flush."""

    sector: int
    sectors: int
    place: int
    """Of its data in the log."""
    flush: bool
    discard: bool


class WriteLog:
    """A log that may still be growing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []
        self._next = SECTOR

    def read_on(self) -> int:
        """Read what has come since; how many entries there are now. One that is not complete yet ends it."""
        size = self.path.stat().st_size
        with self.path.open("rb") as log:
            while self._next + SECTOR <= size:
                log.seek(self._next)
                sector, sectors, flags, _ = _ENTRY.unpack(log.read(_ENTRY.size))
                discard = bool(flags & _DISCARD)
                end = self._next + SECTOR + (0 if discard else sectors * SECTOR)
                if (sectors == 0 and flags == 0) or end > size:
                    break
                self.entries.append(Entry(sector, sectors, self._next + SECTOR, bool(flags & _FLUSH), discard))
                self._next = end
        return len(self.entries)

    def check(self) -> None:
        """It is what we think."""
        magic, version, _, sector = _SUPER.unpack(self.path.read_bytes()[: _SUPER.size])
        assert (magic, version, sector) == (_MAGIC, 1, SECTOR)


class Replay:
    """Builds disks as they may be after a cut, in the order of the cuts."""

    def __init__(self, log: WriteLog, before: Path, work: Path) -> None:
        self._log = log
        self._image = work
        self._image.write_bytes(before.read_bytes())
        self._done = 0

    def up_to(self, cut: int) -> None:
        """Everything that came before this entry has reached the disk."""
        with self._image.open("r+b") as disk, self._log.path.open("rb") as log:
            for entry in self._log.entries[self._done : cut]:
                _apply(entry, disk.fileno(), log.fileno())
        self._done = cut

    def cuts(self, count: int, first: int, chance: random.Random) -> Iterator[tuple[int, bytes]]:
        """Cuts behind entry `first`, with the disk: by turns all that was written, and some of it since the last flush."""
        everything = range(first, len(self._log.entries) + 1)
        for turn, cut in enumerate(sorted(chance.sample(everything, min(count, len(everything))))):
            flushed = self._flushed(cut)
            self.up_to(max(self._done, flushed))
            if turn % 2:
                yield cut, self._with(range(self._done, cut))
            else:
                yield cut, self._with([number for number in range(self._done, cut) if chance.random() < 0.5])

    def _flushed(self, cut: int) -> int:
        """Behind the last flush before this cut."""
        return next((number + 1 for number in range(cut - 1, -1, -1) if self._log.entries[number].flush), 0)

    def _with(self, numbers: Iterator[int] | range | list[int]) -> bytes:
        disk = bytearray(self._image.read_bytes())
        with self._log.path.open("rb") as log:
            for number in numbers:
                entry = self._log.entries[number]
                start, length = entry.sector * SECTOR, entry.sectors * SECTOR
                data = bytes(length) if entry.discard else os.pread(log.fileno(), length, entry.place)
                disk[start : start + length] = data
        return bytes(disk)


def _apply(entry: Entry, disk: int, log: int) -> None:
    length = entry.sectors * SECTOR
    os.pwrite(disk, bytes(length) if entry.discard else os.pread(log, length, entry.place), entry.sector * SECTOR)
