"""Migrations of queue.db, oldest first. An applied one is never edited."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from offline_queue.version import APPLICATION, VERSION

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


_SECOND = (
    # A row's running number (`seq` in these tables) never restarts. In its epoch it has the number seq - base.
    "ALTER TABLE queue_state ADD COLUMN base INTEGER NOT NULL DEFAULT 0",
    # Rows up to `pruned` have been deleted (rejected ones are kept); the next one follows `pruned_hash`.
    "ALTER TABLE queue_state ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0",
    f"ALTER TABLE queue_state ADD COLUMN pruned_hash BLOB NOT NULL DEFAULT x'{'00' * 32}'",
    # Rows of earlier epochs up to `reissued` are settled or stand in a later epoch again.
    "ALTER TABLE queue_state ADD COLUMN reissued INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE queue_state ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0",
    # How often the file has been opened, and a name for the present opening: two copies of it differ in one of them.
    "ALTER TABLE queue_state ADD COLUMN opened INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE queue_state ADD COLUMN instance TEXT NOT NULL DEFAULT ''",
    # Everything in the file is sealed with this key; 0 = not everything yet.
    "ALTER TABLE queue_state ADD COLUMN sealed_by INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE seal_keys (key INTEGER PRIMARY KEY, proof BLOB NOT NULL) STRICT",
    "ALTER TABLE outbox ADD COLUMN sealed_by INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN origin_epoch TEXT",
    "ALTER TABLE outbox ADD COLUMN origin_seq INTEGER",
    "ALTER TABLE outbox ADD COLUMN corrects INTEGER",
    "CREATE UNIQUE INDEX outbox_origin ON outbox(origin_epoch, origin_seq) WHERE origin_epoch IS NOT NULL",
    "ALTER TABLE sales ADD COLUMN sealed_by INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE print_jobs ADD COLUMN sealed_by INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE rejected ADD COLUMN corrected INTEGER",
    # All epochs of the file; the last one is the present one. A row belongs to the last epoch whose base is below it.
    """CREATE TABLE epochs (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      epoch TEXT NOT NULL UNIQUE,
      base INTEGER NOT NULL,
      begun_at TEXT NOT NULL
    ) STRICT""",
    "INSERT INTO epochs (epoch, base, begun_at) SELECT epoch, 0, '' FROM queue_state WHERE epoch IS NOT NULL",
    # One row while the server has not agreed to the present epoch; what it is told about the one before.
    """CREATE TABLE handover (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      reason TEXT NOT NULL,
      old_epoch TEXT NOT NULL,
      last_seq INTEGER,
      last_hash BLOB,
      begun_at TEXT NOT NULL
    ) STRICT""",
    # One row while deliveries fail, so that a restart does not begin to hammer the server.
    """CREATE TABLE delivery (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      attempts INTEGER NOT NULL,
      next_attempt TEXT NOT NULL,
      trouble TEXT NOT NULL,
      since TEXT NOT NULL
    ) STRICT""",
    "CREATE TABLE damaged (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, found_at TEXT NOT NULL) STRICT",
    # Files that were set aside, and how far their rows have been taken over.
    """CREATE TABLE salvages (
      file TEXT PRIMARY KEY,
      state TEXT NOT NULL,
      position TEXT NOT NULL DEFAULT '',
      rows INTEGER NOT NULL DEFAULT 0,
      lost INTEGER NOT NULL DEFAULT 0,
      found_at TEXT NOT NULL
    ) STRICT""",
    # What was settled at the end of each day on which the agent ran; days, because a clock may leap.
    "CREATE TABLE days (day TEXT PRIMARY KEY, settled INTEGER NOT NULL) STRICT",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


@queue()
def second(db: Database) -> None:
    """Epochs, sealing, retention, damage and salvage."""
    for statement in _SECOND:
        db.conn.execute(statement)
