"""A lost card: it is refused from now on, and another one takes its place. Nobody ever gets a number that was blocked."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from loyalty_server import members
from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.members import cards_of
from loyalty_server.admin.messages import Cards, LostCard
from loyalty_server.problems import refuse
from loyalty_server.storage.tables import cards


def replace_card(connection: Connection, member: str, wish: LostCard, trace: Trace) -> Cards:
    """Block the lost card, give the new one if there is one. The same again changes nothing.

    Raises Refused `member_unknown`, `card_unknown` or `card_taken`.
    """
    if member not in members.lock(connection, [member]):
        raise refuse("member_unknown")
    trace.on(member=member)
    lost = connection.execute(select(cards).where(cards.c.card == wish.lost, cards.c.member == member)).one_or_none()
    if lost is None:
        raise refuse("card_unknown")
    if lost.blocked_at is None:
        connection.execute(update(cards).where(cards.c.card == wish.lost).values(blocked_at=trace.now))
        members.has_other_cards(connection, member)
    if wish.new:
        _give(connection, member, wish.new, trace)
    return Cards(cards_of(connection, member))


def _give(connection: Connection, member: str, card: str, trace: Trace) -> None:
    known = connection.execute(select(cards).where(cards.c.card == card)).one_or_none()
    if known is not None and known.member == member and known.blocked_at is None:
        return
    try:
        members.give_card(connection, member, card, trace.now)
    except LookupError as error:
        raise refuse("card_taken") from error
