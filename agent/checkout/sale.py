"""The sale at the checkout: committed once the receipt is closed, never twice."""

from __future__ import annotations

from dataclasses import replace

from agent.checkout.cards import Step, notice
from agent.checkout.model import (
    Commit,
    Context,
    FindSale,
    NotStored,
    Offer,
    Recovered,
    Respond,
    State,
    Stored,
    StoreEnrolment,
    Storing,
    TakeToken,
)
from agent.checkout.offer import requote
from agent.checkout.slip import enrolment_slip, may_have_slip, sale_slip
from agent.checkout.view import sold_view
from agent.messages import CommitSale, Enrol
from agent.problems import problem, refused
from agent.views import Prints, SaleAnswer, Sold
from loyalty import enrolment_token
from loyalty.quote import Refusal
from loyalty.wire import ReceiptId, Sale

SOLD_STAYS = 60.0
"""Seconds that a finished sale stays on the screen when nothing else happens."""

_RECEIPT_IS_OVER = ("receipt_conflict", "sale_conflict")


def on_commit(state: State, event: CommitSale, context: Context) -> Step:
    """Store the sale of that quote; a quote that is not open any more may have been stored before."""
    offer = _wanted(state, event)
    if offer is None or context.store is None:
        return replace(state, storing=Storing(event, None)), (FindSale(event.quote_id),)
    if event.redeemed != offer.quote.redeemed:
        again = requote(offer, event.redeemed)
        if isinstance(again, Refusal):
            return state, (Respond(event.reply, refused(again)),)
        offer = again
    return replace(state, storing=Storing(event, offer)), (_commit(event, offer, context.store, context),)


def on_stored(state: State, event: Stored, context: Context) -> Step:
    """The sale is on the disk: answer, show it, and the receipt is over."""
    storing = state.storing
    if storing is None or storing.call.quote_id != event.sale_id:
        return state, ()
    if storing.call.request_hash != event.request_hash:
        return replace(state, storing=None), (Respond(storing.call.reply, problem("sale_conflict")),)
    respond = Respond(storing.call.reply, SaleAnswer(event.created, event.sold))
    if storing.offer is None:
        return replace(state, storing=None), (respond,)
    shown = sold_view(storing.offer, event.sold, context)
    after = replace(_empty(state), sold=shown, idle_at=context.tick + SOLD_STAYS)
    return after, (respond,)


def on_not_stored(state: State, event: NotStored, context: Context) -> Step:
    """Nothing was stored. The receipt stays open for another try, unless the queue knows it under another sale."""
    storing = state.storing
    if storing is None or storing.call.quote_id != event.sale_id:
        return state, ()
    respond = Respond(storing.call.reply, problem(event.code))
    after = replace(state, storing=None)
    if storing.offer is None:
        return after, (respond,)
    if event.code in _RECEIPT_IS_OVER:
        return notice(_empty(state), "till.sale_known", context), (respond,)
    return notice(after, "till.sale_not_stored", context), (respond,)


def on_enrol(state: State, event: Enrol, context: Context) -> Step:
    """A QR without a sale."""
    token, programme = context.next_token, context.programme
    if programme is None or not context.ready:
        return state, (Respond(event.reply, problem("no_programme")),)
    if token is None:
        return state, (Respond(event.reply, problem("busy")),)
    url = enrolment_token.url(context.enrolment_url, token)
    slip = enrolment_slip(context, url) if context.prints and programme.header.paper != "never" else None
    return state, (TakeToken(), StoreEnrolment(token, url, slip, event.reply))


def on_recovered(state: State, event: Recovered, context: Context) -> Step:  # noqa: ARG001 - one shape for all handlers
    """Whoever still waits learns that the outcome is unknown; asking again is safe."""
    asked = (state.finding, state.storing and state.storing.call, state.holding and state.holding.call)
    replies = [each.reply for each in asked if each and each.reply]
    after = notice(replace(state, finding=None, storing=None, holding=None), "till.recovered", context)
    return after, tuple(Respond(reply, problem("internal")) for reply in replies)


def _wanted(state: State, call: CommitSale) -> Offer | None:
    """The offer of that quote, as it is now; but a QR that the POS prints by itself must be the one of the sale.

    So where a card has joined the receipt behind an answer with a QR, the POS that prints gets what it was answered:
    the points wait behind that QR, for the holder of the card too.
    """
    offers = [each for each in (state.offer, state.previous) if each and each.id == call.quote_id]
    with_qr = [each for each in offers if each.token and call.prints == "pos"]
    return next(iter(with_qr or offers), None)


def _empty(state: State) -> State:
    return State(waiting=state.waiting, shown=state.shown, used=state.used)


def _commit(call: CommitSale, offer: Offer, store: str, context: Context) -> Commit:
    quote, attached, receipt = offer.quote, offer.attached, call.receipt
    known = attached.known if attached else None
    prints = _on_paper(call.prints, offer, context)
    token = offer.token if prints else None
    sale = Sale(
        receipt=ReceiptId(
            store=store,
            till=context.till,
            business_day=receipt.business_day,
            shift=receipt.shift,
            number=receipt.number,
            fn=receipt.fn,
            fd=receipt.fd,
            fp=receipt.fp,
        ),
        basket=offer.basket,
        quote=quote,
        offline=offer.offline,
        member=known.member if known else None,
        card=attached.card if attached and not known else None,
        member_state=offer.state,
        token=token,
        cashier=call.cashier,
        hold=offer.hold.id if offer.hold else None,
    )
    sold = Sold(
        sale_id=offer.id,
        seq=0,
        earned=quote.earned,
        redeemed=quote.redeemed,
        balance_after=quote.balance_after if known else None,
        job=None,
        token=token,
    )
    slip = sale_slip(offer, context, receipt.number) if prints == "agent" else None
    return Commit(offer.id, call.request_hash, offer.at, sale, sold, slip)


def _on_paper(wanted: Prints, offer: Offer, context: Context) -> Prints | None:
    """Who really puts the slip on paper; None = nobody. The programme's `paper` decides about our own slips."""
    if wanted == "pos":
        return "pos"
    due = wanted == "requested" or (wanted == "agent" and offer.programme.header.paper != "on_request")
    return "agent" if due and context.prints and may_have_slip(offer) else None
