"""Asks the engine for a quote and keeps with it everything that a later commit must not look up again."""

from __future__ import annotations

from dataclasses import replace

from agent.checkout.model import Attached, Context, Offer, Redeem
from loyalty import engine
from loyalty.member import rolled
from loyalty.programme import Programme
from loyalty.quote import Basket, Refusal


def make_offer(
    context: Context,
    programme: Programme,
    basket: Basket,
    redeem: Redeem,
    attached: Attached | None,
    token: str | None,
) -> Offer | Refusal:
    """Quote the basket now. There are no holds at the server yet, so redemption follows the offline policy (decision 0002)."""
    at = context.now
    state = rolled(attached.state, programme.day(at)) if attached else None
    quote = engine.quote(programme, state, basket, at, redeem, offline=True, store=context.store or "")
    if isinstance(quote, Refusal):
        return quote
    return Offer(context.new_id, at, basket, redeem, quote, attached, state, token, programme, context.store or "")


def requote(offer: Offer, redeem: int) -> Offer | Refusal:
    """The same offer, as of its own time, with that many points paid."""
    quote = engine.quote(offer.programme, offer.state, offer.basket, offer.at, redeem, offline=True, store=offer.store)
    return quote if isinstance(quote, Refusal) else replace(offer, redeem=redeem, quote=quote)
