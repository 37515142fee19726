"""The slips of the checkout as documents: numbers become finished text in the language of the receipt."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from agent.checkout.model import Attached, Context, Offer
from agent.views import SlipData
from loyalty import enrolment_token, i18n
from loyalty.money import BASIS
from loyalty.programme import Programme
from loyalty.quote import ToNextTier
from receipt_templates.document import Document
from receipt_templates.layout import slip_lines

_FRESH = timedelta(minutes=10)
"""A balance younger than this is printed without its age."""


def sale_slip(offer: Offer, context: Context, receipt_number: str | None) -> Document:
    """The slip of a sale. Before the receipt is closed it has no number yet."""
    quote, currency, language = offer.quote, offer.programme.header.currency, context.language
    fields: dict[str, object] = {
        "shop": context.shop or None,
        "at": _moment(offer.at, offer.programme, context),
        "receipt_number": receipt_number,
        "total": i18n.money(quote.total, currency, language),
        "discount": i18n.money(quote.discount, currency, language) if quote.discount else None,
        "redeemed": i18n.money(sum(quote.line_redeemed), currency, language) if quote.redeemed else None,
        "pay": i18n.money(quote.pay, currency, language),
        "earned": _points(quote.earned, offer.programme, context) if quote.earned else None,
        **(_member(offer, offer.attached, context) if offer.attached else {}),
        **(_invitation(enrolment_token.url(context.enrolment_url, offer.token), context) if offer.token else {}),
    }
    return context.render("sale", language, fields)


def enrolment_slip(context: Context, url: str) -> Document:
    """A slip with nothing but the invitation."""
    at = _moment(context.now, context.programme, context) if context.programme else None
    return context.render(
        "enrolment", context.language, {"shop": context.shop or None, "at": at, **_invitation(url, context)}
    )


def slip_data(offer: Offer, context: Context) -> SlipData:
    """The slip for a POS that prints by itself; no lines where the programme's `paper` gives this buyer none."""
    if not may_have_slip(offer):
        return SlipData((), None)
    qr = enrolment_token.url(context.enrolment_url, offer.token) if offer.token else None
    return SlipData(tuple(slip_lines(sale_slip(offer, context, None), context.columns)), qr)


def may_have_slip(offer: Offer) -> bool:
    """False where the programme's `paper` gives this buyer no slip, whoever asks for it."""
    paper = offer.programme.header.paper
    return paper != "never" and not (paper == "no_member" and offer.attached)


def _member(offer: Offer, attached: Attached, context: Context) -> dict[str, object]:
    if attached.known is None:
        return {"card_only": True}
    quote, programme = offer.quote, offer.programme
    as_of = attached.state.as_of
    old = as_of is not None and offer.at - as_of > _FRESH
    return {
        "balance": _balance(quote.balance_after, programme, context),
        "as_of": _moment(as_of, programme, context) if old and as_of else None,
        "tier": _tier(programme, quote.tier_after, context),
        **(_next_tier(quote.to_next_tier, programme, context) if quote.to_next_tier else {}),
    }


def _invitation(url: str, context: Context) -> dict[str, object]:
    days = i18n.counted("days", context.valid_days, context.language)
    return {"qr": url, "qr_host": urlsplit(url.lower()).netloc, "valid_days": days}


def _points(amount: int, programme: Programme, context: Context) -> str:
    return i18n.points(amount, programme.header.point_decimals, context.language)


def _balance(balance: int, programme: Programme, context: Context) -> str:
    """A debt is told as what it means: nothing now, and the next points repay it."""
    if balance >= 0:
        return _points(balance, programme, context)
    return i18n.text("slip.debt", context.language, points=_points(-balance, programme, context))


def _tier(programme: Programme, tier: str | None, context: Context) -> str | None:
    names = {each.id: each.name for each in programme.tiers}
    return i18n.named(names.get(tier, {}), context.language, tier) if tier else None


def _next_tier(missing: ToNextTier, programme: Programme, context: Context) -> dict[str, object]:
    """What is missing in words, and how far the shorter of the ways has been gone."""
    language = context.language
    ways = []
    if missing.purchases is not None:
        ways.append(i18n.counted("purchases", missing.purchases, language))
    if missing.turnover is not None:
        ways.append(i18n.money(missing.turnover, programme.header.currency, language))
    way = i18n.text("prompt.or", language, first=ways[0], second=ways[1]) if len(ways) > 1 else "".join(ways)
    tier = _tier(programme, missing.tier, context) or ""
    return {
        "to_next": i18n.text("slip.to_next", language, tier=tier, missing=way),
        "progress_bp": _progress(missing, programme),
    }


def _progress(missing: ToNextTier, programme: Programme) -> int | None:
    left = {"purchases": missing.purchases, "turnover": missing.turnover}
    conditions = [condition for tier in programme.tiers if tier.id == missing.tier for condition in tier.any_of]
    gone = [
        BASIS * max(condition.at_least - rest, 0) // condition.at_least
        for condition in conditions
        if (rest := left[condition.counter]) is not None
    ]
    return max(gone, default=None)


def _moment(at: datetime, programme: Programme, context: Context) -> str:
    local = at.astimezone(ZoneInfo(programme.header.timezone))
    return f"{local:%d.%m.%Y %H:%M}" if context.language == "ru" else f"{local:%Y-%m-%d %H:%M}"
