"""The run that books what has burnt, looks for returns whose sale never came, and forgets who never joined. May be run at any
time, again, or by several.

A member is taken when his next lot is due; with the entries his lots are moved on, so that nobody finds him due a second
time. Each slice is a transaction of its own: what stops the run stops it between two slices.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, func, select, update

from loyalty import ledger, lots
from loyalty_server import flags, members
from loyalty_server.enrolment.steps import forget
from loyalty_server.ledger import ENTRY_COLUMNS, Entry, line
from loyalty_server.lots import account_of, burning
from loyalty_server.members import Member, state_of
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database
from loyalty_server.storage.statements import append, within

SLICE = 500
WAITS = timedelta(days=35)
"""So long tills keep what they have sent; a sale that has not come by then will not come by itself."""


class Expired(NamedTuple):
    """What a run did: members whose points have burnt, how many points, and returns that wait for their sale in vain."""

    members: int = 0
    points: int = 0
    waiting: int = 0


def due(connection: Connection, now: datetime) -> int:
    """Return how many members have points that have burnt and are not booked."""
    return int(connection.execute(select(func.count()).where(tables.members.c.burns_at <= now)).scalar_one())


def expire(
    database: Database, now: datetime, said: Callable[[int], None] = lambda _: None, most: int = SLICE
) -> Expired:
    """Book what has burnt by now and flag what waits; `said` is told of each slice how many members it had: `most` at most."""
    done = Expired()
    while True:
        with database.writing() as connection:
            count, points = burn(connection, now, most)
        if not count:
            break
        done = done._replace(members=done.members + count, points=done.points + points)
        said(count)
        database.give_way()
    with database.writing() as connection:
        forget(connection, now)
        return done._replace(waiting=_flag_waiting(connection, now))


def burn(connection: Connection, now: datetime, most: int = SLICE) -> tuple[int, int]:
    """Book one slice; return how many members it had, and how many points have burnt."""
    line_of = tables.members.c
    found = select(tables.members).where(line_of.burns_at <= now).order_by(line_of.burns_at, line_of.id).limit(most)
    taken = connection.execute(select(tables.members).where(line_of.id.in_(
        [row.id for row in connection.execute(found)]
    ), line_of.burns_at <= now).order_by(line_of.id).with_for_update())  # fmt: skip
    entries: list[Entry] = []
    changed = []
    for row in taken:
        burnt, after = _burnt(row.id, Member(state_of(row), row.lots_at), now)
        entries += burnt
        changed.append((row.id, after))
    append(connection, tables.ledger, ENTRY_COLUMNS, [line(entry, now) for entry in entries])
    members.write(connection, changed)
    return len(changed), -sum(entry.points for entry in entries)


def burn_of(connection: Connection, member: str, now: datetime) -> None:
    """Book what has burnt of one member, whom nobody else changes until the transaction ends."""
    for name, before in members.lock(connection, [member]).items():
        entries, after = _burnt(name, before, now)
        append(connection, tables.ledger, ENTRY_COLUMNS, [line(entry, now) for entry in entries])
        members.write(connection, [(name, after)])


def _burnt(member: str, before: Member, now: datetime) -> tuple[list[Entry], Member]:
    account = account_of(before.state)
    entries = []
    for each in ledger.due(account, now):
        account = ledger.book(account, each).account
        entries.append(burning(member, each.points, each.at))
    state = msgspec.structs.replace(before.state, balance=account.balance, lots=lots.standing(account))
    known = [entry.at for entry in entries] + ([] if before.lots_at is None else [before.lots_at])
    return entries, Member(state, max(known, default=None))


def _flag_waiting(connection: Connection, now: datetime) -> int:
    returns = tables.returns.c
    waiting = select(tables.returns).where(returns.settled_at.is_(None), returns.flagged_at.is_(None))
    found = connection.execute(waiting.where(returns.received_at <= now - WAITS).with_for_update()).all()
    lines = [
        (now, "return_pending", row.device, row.row_id, row.till, None, f"received={row.received_at.isoformat()}")
        for row in found
    ]
    append(connection, tables.flags, flags.COLUMNS, lines)
    ids = [row.row_id for row in found]
    connection.execute(update(tables.returns).where(within(connection, returns.row_id, ids)).values(flagged_at=now))
    return len(found)
