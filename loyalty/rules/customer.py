"""Who is buying: a member we know, a card whose member is not in the replica, or nobody (no card)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from loyalty import member as members
from loyalty.programme import Programme, Tier
from loyalty.quote import MemberState
from loyalty.rules import tiers


@dataclass(frozen=True, slots=True)
class Customer:
    """`tier` is what earning goes by: without a card that of a newcomer, so that the quote says what a card would earn."""

    card: bool
    known: bool
    state: MemberState
    tier: Tier | None
    day: date

    @property
    def held(self) -> Tier | None:
        """The tier that this customer really has: none without a card."""
        return self.tier if self.card else None

    @property
    def consents(self) -> bool:
        """False once consent was withdrawn: then nothing is earned, redeemed or counted."""
        return self.state.consent != "withdrawn"

    @property
    def first_purchase(self) -> bool:
        """True for a member without purchases and for somebody who could join with this receipt."""
        return (self.known or not self.card) and self.state.counters.purchases.get("lifetime", 0) == 0


def recognise(programme: Programme, member: MemberState | None, day: date) -> Customer:
    """Return the customer as he stands on that day."""
    everybody = programme.tiers[0] if programme.tiers else None
    if member is None:
        return Customer(card=False, known=False, state=MemberState(), tier=everybody, day=day)
    if member.as_of is None:
        return Customer(card=True, known=False, state=member, tier=everybody, day=day)
    state = members.rolled(member, day)
    return Customer(card=True, known=True, state=state, tier=tiers.held(programme, state, day), day=day)
