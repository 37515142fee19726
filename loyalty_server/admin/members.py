"""One member as people see him: what he has, what he holds, what he has agreed to, and the newest lines of his ledger."""

from __future__ import annotations

from sqlalchemy import Connection, and_, select

from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.messages import Agreed, Card, EntryLine, Member
from loyalty_server.enrolment.phone import masked
from loyalty_server.members import state_of
from loyalty_server.problems import refuse
from loyalty_server.storage import tables
from loyalty_server.storage.admin_tables import corrections

_ENTRIES = 50


def member(connection: Connection, name: str, trace: Trace) -> Member:
    """Return the member, also one who was erased. Raises Refused `member_unknown`."""
    row = connection.execute(select(tables.members).where(tables.members.c.id == name)).one_or_none()
    if row is None:
        raise refuse("member_unknown")
    trace.on(member=row.id)
    state = state_of(row)
    return Member(
        id=row.id,
        joined=state.joined,
        erased_at=row.deleted_at,
        balance=row.balance,
        lots=state.lots or (),
        tier=state.tier,
        stamps=state.stamps,
        coupons=state.coupons,
        pays_offline=not state.no_offline_redeem,
        consent=state.consent,
        greeting=row.greeting,
        phone=None if row.phone is None else masked(row.phone),
        cards=cards_of(connection, row.id),
        consents=_consents(connection, row.id),
        entries=_entries(connection, row.id),
    )


def cards_of(connection: Connection, name: str) -> tuple[Card, ...]:
    """Return his cards, the oldest first."""
    own = select(tables.cards).where(tables.cards.c.member == name)
    ordered = own.order_by(tables.cards.c.created_at, tables.cards.c.card)
    return tuple(Card(row.card, row.created_at, row.blocked_at) for row in connection.execute(ordered))


def _consents(connection: Connection, name: str) -> tuple[Agreed, ...]:
    own = select(tables.consents).where(tables.consents.c.member == name).order_by(tables.consents.c.id)
    return tuple(
        Agreed(
            purpose=row.purpose,
            text_version=row.text_version,
            language=row.language,
            accepted_at=row.accepted_at,
            channel=row.channel,
            store=row.store,
            withdrawn_at=row.withdrawn_at,
        )
        for row in connection.execute(own)
    )


def _entries(connection: Connection, name: str) -> tuple[EntryLine, ...]:
    ledger = tables.ledger.c
    by_hand = and_(corrections.c.row_id == ledger.row_id, corrections.c.member == ledger.member)
    own = select(tables.ledger, corrections.c.reason).outerjoin(corrections, by_hand).where(ledger.member == name)
    return tuple(
        EntryLine(
            kind=row.kind,
            points=row.points,
            at=row.at,
            booked_at=row.booked_at,
            row_id=row.row_id,
            store=row.store,
            till=row.till,
            number=row.number,
            reason=row.reason,
        )
        for row in connection.execute(own.order_by(ledger.id.desc()).limit(_ENTRIES))
    )
