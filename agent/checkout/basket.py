"""The open receipt: quoted as often as the POS likes, its points and coupons held by the server where it answers in time.

Where points are to be paid or a coupon is used, and the server is there, the quote waits for its word, for `HOLD_WAITS` at
most. If none comes, the programme's offline policy decides about the points, and the coupon is good, as without a server.
"""

from __future__ import annotations

from dataclasses import replace

from agent.checkout.cards import Step, begin, notice
from agent.checkout.holds import held
from agent.checkout.model import (
    Context,
    Effect,
    Held,
    HoldAnswered,
    Holding,
    HoldPoints,
    Offer,
    Respond,
    State,
    TakeToken,
    Woke,
)
from agent.checkout.offer import make_offer, make_wish
from agent.checkout.slip import slip_data
from agent.messages import CancelBasket, PutBasket
from agent.problems import problem, refused
from agent.views import Cancelled, Quoted
from loyalty.programme import Programme
from loyalty.quote import Refusal

HOLD_WAITS = 0.8
"""Seconds that a quote waits for a hold."""

COUPON_TAKEN = "till.coupon_taken"


def on_basket(state: State, event: PutBasket, context: Context) -> Step:
    """Quote the receipt as it is now. A refusal changes nothing."""
    programme = context.programme
    if programme is None or not context.ready:
        return state, (Respond(event.reply, problem("no_programme")),)
    return _ask(state, event, programme, context, context.tick + HOLD_WAITS) or _offline(
        state, event, programme, context
    )


def on_hold_answered(state: State, event: HoldAnswered, context: Context) -> Step:
    """The server holds it all, or less; an answer that nobody waits for any more says nothing."""
    holding = state.holding
    if holding is None or holding.offer.hold != event.hold:
        return state, ()
    if event.granted:
        return _offered(replace(state, holding=None), holding.call, holding.offer, context)
    if event.most is None and not event.taken:
        return _unanswered(state, holding, context)
    after = replace(state, holding=None)
    return _ask_for_less(notice(after, COUPON_TAKEN, context) if event.taken else after, holding, event, context)


def on_woke(state: State, event: Woke, context: Context) -> Step:  # noqa: ARG001 - one shape for all handlers
    """A hold that was not answered in time will not be waited for."""
    holding = state.holding
    return _unanswered(state, holding, context) if holding and context.tick >= holding.until else (state, ())


def on_cancel(state: State, event: CancelBasket, context: Context) -> Step:  # noqa: ARG001 - one shape for all handlers
    """The receipt is not going to happen; the member leaves too."""
    after = State(waiting=state.waiting, shown=state.shown, used=state.used)
    return after, (Respond(event.reply, Cancelled()),)


def _ask(
    state: State,
    call: PutBasket,
    programme: Programme,
    context: Context,
    until: float,
    most: int | None = None,
    taken: tuple[str, ...] = (),
) -> Step | None:
    """Ask the server to hold what shall be paid and used; None = there is nothing to ask, or nobody."""
    attached = state.attached
    if not context.live or attached is None or attached.known is None or state.sold:
        return None
    if call.redeem == 0 and not attached.state.coupons:
        return None
    wish = make_wish(context, programme, call.basket, call.redeem, attached, most, taken)
    if isinstance(wish, Refusal):
        return state, (Respond(call.reply, refused(wish)),)
    if not wish.quote.redeemed and not wish.quote.coupons_used:
        return None
    old, member = held(state), attached.known.member
    name = old.id if old and old.member == member else context.new_id
    hold = Held(name, member, wish.quote.redeemed, wish.quote.coupons_used)
    after = replace(state, holding=Holding(call, replace(wish, hold=hold), until, most))
    return after, (HoldPoints(hold),)


def _ask_for_less(state: State, holding: Holding, event: HoldAnswered, context: Context) -> Step:
    """Ask for what the server has left to give; where that is nothing, no points are paid, whatever is allowed offline."""
    call, programme, taken = holding.call, holding.offer.programme, (*holding.offer.taken, *event.taken)
    most = holding.most if event.most is None else event.most
    asked = _ask(state, call, programme, context, holding.until, most, taken)
    if asked is None or _asks_again(asked[0], event.hold):
        return _offline(state, replace(call, redeem=0), programme, context, taken)
    return asked


def _asks_again(state: State, refused_hold: Held) -> bool:
    """Whether the very same is asked for that has just been refused."""
    hold = state.holding.offer.hold if state.holding else None
    return hold is not None and (hold.points, hold.coupons) == (refused_hold.points, refused_hold.coupons)


def _unanswered(state: State, holding: Holding, context: Context) -> Step:
    """The offline policy decides."""
    offer = holding.offer
    return _offline(replace(state, holding=None), holding.call, offer.programme, context, offer.taken)


def _offline(
    state: State, call: PutBasket, programme: Programme, context: Context, taken: tuple[str, ...] = ()
) -> Step:
    begun = begin(state)
    token = None if begun.attached or programme.header.paper == "never" else begun.token or context.next_token
    offer = make_offer(context, programme, call.basket, call.redeem, begun.attached, token, taken=taken)
    if isinstance(offer, Refusal):
        return state, (Respond(call.reply, refused(offer)),)
    return _offered(begun, call, offer, context)


def _offered(state: State, call: PutBasket, offer: Offer, context: Context) -> Step:
    taken: tuple[Effect, ...] = (TakeToken(),) if offer.token and offer.token != state.token else ()
    answer = Quoted(offer.id, offer.quote, offer.quote.prompt, slip_data(offer, context))
    after = replace(state, offer=offer, previous=None, token=offer.token or state.token, idle_at=None)
    return after, (*taken, Respond(call.reply, answer))
