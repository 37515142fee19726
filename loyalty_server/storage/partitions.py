"""PostgreSQL: the receipts of each business day in a partition of their own, made before the day comes.

A day that is gone can then be moved or dropped as a whole. What belongs to no day that was made in time (a till's clock may
be wrong by years) stands in `receipts_other`. Making one keeps everybody from the receipts for a moment, so it gives up
sooner than anybody who waits for it: there are days enough left to try again.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from sqlalchemy import Connection, TextClause, func, select, table, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.sql import column

from loyalty_server.storage.database import Database
from loyalty_server.storage.migrate import LOCK

log = logging.getLogger(__name__)

AHEAD = 14
_OTHER = table("receipts_other", column("business_day"))
_KNOWN = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'receipts'::regclass")
_PATIENCE = text("SET LOCAL lock_timeout = '500ms'")  # less than PostgreSQL's deadlock_timeout: nobody else is cut off


def prepare_days(database: Database, today: date) -> list[date]:
    """Make the partitions from yesterday to two weeks ahead that are missing; return their days. SQLite has none."""
    if database.engine.dialect.name != "postgresql":
        return []
    wanted = [today + timedelta(days=ahead) for ahead in range(-1, AHEAD)]
    with database.reading() as connection:
        missing = _missing(connection, wanted)
    if not missing:
        return []
    with database.writing() as connection:
        savepoint = connection.begin_nested()
        try:
            connection.execute(_PATIENCE)
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))  # several processes may start at once
            missing = _missing(connection, wanted)
            for day in missing:
                connection.execute(_made(day))
        except (IntegrityError, OperationalError) as error:
            savepoint.rollback()
            log.info("partitions=not_now days=%d error=%s", len(missing), type(error.orig).__name__)
            return []
        savepoint.commit()
    log.info("partitions=made days=%d", len(missing))
    return missing


def _missing(connection: Connection, wanted: list[date]) -> list[date]:
    """Those that are not there, but for days of which `receipts_other` holds something already."""
    known = set(connection.execute(_KNOWN).scalars())
    days = [day for day in wanted if _name(day) not in known]
    if not days:
        return []
    held = select(_OTHER.c.business_day).where(_OTHER.c.business_day.in_(days)).distinct()
    taken = set(connection.execute(held).scalars())
    return [day for day in days if day not in taken]


def _made(day: date) -> TextClause:
    bounds = f"FROM ('{day}') TO ('{day + timedelta(days=1)}')"
    return text(f"CREATE TABLE IF NOT EXISTS {_name(day)} PARTITION OF receipts FOR VALUES {bounds}")


def _name(day: date) -> str:
    return f"receipts_{day:%Y%m%d}"
