"""The tables of members.db. The file can always be fetched again, so another layout is a new file, not a migration."""

from __future__ import annotations

VERSION = 1
"""PRAGMA user_version of the layout below."""

STATEMENTS = (
    # One row: the cursor of the feed, and what the last complete answer had counted in.
    """CREATE TABLE replica_state (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      cursor TEXT,
      complete INTEGER NOT NULL DEFAULT 0,
      as_of TEXT,
      included_epoch TEXT NOT NULL DEFAULT '',
      included_seq INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "INSERT INTO replica_state (id) VALUES (1)",
    """CREATE TABLE members (
      member TEXT PRIMARY KEY,
      greeting TEXT,
      state BLOB NOT NULL,
      as_of TEXT NOT NULL,
      included_epoch TEXT NOT NULL,
      included_seq INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE idents (ident TEXT PRIMARY KEY, member TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX idents_of_member ON idents(member)",
)
