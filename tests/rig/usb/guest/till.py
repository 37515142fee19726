"""A till's printing side as the product wires it: queue, print loop, link, watch, driver. Asked in JSON lines.

    python till.py NAME '{"driver": ..., "options": {...}}'        what [[printer]] says in config.toml

The answer to `state` has the states of all jobs as they were stored one after the other, when each was decided (before it
was stored), and what the status board says.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any, TypeVar

from agent.clock import SystemClock
from agent.config import Config, Printer, Server, State
from agent.situation import Situation
from agent.status import Board
from agent.wiring import Base, make_printers
from offline_queue import BeginEpoch, Changed, NewJob, Operation, Queue, QueuePrint, Replica, SetJob
from offline_queue.outcome import Outcome

NAME = "receipt"
T = TypeVar("T")


class TimedQueue(Queue):
    """Knows when it was told what became of a job."""

    decided: list[tuple[float, int, str]]

    def submit(self, operation: Operation[T]) -> Outcome[T]:
        """As it is, with the time."""
        if isinstance(operation, SetJob):
            self.decided.append((time.monotonic(), operation.id, operation.state))
        return super().submit(operation)


class Till:
    """One printer and its queue; the main thread asks, as the agent's own does it looks after hung threads, too."""

    def __init__(self, folder: Path, printer: dict[str, Any]) -> None:
        clock, server = SystemClock(), Server(url="http://127.0.0.1:9")
        table = Printer(name=NAME, **printer)
        config = Config(server=server, state=State(folder=str(folder)), till=(), printer=(table,))
        self._file = folder / "queue.db"
        self._stop = threading.Event()
        self._queue = TimedQueue.open(self._file, clock)
        self._queue.decided = []
        self._history: list[tuple[int, str, str]] = []
        self._known: dict[int, tuple[str, str]] = {}
        self._board = ("", "")
        replica = Replica(folder / "members.db")
        base = Base(config, clock, self._queue, self._file, replica, Situation(replica, None))
        base.status.subscribe(self._heard)
        self._desk = make_printers(base)[NAME]
        self._queue.subscribe(self._changed)

    def start(self) -> None:
        """Everything runs afterwards."""
        threading.Thread(target=self._queue.run, args=(self._stop,), daemon=True).start()
        self._queue.submit(BeginEpoch("D1", "e1")).result(10)
        self._desk.worker.start()
        threading.Thread(target=self._look_after, daemon=True).start()

    def print(self, document: str) -> int:
        """Queue a document; the number of its job."""
        return self._queue.submit(QueuePrint(NewJob(NAME, document.encode()))).result(10)

    def state(self) -> dict[str, object]:
        """What is known so far."""
        return {
            "jobs": {number: state for number, (state, _) in self._known.items()},
            "history": list(self._history),
            "decided": list(self._queue.decided),
            "board": self._board,
            "restarts": self._desk.worker.restarts,
        }

    def end(self) -> None:
        """As the agent ends."""
        self._desk.worker.stop.set()
        self._desk.worker.join(5)
        self._stop.set()

    def _heard(self, board: Board) -> None:
        for each in board:
            if each.part == "printer":
                self._board = (each.state, each.text["en"])

    def _look_after(self) -> None:
        while not self._stop.wait(0.5):
            self._desk.worker.replace_if_hung()

    def _changed(self, changed: Changed) -> None:
        if NAME in changed.printers:
            self._desk.loop.wake()
        with sqlite3.connect(f"file:{self._file}?mode=ro", uri=True) as store:
            for number, state, note in store.execute("SELECT id, state, note FROM print_jobs ORDER BY id"):
                if self._known.get(number) != (state, note):
                    self._known[number] = (state, note)
                    self._history.append((number, state, note))
        store.close()


def main() -> None:
    """Answer until the input ends."""
    name, printer = sys.argv[1:]
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(relativeCreated)d %(name)s %(message)s")
    folder = Path("/var/lib/tillmate") / f"{name}-{time.monotonic_ns()}"
    folder.mkdir()
    till = Till(folder, json.loads(printer))
    till.start()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answered(till, json.loads(line))) + "\n")
        sys.stdout.flush()
    till.end()


def answered(till: Till, request: dict[str, Any]) -> object:
    """Do as asked."""
    if request["do"] == "print":
        return till.print(request["document"])
    return till.state() if request["do"] == "state" else None


if __name__ == "__main__":
    main()
