"""Cuts the power while a scene plays, and holds what the queue finds then against what had been promised."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from loyalty.errors import TillmateError
from offline_queue import Queue, Reader, first_broken

from . import first_release, old_shop
from .disk import Disk, State, fingerprint, put
from .recording import Event, Sync, record
from .scene import EPOCH

SCENE = Path(__file__).with_name("scene.py")
VARIANTS = 5  # different states after one cut, about
ROUNDS = 5
OLD_ROWS = 250
DONE_JOBS = ("sending", "printed", "unknown")


class Clock(Protocol):
    """The queue's."""

    def now(self) -> datetime: ...


@dataclass
class Promises:
    """What had been said until a cut."""

    claimed: bool = False
    sold: dict[int, int] = field(default_factory=dict)
    settled: int = 0
    jobs: dict[int, str] = field(default_factory=dict)
    old: int = 0
    """Rows up to there may have been deleted: they were settled long ago."""

    def and_then(self, said: Sequence[bytes]) -> Promises:
        """These, and what was said afterwards."""
        made = Promises(self.claimed, dict(self.sold), self.settled, dict(self.jobs), self.old)
        for line in said:
            match json.loads(line):
                case {"claimed": _}:
                    made.claimed = True
                case {"sold": [seq, number]}:
                    made.sold[seq] = number
                case {"settled": watermark}:
                    made.settled = watermark
                case {"job": [job, state]}:
                    made.jobs[job] = state
        return made


@dataclass
class Findings:
    """How many different states there were, and what was missing in which."""

    states: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass
class Explorer:
    """Cuts the power while a scene plays."""

    ram: Path
    clock: Clock

    def recorded(self, scene: str, synchronous: str = "FULL") -> Recording:
        """Let the scene play, in an empty folder or in that of an older release."""
        folder = self.ram / "scene"
        folder.mkdir()
        promises = Promises()
        if scene == "upgrade":
            first_release.write(folder / "queue.db", OLD_ROWS)
            promises = promised(OLD_ROWS)
        elif scene == "retention":
            old_shop.write(folder / "queue.db", OLD_ROWS, OLD_ROWS // 10)
            promises = promised(OLD_ROWS, OLD_ROWS - OLD_ROWS // 10)
        disk = Disk.of(folder)
        events = record([sys.executable, "-P", SCENE, scene, folder, synchronous], folder, self.ram / "trace")
        shutil.rmtree(folder)
        return Recording(disk, events, promises)

    def explore(self, recording: Recording, count: int) -> Findings:
        """Look at `count` different states, or at all that there are, after cuts all over the recording."""
        findings, chance = Findings(), random.Random(7)  # noqa: S311 - repeatable, no secret
        for state, said in recording.states(count, chance):
            findings.states += 1
            complaint = self._look(state, recording.promises.and_then(said))
            if complaint:
                findings.broken.append(complaint)
        return findings

    def _look(self, state: State, promises: Promises) -> str:
        """What is wrong with what the queue finds in this state."""
        folder = self.ram / "state"
        folder.mkdir()
        try:
            put({name: content for name, content in state.items() if not name.endswith("-shm")}, folder)
            return kept(folder, promises, self.clock)
        finally:
            shutil.rmtree(folder)


@dataclass
class Recording:
    """What a scene did, and on what disk and with which promises it began."""

    disk: Disk
    events: list[Event]
    promises: Promises

    def without_syncs(self, name: str) -> Recording:
        """As if nobody had taken care of a file, or of the folder (".")."""
        return Recording(self.disk, [event for event in self.events if event != Sync(name)], self.promises)

    def states(self, count: int, chance: random.Random) -> Iterator[tuple[State, list[bytes]]]:
        """`count` different ones, or some fewer if there are no more, with what had been said before."""
        seen: set[tuple[bytes, int]] = set()
        for _ in range(ROUNDS):
            cuts = set(chance.sample(range(len(self.events)), min(len(self.events), 1 + count // VARIANTS)))
            for state, said in self._states_at(cuts, chance):
                key = (fingerprint(state), len(said))
                if key not in seen:
                    seen.add(key)
                    yield state, said
                if len(seen) >= count:
                    return

    def _states_at(self, cuts: set[int], chance: random.Random) -> Iterator[tuple[State, list[bytes]]]:
        disk = self.disk.copy()
        for number, event in enumerate(self.events):
            disk.take(event)
            if number in cuts:
                for state in disk.after_a_cut(event, chance):
                    yield state, disk.said


def promised(rows: int, settled: int = 0) -> Promises:
    """What a queue with so many sales stands for, of which some were settled long ago."""
    return Promises(claimed=True, sold={number: number for number in range(1, rows + 1)}, settled=settled, old=settled)


def kept(folder: Path, promises: Promises, clock: Clock) -> str:
    """What is missing or wrong; "" = everything has been kept."""
    path = folder / "queue.db"
    try:
        queue = Queue.open(path, clock, EPOCH if promises.claimed else None)
    except TillmateError as error:
        return f"not opened: {error}"
    with closing(queue), closing(Reader(path)) as reader:
        return "; ".join(complaints(reader, promises))


def complaints(reader: Reader, promises: Promises) -> Iterator[str]:
    yield from _about_rows(reader, promises)
    yield from _about_the_rest(reader, promises)


def _about_rows(reader: Reader, promises: Promises) -> Iterator[str]:
    rows, depth = reader.rows(1, 10_000), reader.depth()
    numbers = [row.seq for row in rows]
    first = numbers[0] if numbers else depth.last_seq + 1
    if numbers != [*range(first, depth.last_seq + 1)] or first > promises.old + 1:
        yield "a hole in the numbers"
    if first_broken(rows, EPOCH, reader.hash_before(first)) is not None:
        yield "the chain is broken"
    if lost := {seq for seq in promises.sold if seq > promises.old} - set(numbers):
        yield f"{len(lost)} of {len(promises.sold)} acknowledged sales lost"
    if depth.watermark < promises.settled:
        yield f"settled up to {promises.settled}, found {depth.watermark}"


def _about_the_rest(reader: Reader, promises: Promises) -> Iterator[str]:
    for seq, number in promises.sold.items():
        sale = reader.sale(f"sale-{number}")
        if sale is None or (sale.seq, sale.answer) != (seq, str(number).encode()):
            yield f"sale {number} would be answered by {sale}"
    for job, state in promises.jobs.items():
        found = reader.job(job)
        if found is None or found.state not in DONE_JOBS[DONE_JOBS.index(state) :]:
            yield f"job {job} was {state}, found {found and found.state}"
