"""Who holds this card, as of now: the replica, with this till's own sales that it does not hold yet counted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.checkout import Known
from loyalty import member
from loyalty.quote import MemberState
from loyalty.wire import Sale


class Found(Protocol):
    """A member of the replica."""

    @property
    def member(self) -> str: ...
    @property
    def greeting(self) -> str | None: ...
    @property
    def state(self) -> MemberState: ...
    def counted_in(self, epoch: str) -> int:
        """The last own row that `state` holds already."""
        ...


class Members(Protocol):
    """The replica."""

    def find(self, card: str) -> Found | None:
        """The holder of a card."""
        ...


class OwnSales(Protocol):
    """The queue, read-only."""

    def own_sales(self, member: str, after_seq: int) -> list[Sale]:
        """Own sales of a member behind a row."""
        ...


@dataclass(frozen=True)
class Lookup:
    """For one thread. `epoch` is the numbering of the rows that the replica speaks of."""

    members: Members
    sales: OwnSales
    epoch: str

    def find(self, card: str) -> Known | None:
        """The member who holds the card, or None when this store does not know him."""
        found = self.members.find(card)
        if found is None:
            return None
        state = found.state
        for sale in self.sales.own_sales(found.member, found.counted_in(self.epoch)):
            state = member.apply(state, sale)
        return Known(found.member, found.greeting, state)
