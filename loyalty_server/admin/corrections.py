"""Points that a person gives or takes, booked in the ledger like all others, each under an id of the person's own.

The same id with the same words is answered as the first time, so a lost reply books nothing twice. Nobody is taken points
that he does not have, or that are held for an open receipt. Points that are given burn as if they were earned now.
"""

from __future__ import annotations

import uuid

import msgspec
from sqlalchemy import Connection, select

from loyalty.ledger import expiry
from loyalty_server import holds, members
from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.messages import Corrected, Correction
from loyalty_server.books import Books
from loyalty_server.ledger import Entry
from loyalty_server.problems import refuse
from loyalty_server.programmes import IN_FORCE
from loyalty_server.slips import plain
from loyalty_server.storage.admin_tables import corrections
from loyalty_server.storage.statements import insert_new


def correct(connection: Connection, name: str, wish: Correction, trace: Trace) -> Corrected:
    """Book the correction. Raises Refused `malformed`, `member_unknown`, `correction_conflict` or `points_short`."""
    _check(name, wish)
    trace.on(correction=name)
    member = plain(wish.member)
    line = members.lock(connection, [member]).get(member)
    known = connection.execute(select(corrections).where(corrections.c.id == name)).one_or_none()
    if known is not None:
        trace.on(member=known.member)
        if (known.member, known.points, known.reason) != (member, wish.points, wish.reason):
            raise refuse("correction_conflict")
        return Corrected(name, known.member, known.points, known.at)
    if line is None:
        raise refuse("member_unknown")
    trace.on(member=member)
    free = holds.unheld(connection, member, line.state, trace.now)
    if wish.points < -free:
        raise refuse("points_short", most=free)
    row_id = str(uuid.uuid4())
    kept = {"points": wish.points, "reason": wish.reason, "operator": trace.operator, "row_id": row_id, "at": trace.now}
    if not insert_new(connection, corrections, {"id": name, "member": member, **kept}):
        raise refuse("correction_conflict")
    adjust(connection, member, wish.points, row_id, trace)
    return Corrected(name, member, wish.points, trace.now)


def adjust(connection: Connection, member: str, points: int, row_id: str, trace: Trace) -> None:
    """Book points of a member, who is locked, that no receipt stands behind."""
    books = Books(connection, trace.now)
    line, programme = books.members.get(member), books.programmes.get(IN_FORCE)
    if line is None:
        raise LookupError(f"there is no member {member}")
    burns = None
    if programme is not None and points > 0:
        burns = expiry(programme.lots, trace.now, programme.zone)
    day = trace.now.date() if programme is None else programme.day(trace.now)
    after = msgspec.structs.replace(line.state, balance=line.state.balance + points)
    books.post(member, after, [Entry("adjust", member, points, trace.now, row_id, day, expires_at=burns)])
    books.write()
    books.settle()


def _check(name: str, wish: Correction) -> None:
    """A UUID, because it is written down: nobody's telephone."""
    try:
        fits = str(uuid.UUID(name)) == name
    except ValueError:
        fits = False
    if not fits:
        raise refuse("malformed", "the id of a correction is a UUID in lower case")
    if not wish.points:
        raise refuse("malformed", "`points` is not 0")
