"""What people should see to: the flags that are open, each with what to do, and closing them."""

from __future__ import annotations

from sqlalchemy import Connection, Row, select, update

from loyalty.i18n import texts
from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.messages import ByNumber, Closed, Flag, Flags
from loyalty_server.problems import refuse
from loyalty_server.storage.tables import flags


def open_flags(connection: Connection, page: ByNumber) -> Flags:
    """Return a page of those that nobody has closed, the oldest first."""
    waiting = select(flags).where(flags.c.closed_at.is_(None), flags.c.id > page.after).order_by(flags.c.id)
    found = connection.execute(waiting.limit(page.limit + 1)).all()
    lines = tuple(
        Flag(
            id=row.id,
            at=row.at,
            kind=row.kind,
            device=row.device,
            till=row.till,
            member=row.member,
            row_id=row.row_id,
            detail=row.detail,
            todo=texts(f"flag.{row.kind}"),
        )
        for row in found[: page.limit]
    )
    return Flags(lines, lines[-1].id if len(found) > page.limit else None)


def close(connection: Connection, number: str, note: str, trace: Trace) -> Closed:
    """Close a flag. Raises Refused `not_found`, or `flag_closed` when somebody has closed it with other words."""
    row = _lock(connection, number)
    trace.on(flag=row.id)
    if row.closed_at is None:
        closed = update(flags).where(flags.c.id == row.id)
        connection.execute(closed.values(closed_at=trace.now, closed_by=trace.operator, closed_note=note))
        return Closed(id=row.id, closed_at=trace.now, closed_by=trace.operator, note=note)
    if (row.closed_by, row.closed_note) != (trace.operator, note):
        raise refuse("flag_closed", f"by {row.closed_by}")
    return Closed(id=row.id, closed_at=row.closed_at, closed_by=row.closed_by, note=row.closed_note)


def _lock(connection: Connection, number: str) -> Row[tuple[object, ...]]:
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise refuse("not_found")
    row = connection.execute(select(flags).where(flags.c.id == int(number)).with_for_update()).one_or_none()
    if row is None:
        raise refuse("not_found")
    return row
