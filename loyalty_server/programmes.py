"""Programme revisions: published once, signed once, in force from their own time on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select

from loyalty.jws import sign_programme
from loyalty.programme import Programme, load, to_json
from loyalty.wire import Programmes
from loyalty_server.keys import Keys
from loyalty_server.storage.tables import programmes


def publish(connection: Connection, keys: Keys, programme: Programme, now: datetime) -> bool:
    """Keep a revision; tell whether it is new. Raises ValueError when the number says something else already, or is old."""
    header = programme.header
    document = to_json(programme)
    kept = connection.execute(select(programmes).where(programmes.c.revision >= header.revision)).all()
    same = [row for row in kept if row.revision == header.revision]
    if same and same[0].document == document.decode():
        return False
    if kept:
        raise ValueError(f"revision {header.revision} is taken: the next one is {kept[-1].revision + 1} or more")
    connection.execute(
        insert(programmes).values(
            revision=header.revision,
            starts_at=header.starts_at,
            document=document.decode(),
            jws=sign_programme(keys.programme, document),
            published_at=now,
        )
    )
    return True


def in_force(connection: Connection, now: datetime) -> Programmes | None:
    """Return the signed revision in force and the one that comes after it; None before the first has started."""
    highest = select(programmes).where(programmes.c.starts_at <= now).order_by(programmes.c.revision.desc()).limit(1)
    current = connection.execute(highest).one_or_none()
    if current is None:
        return None
    later = select(programmes.c.jws).where(programmes.c.starts_at > now, programmes.c.revision > current.revision)
    following = connection.execute(later.order_by(programmes.c.starts_at, programmes.c.revision).limit(1))
    return Programmes(current.jws, following.scalar_one_or_none())


def revision_in_force(connection: Connection, now: datetime) -> int | None:
    """Return the number of the revision in force."""
    started = select(programmes.c.revision).where(programmes.c.starts_at <= now)
    return connection.execute(started.order_by(programmes.c.revision.desc()).limit(1)).scalar_one_or_none()


IN_FORCE = 0
"""Stands for the revision in force, whichever it is."""


def of_revisions(connection: Connection, revisions: Collection[int], now: datetime) -> dict[int, Programme]:
    """Return these revisions, read; `IN_FORCE` may be among them."""
    wanted: ColumnElement[bool] = programmes.c.revision.in_({each for each in revisions if 0 < each < 1 << 31})
    if IN_FORCE in revisions:
        started = select(func.max(programmes.c.revision)).where(programmes.c.starts_at <= now)
        wanted = or_(wanted, programmes.c.revision == started.scalar_subquery())
    found = connection.execute(select(programmes).where(wanted)).all()
    said = {row.revision: _read(row.document) for row in found}
    begun = [row.revision for row in found if row.starts_at <= now]
    return said | ({IN_FORCE: said[max(begun)]} if IN_FORCE in revisions and begun else {})


def programme_in_force(connection: Connection, now: datetime) -> Programme | None:
    """Return the revision in force, read."""
    started = select(programmes.c.document).where(programmes.c.starts_at <= now)
    document = connection.execute(started.order_by(programmes.c.revision.desc()).limit(1)).scalar_one_or_none()
    return None if document is None else _read(document)


@lru_cache(maxsize=32)
def _read(document: str) -> Programme:
    return load(document, "json")
