"""The offline queue as a plain queue of dicts, for whoever measures or torments queues: the real file, thread and promises.

    with closing(open_queue(folder)) as queue:
        row = queue.enqueue({"any": "json"})      durable when it returns; any thread
        queue.peek(500)                           [(row, {"any": "json"}), ...], the oldest first
        queue.ack([row])                          durable, too; rows may be acknowledged in any order

Rows are sealed and chained as a till's are. A row counts as done when all rows before it are, too: what was acknowledged out
of order is remembered while the queue is open.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.clock import SystemClock
from offline_queue import BeginEpoch, Keyring, Queue, QueueFile, Reader, SettleRows, Transaction
from offline_queue.outbox import append

DEVICE, EPOCH = "bench", "bench-1"
KEY = Keyring([b"k" * 32])


@dataclass(frozen=True)
class Enqueue:
    """One more row."""

    body: bytes

    def apply(self, transaction: Transaction) -> int:
        """Its number."""
        return append(transaction, "sale", transaction.now, self.body)


class Backend:
    """An open queue. `writer` and `reader` are the real ones."""

    def __init__(self, folder: Path) -> None:
        self.writer = Queue.open(folder / "queue.db", SystemClock(), keys=KEY)
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self.writer.run, args=(self._stop,), name="queue")
        self._writer.start()
        self.writer.submit(BeginEpoch(DEVICE, EPOCH)).result()
        self.reader = Reader(QueueFile(folder / "queue.db", KEY))
        self._done = self.reader.depth().watermark
        self._early: set[int] = set()

    def enqueue(self, payload: Mapping[str, Any]) -> int:
        """Keep it; the number by which it is acknowledged."""
        return self.writer.submit(Enqueue(msgspec.json.encode(payload))).result()

    def peek(self, count: int) -> list[tuple[int, dict[str, Any]]]:
        """The oldest rows that are not done, as they would be sent: each checked against the chain."""
        rows = self.reader.rows(self._done + 1, count + len(self._early))
        found = [(row.seq, msgspec.json.decode(row.body)) for row in rows if row.seq not in self._early]
        return found[:count]

    def ack(self, numbers: Iterable[int]) -> None:
        """These are done."""
        self._early.update(number for number in numbers if number > self._done)
        done = self._done
        while done + 1 in self._early:
            done += 1
            self._early.discard(done)
        if done > self._done:
            self.writer.submit(SettleRows(EPOCH, done, ())).result()
            self._done = done

    def close(self) -> None:
        """Give the file back."""
        self._stop.set()
        self._writer.join()
        self.reader.close()


def open_queue(folder: str | Path) -> Backend:
    """Open the queue in this folder, or begin one."""
    return Backend(Path(folder))
