"""Migrations of queue.db, oldest first. An applied one is never edited."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

queue = Migrations("queue")

_FIRST = (
    # One row. Counters live here, so that nothing ever counts rows; one file holds one epoch.
    """CREATE TABLE queue_state (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      device TEXT,
      epoch TEXT,
      last_seq INTEGER NOT NULL DEFAULT 0,
      last_hash BLOB NOT NULL DEFAULT (zeroblob(32)),
      watermark INTEGER NOT NULL DEFAULT 0,
      rejected INTEGER NOT NULL DEFAULT 0,
      next_token INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "INSERT INTO queue_state (id) VALUES (1)",
    # seq is 1, 2, 3 ... without a hole; rows up to queue_state.watermark are settled by the server.
    """CREATE TABLE outbox (
      seq INTEGER PRIMARY KEY,
      id TEXT NOT NULL,
      kind TEXT NOT NULL,
      at TEXT NOT NULL,
      body BLOB NOT NULL,
      schema INTEGER NOT NULL,
      hash BLOB NOT NULL
    ) STRICT""",
    "CREATE TABLE rejected (seq INTEGER PRIMARY KEY REFERENCES outbox(seq), problem BLOB NOT NULL) STRICT",
    """CREATE TABLE sales (
      seq INTEGER PRIMARY KEY REFERENCES outbox(seq),
      sale_id TEXT NOT NULL UNIQUE,
      request_hash TEXT NOT NULL,
      receipt TEXT NOT NULL UNIQUE,
      member TEXT,
      answer BLOB NOT NULL,
      job_id INTEGER
    ) STRICT""",
    "CREATE INDEX sales_of_member ON sales(member, seq) WHERE member IS NOT NULL",
    """CREATE TABLE print_jobs (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      printer TEXT NOT NULL,
      document BLOB NOT NULL,
      sale_id TEXT,
      state TEXT NOT NULL,
      note TEXT NOT NULL DEFAULT '',
      created_at TEXT NOT NULL,
      changed_at TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX print_jobs_by_state ON print_jobs(state, printer, id)",
)


@queue()
def first(db: Database) -> None:
    """The file as it was born."""
    for statement in _FIRST:
        db.conn.execute(statement)
