"""What queue_speed.py measures the queue beside: plain SQLite, sqlite-utils, and the queues of others, filled."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from contextlib import closing
from itertools import count
from pathlib import Path

import litequeue
import msgspec
import persistqueue
import sqlite_utils
from queue_backend import KEY, open_queue

BACKLOG = 100_000
PAYLOAD = {"receipt": {"store": "S1", "till": "1", "number": "000123"}, "lines": "x" * 420}
BODY = msgspec.json.encode(PAYLOAD)
AT = "2026-12-12T09:00:00.123456+00:00"
INSERT = (
    "INSERT INTO outbox (seq, id, kind, at, body, schema, hash, sealed_by, origin_epoch, origin_seq, corrects)"
    " VALUES (?, ?, 'sale', ?, ?, 1, ?, ?, NULL, NULL, NULL)"
)
COUNT = "UPDATE queue_state SET last_seq = ?, last_hash = ?"


class Raw:
    """The same tables, the same rows, and nothing else."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        open_queue(folder).close()  # for its tables
        self._connection = sqlite3.connect(folder / "queue.db", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._sealed, self._hash = os.urandom(len(BODY) + 28), os.urandom(32)

    def enqueue(self) -> None:
        """One transaction."""
        number, run = next(self._numbers), self._connection.execute
        run("BEGIN IMMEDIATE")
        run(INSERT, (number, str(uuid.uuid4()), AT, self._sealed, self._hash, KEY.present))
        run(COUNT, (number, self._hash))
        run("COMMIT")

    def enqueue_locked(self) -> None:
        """The same for many threads."""
        with self._lock:
            self.enqueue()

    def close(self) -> None:
        self._connection.close()


class AsItComes:
    """The same by sqlite-utils, whose `insert` and `update` commit by themselves."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite_utils.Database(file)
        self._database["outbox"].create(
            {"seq": int, "id": str, "kind": str, "at": str, "body": bytes, "hash": bytes}, pk="seq"
        )
        self._database["queue_state"].insert({"id": 1, "last_seq": 0, "last_hash": b""}, pk="id")
        self._numbers = count(1)
        self._sealed, self._hash = os.urandom(len(BODY) + 28), os.urandom(32)

    def enqueue(self) -> None:
        """Two transactions."""
        number, row_id, at = next(self._numbers), str(uuid.uuid4()), AT
        row = {"seq": number, "id": row_id, "kind": "sale", "at": at, "body": self._sealed, "hash": self._hash}
        self._database["outbox"].insert(row)
        self._database["queue_state"].update(1, {"last_seq": number, "last_hash": self._hash})

    def close(self) -> None:
        self._database.close()


def full_persist_queue(folder: Path) -> persistqueue.SQLiteAckQueue:
    """Filled past its own `put`, which syncs each row."""
    queue = persistqueue.SQLiteAckQueue(str(folder))
    queue.put(PAYLOAD)
    queue.close()
    with closing(sqlite3.connect(folder / "data.db")) as connection:
        numbers = ((number,) for number in range(BACKLOG))
        copy = "INSERT INTO ack_queue_default (data, timestamp, status) SELECT data, timestamp + ?, status FROM ack_queue_default WHERE _id = 1"
        connection.executemany(copy, numbers)
        connection.commit()
    return persistqueue.SQLiteAckQueue(str(folder))


def full_litequeue(file: Path) -> litequeue.LiteQueue:
    """Filled by its own statement, in one transaction."""
    queue, row = litequeue.LiteQueue(str(file)), BODY.decode()
    with queue.transaction(mode="IMMEDIATE"):
        for _ in range(BACKLOG):
            queue.conn.execute(
                f"INSERT INTO {queue.table} (data, message_id, status, in_time) VALUES (?, ?, 0, ?)",  # noqa: S608 - its own name
                (row, litequeue.uuid7(), time.time_ns()),
            )
    return queue
