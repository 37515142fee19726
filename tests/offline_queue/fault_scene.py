"""A process for the fault tests: one sale and one drain again and again, each time in a child of its own with its own fault.

    fault_scene.py FOLDER CALL BASE N...         under strace, which fails the call number BASE of any thread
    fault_scene.py FOLDER short STEP N...        no file is written beyond its first STEP x N bytes

strace counts the calls of each thread. So for each N a child lets its writer thread make BASE - N calls that concern
nobody, on /dev/null, and then sell and settle: call N of these fails. Each child works in a copy of FOLDER/before, which is
made by a run without any N, and leaves there what it was answered, in FOLDER/N/said: one JSON object a line.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scene import DEVICE, EPOCH, WAIT, Clock, commit

from loyalty.errors import TillmateError
from loyalty.wire import Verdict
from offline_queue import BeginEpoch, Operation, Queue, SettleRows, Transaction

BALLAST = 65536
BEFORE = 4
"""Sales before the fault; the next one and the drain up to BEFORE are those that it meets."""


@dataclass(frozen=True)
class Idle:
    """Calls of the writer thread that concern nobody."""

    call: Callable[[int], object]
    count: int

    def apply(self, _: Transaction) -> None:
        """Nothing is written."""
        null = os.open(os.devnull, os.O_RDWR)
        for _ in range(self.count):
            try:
                self.call(null)
            except OSError:
                continue  # /dev/null cannot be synced or cut off; the call has been counted
        os.close(null)


CALLS: dict[str, Callable[[int], object]] = {
    "pwrite64": lambda null: os.pwrite(null, b"", 0),
    "fdatasync": os.fdatasync,
    "ftruncate": lambda null: os.ftruncate(null, 0),
}


class Till:
    """A queue whose answers are written down."""

    def __init__(self, folder: Path) -> None:
        self._said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.queue = Queue.open(folder / "queue.db", Clock(), ballast=BALLAST)
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self._run, daemon=True)
        self._writer.start()

    def _run(self) -> None:
        try:
            self.queue.run(self._stop)
        except TillmateError as error:
            self.say(ended=error.code)

    def ask(self, what: str, number: int, operation: Operation[Any]) -> None:
        """Say `{what: number, "answer": ...}`: "ok", or the code of the refusal."""
        try:
            self.queue.submit(operation).result(WAIT)
            self.say(**{what: number}, answer="ok")
        except TillmateError as error:
            self.say(**{what: number}, answer=error.code)

    def say(self, **what: object) -> None:
        os.write(self._said, json.dumps(what).encode() + b"\n")

    def close(self) -> None:
        self._stop.set()
        self._writer.join(WAIT)


def prepare(folder: Path) -> None:
    """A queue with a few sales, closed properly."""
    folder.mkdir()
    till = Till(folder)
    till.ask("claim", 1, BeginEpoch(DEVICE, EPOCH))
    for number in range(1, BEFORE + 1):
        till.ask("sale", number, commit(number))
    till.close()


def play(till: Till) -> None:
    """A sale and a drain, and one more sale."""
    till.ask("sale", BEFORE + 1, commit(BEFORE + 1))
    verdicts = tuple(Verdict(seq=seq, verdict="accepted") for seq in range(1, BEFORE + 1))
    till.ask("settle", BEFORE, SettleRows(EPOCH, BEFORE, verdicts))
    till.ask("sale", BEFORE + 2, commit(BEFORE + 2))
    till.close()


def main() -> None:
    """One child after the other."""
    folder, call, base, *numbers = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
    if not numbers:
        prepare(folder / "before")
    for number in numbers:
        shutil.copytree(folder / "before", folder / str(number))
        if not os.fork():
            till = Till(folder / str(number))
            if call == "short":
                limit(base * number)
            else:
                till.queue.submit(Idle(CALLS[call], base - number)).result(WAIT)
            play(till)
            os._exit(0)
        os.wait()


def limit(longest: int) -> None:
    """A write that goes beyond is cut short there, and the next one fails: the kernel does that."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
