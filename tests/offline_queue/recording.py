"""What an unmodified process does to a folder and what it says meanwhile, in order, as strace saw it.

Two threads may be inside a call at once. Then a write counts from its beginning, since it may reach the disk from there
on; a sync only when it has returned; and a word from its beginning, so that no promise is taken for later than it was.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CALLS = (
    "openat,creat,write,writev,pwrite64,pwritev,pwritev2,lseek,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,"
    "truncate,ftruncate,fallocate,link,linkat,copy_file_range,sendto,sendmsg"
)


@dataclass(frozen=True)
class Create:
    """A name that was not there: an empty file. Names are relative to the folder."""

    name: str


@dataclass(frozen=True)
class Write:
    """Bytes for a place in a file."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Resize:
    """Another length: cut off, or with zeros behind."""

    name: str
    size: int


@dataclass(frozen=True)
class Grow:
    """At least this length."""

    name: str
    size: int


@dataclass(frozen=True)
class Sync:
    """What a file holds, or which names a folder holds ("." = the folder itself), is on the disk."""

    name: str


@dataclass(frozen=True)
class Rename:
    """A file gets another name, and takes it from whoever has it."""

    name: str
    to: str


@dataclass(frozen=True)
class Unlink:
    """A name is gone."""

    name: str


@dataclass(frozen=True)
class Say:
    """Bytes that left the process, by its standard output or a socket."""

    data: bytes


Event = Create | Write | Resize | Grow | Sync | Rename | Unlink | Say


def needs_strace() -> None:
    """Skip by name where there is none; in CI that is a failure."""
    if shutil.which("strace") is None:
        assert not os.environ.get("CI"), "strace is missing: apt-get install strace"
        pytest.skip("needs strace")


def record(command: Sequence[str | Path], folder: Path, trace: Path) -> list[Event]:
    """Run a command to its end, which must be a success, and tell what it did below `folder` and said."""
    done = subprocess.run(traced(command, trace), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return read_trace(trace, folder)


def traced(command: Sequence[str | Path], trace: Path) -> list[str]:
    """The command that runs another one and leaves its calls in the file `trace`."""
    options = ["-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e", f"trace={CALLS}"]
    return ["strace", *options, "-o", str(trace), "--", *map(str, command)]


def read_trace(trace: Path, folder: Path) -> list[Event]:
    """The events in a file that strace has left."""
    reader = _Reader(f"{folder}/")
    return [event for call in _calls(trace) for event in reader.events(call)]


@dataclass
class _Call:
    name: str
    arguments: str
    result: str
    began: int
    returned: int

    @property
    def place(self) -> int:
        return self.returned if self.name in ("fsync", "fdatasync") else self.began


_WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (.*)")
_BEGUN = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>")
_ENDED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.*)")


def _calls(trace: Path) -> list[_Call]:
    """Calls that have returned, in the order that counts."""
    calls: list[_Call] = []
    under_way: dict[str, tuple[int, str]] = {}
    with trace.open(encoding="ascii") as file:
        for number, line in enumerate(file):
            if found := _BEGUN.match(line):
                under_way[found[1]] = (number, found[3])
            elif found := _ENDED.match(line):
                began, arguments = under_way.pop(found[1])
                calls.append(_Call(found[2], arguments + found[3], found[4], began, number))
            elif found := _WHOLE.match(line):
                calls.append(_Call(found[2], found[3], found[4], number, number))
    return sorted(calls, key=lambda call: call.place)


_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_HANDLE = re.compile(r"(\d+)<([^>]*)>")
_DELETED = " (deleted)"


