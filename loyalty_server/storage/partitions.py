"""PostgreSQL: the receipts of each business day in a partition of their own, made before the day comes.

A day that is gone can then be moved or dropped as a whole. What belongs to no day that was made in time (a till's clock may
be wrong by years) stands in `receipts_other`, and moves when its day is made, so that nobody who sends receipts of a day
to come can keep that day out. Making one looks through `receipts_other` and keeps everybody from the receipts for that
moment; so it must stay small: after an outage the days that tills may still deliver are made, too. Making one gives up
sooner than anybody who waits for it: there are days enough left to try again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import Connection, TextClause, func, select, table, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.sql import column

from loyalty_server.storage.database import Database
from loyalty_server.storage.migrate import LOCK

log = logging.getLogger(__name__)

AHEAD = 14
BEHIND = 35
"""Days for which tills keep what they have sent."""
MOST_MOVED = 1000
"""Receipts of a day that others may wait for while they are moved."""

_OTHER = table("receipts_other", column("business_day"))
_KNOWN = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'receipts'::regclass")
_PATIENCE = text("SET LOCAL lock_timeout = '500ms'")  # less than PostgreSQL's deadlock_timeout: nobody else is cut off
_ALONE = text(
    "LOCK TABLE ONLY receipts IN ACCESS EXCLUSIVE MODE"
)  # as making one does: first, so that nobody waits in a ring


def prepare_days(database: Database, today: date, most_moved: int = MOST_MOVED) -> list[date]:
    """Make the partitions that are missing, from the last one that is there, or yesterday, to two weeks ahead.

    Return their days. SQLite has none.
    """
    if database.engine.dialect.name != "postgresql":
        return []
    with database.reading() as connection:
        missing = _missing(connection, today, most_moved)
    if not missing:
        return []
    with database.writing() as connection:
        savepoint = connection.begin_nested()
        try:
            connection.execute(_PATIENCE)
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))  # several processes may start at once
            connection.execute(_ALONE)
            missing = _missing(connection, today, most_moved)
            for statement in (each for day, held in missing.items() for each in _made(day, held)):
                connection.execute(statement)
        except (IntegrityError, OperationalError) as error:
            savepoint.rollback()
            log.info("partitions=not_now days=%d error=%s", len(missing), type(error.orig).__name__)
            return []
        savepoint.commit()
    log.info("partitions=made days=%d", len(missing))
    return list(missing)


def _missing(connection: Connection, today: date, most_moved: int) -> Mapping[date, int]:
    """Days that are not there, each with how many receipts of it are to be moved; without those that have too many."""
    known = set(connection.execute(_KNOWN).scalars())
    days = [today + timedelta(days=ahead) for ahead in range(-BEHIND, AHEAD)]
    begin = min([day for day in days if _name(day) in known] + [today - timedelta(days=1)])
    if len(known) > 1 and known.isdisjoint(map(_name, days)):  # all are older: the server was away for long
        begin = days[0]
    wanted = [day for day in days if day >= begin and _name(day) not in known]
    held = _held(connection, wanted) if wanted else {}
    return {day: held.get(day, 0) for day in wanted if held.get(day, 0) <= most_moved}


def _held(connection: Connection, days: list[date]) -> Mapping[date, int]:
    """How many receipts of these days `receipts_other` holds."""
    counted = select(_OTHER.c.business_day, func.count()).where(_OTHER.c.business_day.in_(days))
    return {row[0]: row[1] for row in connection.execute(counted.group_by(_OTHER.c.business_day))}


def _made(day: date, held: int) -> list[TextClause]:
    name, bounds = _name(day), f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
    if not held:
        return [text(f"CREATE TABLE {name} PARTITION OF receipts {bounds}")]
    of_day = f"FROM receipts_other WHERE business_day = '{day}'"
    return [
        text(f"CREATE TABLE {name} (LIKE receipts_other INCLUDING ALL)"),
        text(f"INSERT INTO {name} SELECT * {of_day}"),
        text(f"DELETE {of_day}"),
        text(f"ALTER TABLE receipts ATTACH PARTITION {name} {bounds}"),
    ]


def _name(day: date) -> str:
    return f"receipts_{day:%Y%m%d}"
