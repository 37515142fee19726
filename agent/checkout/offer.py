"""Asks the engine for a quote and keeps with it everything that a later commit must not look up again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec

from agent.checkout.model import Attached, Context, Held, Offer, Redeem
from loyalty import engine
from loyalty.member import rolled
from loyalty.programme import Programme
from loyalty.quote import Basket, MemberState, Refusal


def make_offer(
    context: Context,
    programme: Programme,
    basket: Basket,
    redeem: Redeem,
    attached: Attached | None,
    token: str | None,
    hold: Held | None = None,
    taken: tuple[str, ...] = (),
) -> Offer | Refusal:
    """Quote the basket now. Points that no hold covers follow the offline policy (decision 0002).

    While none are to be paid and the server is there, the quote says how many could be held.
    """
    at, store = context.now, context.store or ""
    state = _as_told(attached, programme, at, taken) if attached else None
    if state is not None and hold is not None:
        state = _with_held(state, hold)
    offline = hold is None and not (redeem == 0 and context.live)
    quote = engine.quote(programme, state, basket, at, redeem, offline=offline, store=store)
    if isinstance(quote, Refusal):
        return quote
    return Offer(
        context.new_id, at, basket, redeem, quote, attached, state, token, programme, store, offline, hold, taken
    )


def make_wish(
    context: Context,
    programme: Programme,
    basket: Basket,
    redeem: Redeem,
    attached: Attached,
    most: int | None = None,
    taken: tuple[str, ...] = (),
) -> Offer | Refusal:
    """Quote the basket as it would be if the server holds points and coupons; `most` and `taken` are what it has said."""
    at, store = context.now, context.store or ""
    state = _as_told(attached, programme, at, taken)
    if most is not None:
        state = msgspec.structs.replace(state, balance=min(state.balance, most))
    quote = engine.quote(programme, state, basket, at, redeem, offline=False, store=store)
    if isinstance(quote, Refusal):
        return quote
    return Offer(
        context.new_id, at, basket, redeem, quote, attached, state, None, programme, store, offline=False, taken=taken
    )


def requote(offer: Offer, redeem: int) -> Offer | Refusal:
    """The same offer, as of its own time, with that many points paid."""
    offline = redeem > (offer.hold.points if offer.hold else 0)
    quote = engine.quote(
        offer.programme, offer.state, offer.basket, offer.at, redeem, offline=offline, store=offer.store
    )
    return quote if isinstance(quote, Refusal) else replace(offer, redeem=redeem, quote=quote, offline=offline)


def _as_told(attached: Attached, programme: Programme, at: datetime, taken: tuple[str, ...]) -> MemberState:
    """The member as the engine is told of him at that time."""
    state = rolled(attached.state, programme.day(at))
    return msgspec.structs.replace(state, coupons=tuple(code for code in state.coupons if code not in taken))


def _with_held(state: MemberState, hold: Held) -> MemberState:
    """What is held is there, whatever the replica knows."""
    return msgspec.structs.replace(state, balance=max(state.balance, hold.points))