@dataclass
class _Reader:
    """Knows what strace does not say: where the next write of a handle goes."""

    folder: str
    offsets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.verbs = {
            "openat": self._open,
            "write": self._write,
            "pwrite64": self._pwrite,
            "lseek": self._seek,
            "fsync": self._sync,
            "fdatasync": self._sync,
            "rename": self._rename,
            "renameat": self._rename,
            "renameat2": self._rename,
            "unlink": self._unlink,
            "unlinkat": self._unlink,
            "ftruncate": self._resize,
            "fallocate": self._grow,
            "sendto": self._write,
        }

    def events(self, call: _Call) -> Iterator[Event]:
        if call.result.startswith(("-", "?")):
            return
        verb = self.verbs.get(call.name)
        if verb is not None:
            yield from verb(call)
        else:
            assert self._of_the_folder(call) is None, f"{call.name} of a file that is looked at: not understood"

    def _open(self, call: _Call) -> Iterator[Event]:
        handle, path = _handle(call.result)
        self.offsets[handle] = 0
        name = self._name(path)
        flags = call.arguments
        if name is None or "O_CREAT" not in flags:
            return
        assert "O_APPEND" not in flags, f"{name} is appended to: not understood"
        yield Create(name)
        if "O_TRUNC" in flags:
            yield Resize(name, 0)

    def _write(self, call: _Call) -> Iterator[Event]:
        handle, path = _handle(call.arguments)
        data = _text(call.arguments)[: int(call.result)]
        if path.startswith(("pipe:", "socket:", "TCP:")):
            yield Say(data)
        elif (name := self._name(path)) is not None:
            yield Write(name, self.offsets[handle], data)
        self.offsets[handle] = self.offsets.get(handle, 0) + len(data)

    def _pwrite(self, call: _Call) -> Iterator[Event]:
        if (name := self._of_the_folder(call)) is not None:
            yield Write(name, int(call.arguments.rpartition(", ")[2]), _text(call.arguments)[: int(call.result)])

    def _seek(self, call: _Call) -> Iterator[Event]:
        self.offsets[_handle(call.arguments)[0]] = int(call.result)
        yield from ()

    def _sync(self, call: _Call) -> Iterator[Event]:
        if (name := self._of_the_folder(call)) is not None:
            yield Sync(name)

    def _rename(self, call: _Call) -> Iterator[Event]:
        old, new = (self._name(text) for text in _texts(call.arguments))
        if old is not None and new is not None:
            yield Rename(old, new)

    def _unlink(self, call: _Call) -> Iterator[Event]:
        if (name := self._name(_texts(call.arguments)[0])) is not None:
            yield Unlink(name)

    def _resize(self, call: _Call) -> Iterator[Event]:
        if (name := self._of_the_folder(call)) is not None:
            yield Resize(name, int(call.arguments.rpartition(", ")[2]))

    def _grow(self, call: _Call) -> Iterator[Event]:
        if (name := self._of_the_folder(call)) is not None:
            mode, offset, length = (int(number) for number in call.arguments.rsplit(", ", 3)[1:])
            assert mode == 0, f"fallocate mode {mode}: not understood"
            yield Grow(name, offset + length)

    def _of_the_folder(self, call: _Call) -> str | None:
        return self._name(_handle(call.arguments)[1])

    def _name(self, path: str) -> str | None:
        """Relative to the folder; None = elsewhere, or without a name any more."""
        inside = f"{path}/".startswith(self.folder) and not path.endswith(_DELETED)
        return (path.removeprefix(self.folder.rstrip("/")).lstrip("/") or ".") if inside else None


def _handle(text: str) -> tuple[str, str]:
    """A file's number and path."""
    found = _HANDLE.match(text)
    return (found[1], _decoded(found[2])) if found else ("", "")


def _texts(arguments: str) -> list[str]:
    return [_decoded(found[1]) for found in _TEXT.finditer(arguments)]


def _text(arguments: str) -> bytes:
    found = _TEXT.search(arguments)
    assert found is not None, arguments[:200]
    assert found[2] is None, "strace has cut off what was written"
    return bytes.fromhex(found[1].replace("\\x", ""))


def _decoded(text: str) -> str:
    """A path, which strace writes in plain letters where it is no path."""
    return bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text
