"""Who holds this card, as of now: the replica, with this till's own sales that it does not hold yet counted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.checkout import Known
from loyalty import member
from loyalty.quote import MemberState
from loyalty.wire import Sale
from offline_queue import Depth


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

    def depth(self) -> Depth:
        """Where the queue stands."""
        ...

    def own_sales(self, member: str, after_seq: int) -> list[Sale]:
        """Own sales of a member behind a row of the present epoch."""
        ...


@dataclass(frozen=True)
class Lookup:
    """For one thread. The replica speaks of rows by epoch and number; the queue says which epoch is the present one."""

    members: Members
    sales: OwnSales

    def find(self, card: str, told: Found | None = None) -> Known | None:
        """The member who holds the card, or None when this store does not know him; then he is as he was `told`."""
        found = self.members.find(card) or told
        if found is None:
            return None
        state = found.state
        for sale in self._own(found):
            state = member.apply(state, sale)
        return Known(found.member, found.greeting, state)

    def _own(self, found: Found) -> list[Sale]:
        """Own sales that the replica does not hold, all numbered by one and the same epoch."""
        epoch = self.sales.depth().epoch
        while True:
            sales = self.sales.own_sales(found.member, found.counted_in(epoch or ""))
            present = self.sales.depth().epoch
            if present == epoch:
                return sales
            epoch = present  # it began in between
