"""The tables of queue.db, as migrations that only ever add.

A file may go back to an older release with rows in it, so a migration adds tables, columns and indexes and changes
nothing that is there. `transform()` is not used: it rewrites the table. Each migration is one transaction, so a process
that is killed in the middle leaves the file as it was.
"""

from __future__ import annotations

import sqlite3


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file behind this read-write connection up to the newest schema."""
    from sqlite_utils import Database  # loaded only where there is something to do

    from offline_queue.schema.queue import queue

    queue.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
