"""Programs that die by kill -9 at any moment and are started again, as a service would."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic

from .nursery import Nursery

READY_WITHIN = 60.0
BEFORE_READY = 0.2
"""Share of the kills that do not wait until the program is ready."""

Ready = Mapping[str, str]


def until(
    what: str, holds: Callable[[], bool], seconds: float = READY_WITHIN, tell: Callable[[], str] = lambda: ""
) -> None:
    """Wait for something; `tell` says more when it does not come."""
    end, tick = monotonic() + seconds, Event()
    while not holds():
        assert monotonic() < end, f"not within {seconds:.0f} s: {what}\n{tell()}"
        tick.wait(0.01)


class Life:
    """One program, from its start to its end."""

    def __init__(self, nursery: Nursery, command: list[str], logs: Path, name: str) -> None:
        self._nursery, self._out = nursery, logs / f"{name}.out"
        self._from = self._out.stat().st_size if self._out.exists() else 0
        self.pid = nursery.start(command, self._out, logs / f"{name}.log")

    def ready(self) -> Ready:
        """The pairs of its line `ready ...`; empty while there is none."""
        with suppress(FileNotFoundError), self._out.open("rb") as out:
            out.seek(self._from)
            for line in out:
                if line.startswith(b"ready") and line.endswith(b"\n"):
                    return dict(pair.split("=", 1) for pair in line.decode().split() if "=" in pair)
        return {}

    def kill(self) -> None:
        """kill -9; it must have been alive."""
        os.kill(self.pid, signal.SIGKILL)
        code = self._nursery.reap(self.pid)
        assert code == -signal.SIGKILL, f"{self._out.stem} had ended by itself with {code}"


class Lives:
    """Several programs, each in one life after the other. `on_ready(name, pairs)` hears of each new one."""

    def __init__(self, programs: Mapping[str, str], logs: Path, on_ready: Callable[[str, Ready], None]) -> None:
        self._programs = programs
        self._logs = logs
        self._on_ready = on_ready
        self._nurseries = {name: Nursery(program) for name, program in programs.items()}
        self._commands: dict[str, list[str]] = {}
        self._present: dict[str, Life] = {}
        self.kills: Counter[str] = Counter()

    def begin(self, name: str, *words: str) -> None:
        """Start one with these words, which each later life gets too, and wait until it is ready."""
        self._commands[name] = [self._programs[name], *words]
        self._live(name)
        self._await(name)

    def haunt(self, count: int, longest: float, seed: object, meanwhile: Callable[[Callable[[], bool]], None]) -> None:
        """Kill each of them again and again until there were `count` kills; `meanwhile(over)` goes on until `over()`.

        A life ends at any moment between its beginning and `longest` seconds behind its being ready. All live in the end.
        """

        def reap(name: str) -> None:
            chance = random.Random(f"{name} {seed}")  # noqa: S311 - repeatable, no secret
            while self.kills.total() < count:
                if chance.random() > BEFORE_READY:
                    self._await(name)
                Event().wait(chance.uniform(0, longest))
                self._present[name].kill()
                self.kills[name] += 1
                self._live(name)
            self._await(name)

        with ThreadPoolExecutor(len(self._programs)) as reapers:
            haunted = [reapers.submit(reap, name) for name in self._programs]
            meanwhile(lambda: all(each.done() for each in haunted))
            for each in haunted:
                each.result()

    def last_words(self, name: str) -> str:
        """The end of its log."""
        return (self._logs / f"{name}.log").read_text(errors="replace")[-4000:]

    def close(self) -> None:
        """All end."""
        for nursery in self._nurseries.values():
            nursery.close()

    def _live(self, name: str) -> None:
        self._present[name] = Life(self._nurseries[name], self._commands[name], self._logs, name)

    def _await(self, name: str) -> None:
        until(f"{name} is ready", lambda: bool(self._present[name].ready()))
        self._on_ready(name, self._present[name].ready())
