"""A member who wants to be forgotten: what tells who he was goes, what was booked stays.

His points end with an `adjust` entry, so that the ledger still adds up; his entries, receipts and consents stay under an id
that is nobody's any more. Telephone, first name, cards, birthday, tags, coupons, holds and what people have written about
him are deleted, also inside of receipts and of rows in quarantine. The chains of the tills' rows hold by the digests of the
receipts as they came. Tills learn from the feed that he is gone. What names him later is booked without a member.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, or_, select, update

from loyalty_server import expiry, members
from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.corrections import adjust
from loyalty_server.admin.messages import Erased
from loyalty_server.problems import refuse
from loyalty_server.storage import tables
from loyalty_server.storage.admin_tables import corrections
from loyalty_server.storage.tables import receipts


def erase(connection: Connection, member: str, trace: Trace) -> Erased:
    """Erase the member; one who is erased stays so. Raises Refused `member_unknown`."""
    own = select(tables.members).where(tables.members.c.id == member).with_for_update()
    row = connection.execute(own).one_or_none()
    if row is None:
        raise refuse("member_unknown")
    trace.on(member=member)
    if row.deleted_at is not None:
        return Erased(member, row.deleted_at)
    cards = list(connection.execute(select(tables.cards.c.card).where(tables.cards.c.member == member)).scalars())
    _erase_words(connection, member, row.phone, trace)
    _erase_in_receipts(connection, member)
    _erase_in_quarantine(connection, [member, *cards])
    _end_points(connection, member, trace)  # after all else: whoever numbers a change is waited for
    members.erase(connection, member, trace.now)
    return Erased(member, trace.now)


def _end_points(connection: Connection, member: str, trace: Trace) -> None:
    expiry.burn_of(connection, member, trace.now)
    balance = members.balance_of(connection, member)
    if balance:
        adjust(connection, member, -balance, str(uuid.uuid4()), trace)


def _erase_words(connection: Connection, member: str, phone: str | None, trace: Trace) -> None:
    """What the member or people have said, wherever it is kept."""
    for table in (tables.holds, tables.coupon_uses):
        connection.execute(delete(table).where(table.c.member == member))
    connection.execute(update(tables.notes).where(tables.notes.c.member == member).values(body="{}"))
    connection.execute(update(corrections).where(corrections.c.member == member).values(reason=""))
    closed = and_(tables.flags.c.member == member, tables.flags.c.closed_at.is_not(None))
    connection.execute(update(tables.flags).where(closed).values(closed_note=""))
    given = and_(tables.consents.c.member == member, tables.consents.c.withdrawn_at.is_(None))
    connection.execute(update(tables.consents).where(given).values(withdrawn_at=trace.now))
    if phone is not None:
        connection.execute(delete(tables.attempts).where(tables.attempts.c.phone == phone))


def _erase_in_receipts(connection: Connection, member: str) -> None:
    """Those that earned something are found by their entries, the others by an index of their own."""
    entry = tables.ledger.c
    earned = select(receipts).join(
        tables.ledger, and_(entry.row_id == receipts.c.row_id, entry.business_day == receipts.c.business_day)
    )
    earned = earned.where(entry.member == member, entry.kind == "earn", receipts.c.member == member)
    others = select(receipts).where(receipts.c.member == member, receipts.c.earned == 0)
    for found in (connection.execute(earned).all(), connection.execute(others).all()):
        for row in found:
            _erase_in(connection, row)


def _erase_in(connection: Connection, row: Row[Any]) -> None:
    body: dict[str, Any] = msgspec.json.decode(row.body)
    state = body.get("member_state") or {}
    told = [body.pop("card", None), state.pop("birthday", None), state.pop("tags", None), state.pop("coupons", None)]
    if any(told):
        here = and_(receipts.c.business_day == row.business_day, receipts.c.row_id == row.row_id)
        connection.execute(update(receipts).where(here).values(body=msgspec.json.encode(body).decode()))


def _erase_in_quarantine(connection: Connection, names: list[str]) -> None:
    body = tables.quarantine.c.body
    naming = or_(*(body.contains(name, autoescape=True) for name in names))
    connection.execute(update(tables.quarantine).where(naming).values(body=""))
