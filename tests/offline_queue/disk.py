"""The disk under a recorded process, and what may be on it after a power cut.

Only a sync makes something certain. Of what was done to a file since its last sync any part may be on the disk, in units
of a sector; names are certain when their folder has been synced, whatever happened to the files. A file that is synced
in the meantime does not vouch for its name.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeVar

from .recording import Create, Event, Grow, Rename, Resize, Say, Sync, Unlink, Write

T = TypeVar("T")

SECTOR = 512

Change = Write | Resize | Grow
Choice = Callable[[list[Change]], list[Change]]
Names = dict[str, "File"]
State = dict[str, bytes]
"""Name -> content."""


@dataclass(eq=False)
class File:
    """What is certainly on the disk, and what has been done since."""

    synced: bytes = b""
    pending: list[Change] = field(default_factory=list)

    def content(self, chosen: list[Change]) -> bytes:
        """With these changes on top, in their order."""
        content = bytearray(self.synced)
        for change in chosen:
            _apply(content, change)
        return bytes(content)


@dataclass(frozen=True)
class Naming:
    """One step in a folder: names that end, and one that begins; together or not at all."""

    ends: tuple[str, ...]
    begins: tuple[tuple[str, File], ...] = ()

    def concerns(self, folder: str) -> bool:
        """Whether a sync of this folder makes it certain."""
        return all(folder_of(name) == folder for name in (*self.ends, *(name for name, _ in self.begins)))

    def apply(self, names: Names) -> None:
        """Take the step."""
        for name in self.ends:
            names.pop(name, None)
        names.update(self.begins)


def folder_of(name: str) -> str:
    return str(PurePath(name).parent)


@dataclass
class Disk:
    """Replays events. `names` is what the process sees, `durable` what is certain."""

    names: Names = field(default_factory=dict)
    durable: Names = field(default_factory=dict)
    namings: list[Naming] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> Disk:
        """A folder as it is, with everything certain."""
        files = {str(path.relative_to(folder)): File(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
        return cls(dict(files), dict(files))

    def copy(self) -> Disk:
        """The same disk once more. Only for one on which nothing is under way."""
        assert not self.namings
        fresh = {name: File(file.synced) for name, file in self.durable.items()}
        return Disk(dict(fresh), dict(fresh))

    def take(self, event: Event) -> None:
        """Let it happen."""
        match event:
            case Say(data):
                self.said.append(data)
            case Create(name):
                if name not in self.names:
                    self._name(Naming((), ((name, File()),)))
            case Write(name) | Resize(name) | Grow(name):
                self.names[name].pending.append(event)
            case Rename(name, to):
                self._name(Naming((name,), ((to, self.names[name]),)))
            case Unlink(name):
                self._name(Naming((name,)))
            case Sync(name):
                self._sync(name)

    def _name(self, naming: Naming) -> None:
        naming.apply(self.names)
        self.namings.append(naming)

    def _sync(self, name: str) -> None:
        if (file := self.names.get(name)) is not None:
            file.synced, file.pending = file.content(file.pending), []
            return
        for naming in self.namings:
            if naming.concerns(name):
                naming.apply(self.durable)
        self.namings = [naming for naming in self.namings if not naming.concerns(name)]

    def after_a_cut(self, last: Event, chance: random.Random) -> Iterator[State]:
        """What may be there when the power goes just after `last`; the same may come more than once."""
        yield self._state([], _none)
        yield self._state(self.namings, _all)
        if isinstance(last, Write):
            for torn in _torn(last, chance):
                yield self._state(self.namings, _instead(last, torn))
                yield self._state(self.namings, _only(last, torn))
        yield self._state(self.namings, lambda changes: _all_but_one(changes, chance))
        yield self._state(_some(self.namings, chance), lambda changes: _some(changes, chance))
        yield self._state(_some(self.namings, chance), lambda changes: _some_sectors(changes, chance))
        yield self._state([], lambda changes: _some_sectors(changes, chance))

    def _state(self, namings: list[Naming], choose: Choice) -> State:
        """With these steps and what is chosen of each file's changes."""
        names = dict(self.durable)
        for naming in namings:
            naming.apply(names)
        return {name: file.content(choose(file.pending)) for name, file in names.items()}


def fingerprint(state: State) -> bytes:
    """Equal for equal states."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(f"{name}\0{len(state[name])}\0".encode() + state[name])
    return digest.digest()


def put(state: State, folder: Path) -> None:
    """Write it into an empty folder."""
    for name, content in state.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _apply(content: bytearray, change: Change) -> None:
    if isinstance(change, Write):
        end = change.offset + len(change.data)
        content.extend(bytes(max(0, change.offset - len(content))))
        content[change.offset : end] = change.data
    elif isinstance(change, Resize) and change.size < len(content):
        del content[change.size :]
    else:
        content.extend(bytes(max(0, change.size - len(content))))


def _torn(write: Write, chance: random.Random) -> Iterator[Write]:
    """The beginning of a write, and its end."""
    sectors = list(_sectors(write))
    if len(sectors) < 2:
        return
    middle = chance.randrange(1, len(sectors))
    offset = sectors[middle].offset
    yield Write(write.name, write.offset, write.data[: offset - write.offset])
    yield Write(write.name, offset, write.data[offset - write.offset :])


def _sectors(write: Write) -> Iterator[Write]:
    """The parts of a write that reach the disk whole, or not at all."""
    first, end = write.offset, write.offset + len(write.data)
    while first < end:
        after = min(end, (first // SECTOR + 1) * SECTOR)
        yield Write(write.name, first, write.data[first - write.offset : after - write.offset])
        first = after


def _none(_: list[Change]) -> list[Change]:
    return []


def _all(changes: list[Change]) -> list[Change]:
    return changes


def _instead(last: Write, torn: Write) -> Choice:
    return lambda changes: [torn if change is last else change for change in changes]


def _only(last: Write, torn: Write) -> Choice:
    return lambda changes: [torn for change in changes if change is last]


def _all_but_one(changes: list[Change], chance: random.Random) -> list[Change]:
    if not changes:
        return changes
    missing = chance.randrange(len(changes))
    return changes[:missing] + changes[missing + 1 :]


def _some(steps: list[T], chance: random.Random) -> list[T]:
    return [step for step in steps if chance.random() < 0.5]


def _some_sectors(changes: list[Change], chance: random.Random) -> list[Change]:
    parts = (part for change in changes for part in (_sectors(change) if isinstance(change, Write) else (change,)))
    return [part for part in parts if chance.random() < 0.7]
