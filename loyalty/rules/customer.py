"""Who is buying: a member we know, a card whose member is not in the replica, or nobody (no card)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from loyalty import member as members
from loyalty.programme import Programme
from loyalty.quote import MemberState
from loyalty.rules import tiers
from loyalty.sections import Tier


@dataclass(frozen=True, slots=True)
class Customer:
    """`tier` is what earning goes by: without a card the first, so that the quote says what a card would earn."""

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
        """False once consent was withdrawn: then nothing is earned, stamped or redeemed."""
        return self.state.consent != "withdrawn"

    @property
    def first_purchase(self) -> bool:
        """True for a member of whom we know that he has not bought anything."""
        return self.known and self.state.counters.purchases.get("lifetime", 0) == 0


def recognise(programme: Programme, member: MemberState | None, day: date) -> Customer:
    """Return the customer as he stands on that day."""
    everybody = programme.tiers[0] if programme.tiers else None
    if member is None:
        return Customer(card=False, known=False, state=MemberState(), tier=everybody, day=day)
    if member.as_of is None:
        return Customer(card=True, known=False, state=member, tier=everybody, day=day)
    state = members.rolled(member, day)
    return Customer(card=True, known=True, state=state, tier=tiers.held(programme, state, day), day=day)
