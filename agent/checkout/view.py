"""The cashier page's view of a checkout state."""

from __future__ import annotations

from agent.checkout.model import Attached, Context, Offer, State
from agent.views import Sold, View, ViewState
from loyalty import i18n
from loyalty.i18n import texts
from loyalty.member import rolled
from loyalty.programme import Programme
from loyalty.quote import Texts
from loyalty.rules import tiers


def view(state: State, context: Context) -> View:
    """Say what the page shows. Pure: equal states and programmes give equal views."""
    programme = context.programme
    if programme is None or context.store is None:
        key = "till.wait_claim" if context.store is None else "till.wait_programme"
        return View(till=context.till, state="unavailable", notice=texts(key))
    if state.sold is not None:
        return state.sold
    attached, quote = state.attached, state.offer.quote if state.offer else None
    tier = quote.tier if quote else _tier(programme, attached, context)
    return View(
        till=context.till,
        state=_name(state),
        greeting=attached.known.greeting if attached and attached.known else None,
        tier=tier,
        tier_name=tier_name(programme, tier),
        balance=attached.known.state.balance if attached and attached.known else None,
        as_of=attached.state.as_of if attached else None,
        earns=quote.earned if quote else None,
        max_redeem=quote.max_redeem if quote else None,
        redeemed=quote.redeemed if quote else None,
        pay=quote.pay if quote else None,
        total=quote.total if quote else None,
        currency=programme.header.currency,
        point_decimals=programme.header.point_decimals,
        say=quote.prompt if quote else _greet(attached),
        notice=texts("till.asking") if state.asking else state.notice,
    )


def tier_name(programme: Programme, tier: str | None) -> Texts | None:
    """The name of a tier in each language; a tier without one is called by its id."""
    if tier is None:
        return None
    names = {each.id: each.name for each in programme.tiers}.get(tier, {})
    return {language: i18n.named(names, language, tier) for language in i18n.LANGUAGES}


def _tier(programme: Programme, attached: Attached | None, context: Context) -> str | None:
    if attached is None or attached.known is None:
        return None
    day = programme.day(context.now)
    held = tiers.held(programme, rolled(attached.state, day), day)
    return held.id if held else None


def _name(state: State) -> ViewState:
    if state.attached is not None:
        return "member" if state.attached.known else "card_only"
    return "unknown_code" if state.unknown else "idle"


def _greet(attached: Attached | None) -> Texts:
    if attached is None:
        return {}
    return texts("till.say_member") if attached.known else texts("till.say_card_only")


def sold_view(offer: Offer, sold: Sold, context: Context) -> View:
    """What the page shows after the sale: who, what was earned, what is there now."""
    attached, quote, header = offer.attached, offer.quote, offer.programme.header
    known = attached.known if attached else None
    return View(
        till=context.till,
        state="sold",
        greeting=known.greeting if known else None,
        tier=quote.tier_after,
        tier_name=tier_name(offer.programme, quote.tier_after) if attached else None,
        balance=sold.balance_after,
        earns=sold.earned,
        redeemed=sold.redeemed,
        pay=quote.pay,
        total=quote.total,
        currency=header.currency,
        point_decimals=header.point_decimals,
        say=_thank(attached, sold),
    )


def _thank(attached: Attached | None, sold: Sold) -> Texts:
    if attached is None:
        return texts("till.say_sold_no_card") if sold.token else {}
    return texts("till.say_sold") if attached.known else texts("till.say_sold_card_only")
