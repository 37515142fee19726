"""What a sale or a return does to a member: one pure `apply` for till (replica plus own unsent rows) and server."""

from __future__ import annotations

from datetime import date

import msgspec

from loyalty import counters
from loyalty.quote import MemberState
from loyalty.stamps import moved
from loyalty.wire import Return, Sale


def rolled(state: MemberState, day: date) -> MemberState:
    """Return the member as he stands on a local day of the programme (`Programme.day`); his age (`as_of`) stays.

    What a quote was asked with belongs into the sale (`Sale.member_state`) in this form, so that `apply` knows the day.
    """
    return msgspec.structs.replace(state, counters=counters.rolled(state.counters, day))


def apply(state: MemberState, event: Sale | Return) -> MemberState:
    """Return the member after a sale or a return, by the numbers that were printed.

    `as_of` stays, because nothing was heard of the server; so do `lots`, which are the server's ledger alone.
    """
    return _return(state, event) if isinstance(event, Return) else _sale(state, event)


def day_of(sale: Sale) -> date:
    """Return the local day that a sale counts for. After midnight it is later than the business day; a replica's may be older."""
    on = sale.member_state.counters.on if sale.member_state is not None else None
    return max(on or date.min, sale.receipt.business_day)


def _sale(state: MemberState, sale: Sale) -> MemberState:
    """The tier is the one that the till saw, where it knew the member; `loyalty.rules.tiers.held` tells it from counters."""
    quote, before = sale.quote, sale.member_state
    known = before is not None and before.as_of is not None
    stamps = before.stamps if before is not None else {}
    receipt = counters.Receipt(quote.pay, quote.earned, quote.redeemed)
    return msgspec.structs.replace(
        state,
        balance=state.balance - quote.redeemed + quote.earned,
        counters=counters.counted(state.counters, day_of(sale), receipt),
        coupons=tuple(code for code in state.coupons if code not in quote.coupons_used),
        stamps=moved(state.stamps, stamps, quote.stamps_after),
        tier=quote.tier_after if known else state.tier,
    )


def _return(state: MemberState, taken: Return) -> MemberState:
    """The counters lose what the sale had put into the periods of its own day; the tier follows from them."""
    move = counters.Move(
        -taken.purchases, -taken.turnover, -taken.earnings, -taken.redemptions, -taken.points_back
    )  # fmt: skip
    return msgspec.structs.replace(
        state,
        balance=state.balance + taken.points_back - taken.clawback,
        counters=counters.moved(state.counters, taken.day, move),
    )
