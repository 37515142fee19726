"""What a sale is paid with in points: its own hold first, then what nobody holds; what is left has not been there.

A sale without a live hold (the till was offline, or the hold has run out) has no claim on points that are held for others:
it is short of what it takes beyond the rest, and so the sales with holds never are. Points that have burnt after the sale
were there when it was made.
"""

from __future__ import annotations

from datetime import datetime

from loyalty.quote import MemberState
from loyalty.wire import Sale
from loyalty_server.books import Books
from loyalty_server.holds import spendable


def settle(books: Books, sale: Sale, device: str, member: str, state: MemberState, at: datetime, now: datetime) -> int:
    """Let the sale's hold be over and return by how many points the sale is short. `state`: of the member before it."""
    if not sale.quote.redeemed and sale.hold is None:
        return 0
    known = books.holds.get(member) or ()
    live = [each for each in known if each.over_at is None and each.expires_at > now]
    own = (device, sale.hold)
    if any((each.device, each.id) == own for each in known):
        used = [each._replace(over_at=each.over_at or now) if (each.device, each.id) == own else each for each in known]
        books.holds.put(member, tuple(used))
    covered = min(sale.quote.redeemed, sum(each.points for each in live if (each.device, each.id) == own))
    free = max(0, spendable(state, at) - sum(each.points for each in live))
    short = max(0, sale.quote.redeemed - covered - free)
    if not short:
        return 0
    burnt_since = -sum(points for when, points in books.burnt.get(member) or () if when > at)
    return max(0, short - max(0, burnt_since))
