"""A queue file as the first release left it: its tables, its rows, its statements."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import msgspec
from sqlite_utils import Database

from loyalty.chain import GENESIS, row_hash
from offline_queue.schema.queue import queue

from .scene import DEVICE, EPOCH, commit


def write(path: Path, rows: int) -> None:
    """With so many sales, 1, 2, 3 ..., of which none has been delivered; closed properly."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        queue.apply(Database(connection, recursive_triggers=False, execute_plugins=False), stop_before="second")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE queue_state SET device = ?, epoch = ?", (DEVICE, EPOCH))
        previous = GENESIS
        for number in range(1, rows + 1):
            previous = _sell(connection, number, previous)
        connection.execute("COMMIT")


def _sell(connection: sqlite3.Connection, number: int, previous: bytes) -> bytes:
    sale = commit(number)
    body, at = msgspec.json.encode(sale.body), sale.at.isoformat()
    digest = row_hash(previous, EPOCH, number, "sale", at, body)
    connection.execute(
        "INSERT INTO outbox (seq, id, kind, at, body, schema, hash) VALUES (?, ?, 'sale', ?, ?, 1, ?)",
        (number, str(uuid.uuid4()), at, body, digest),
    )
    connection.execute("UPDATE queue_state SET last_seq = ?, last_hash = ?", (number, digest))
    connection.execute(
        "INSERT INTO print_jobs (printer, document, sale_id, state, created_at, changed_at)"
        " VALUES ('receipt', x'7b7d', ?, 'queued', ?, ?)",
        (sale.sale_id, at, at),
    )
    connection.execute(
        "INSERT INTO sales (seq, sale_id, request_hash, receipt, member, answer, job_id) VALUES (?, ?, ?, ?, NULL, ?, ?)",
        (number, sale.sale_id, sale.request_hash, f'["S1","1","2026-12-12","1","{number}"]', sale.answer, number),
    )
    return digest
