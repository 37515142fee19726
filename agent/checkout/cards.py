"""Codes at the checkout: whose card is it, and what does that change for the receipt that is open."""

from __future__ import annotations

from dataclasses import replace

from agent.checkout import codes
from agent.checkout.asking import SEARCH_WAITS, answer, ask
from agent.checkout.model import (
    Announce,
    Asking,
    Attached,
    Context,
    Effect,
    Finding,
    FindMember,
    Known,
    MemberFound,
    Offer,
    Refreshed,
    Respond,
    Searched,
    State,
)
from agent.checkout.offer import make_offer
from agent.checkout.view import view
from agent.messages import Identify, Reply, Scanned
from agent.problems import problem
from agent.views import CodeKind, Identified
from loyalty.codes import Code
from loyalty.i18n import texts
from loyalty.quote import Refusal

NOTICE_STAYS = 10.0
"""Seconds that "not a loyalty code" and the like stay on the screen."""

MEMBER_STAYS = 300.0
"""Seconds after which a member without a receipt leaves, so that the next customer does not become him."""

NOT_ASKED = "till.phone_not_asked"

Step = tuple[State, tuple[Effect, ...]]


def on_scan(state: State, event: Scanned, context: Context) -> Step:
    """A member card is looked up, a code of goods is not ours to say anything about, all else is told."""
    if not context.ready:
        return state, ()
    if event.partial:
        return notice(begin(state), "till.scan_cut", context), ()
    code = codes.scanned(event, context)
    if codes.is_goods(code):
        return state, ()
    sought = _seek(state, code, context, device=event.device)
    return sought or (_not_loyalty(state, code, context), (Announce(event.device, "not_loyalty"),))


def on_identify(state: State, event: Identify, context: Context) -> Step:
    """The POS asks with a code of its own scanner or keyboard."""
    if not context.ready:
        return state, (Respond(event.reply, problem("no_programme")),)
    code = codes.given(event.code, context)
    sought = _seek(state, code, context, reply=event.reply)
    if sought is not None:
        return sought
    after = _not_loyalty(state, code, context)
    return after, (Respond(event.reply, Identified("not_loyalty", view(after, context))),)


def on_refreshed(state: State, event: Refreshed, context: Context) -> Step:  # noqa: ARG001 - one shape for all handlers
    """Look up again whose card is attached: a member may have become known, or his balance newer."""
    return _find(state, Finding(state.attached.card)) if state.attached and context.ready else (state, ())


def on_found(state: State, event: MemberFound, context: Context) -> Step:
    """Attach the card that was asked for, and no other."""
    finding = state.finding
    if finding is None or finding.card != event.card:
        return state, ()
    state = replace(state, finding=None)
    if finding.told:
        return _told(state, event.known, context)
    if finding.reply is None and finding.device is None:
        return _freshen(state, event.known, context), ()
    attached = Attached(event.card, event.known or _known_here(state, event.card))
    after = _join(begin(state), attached, context)
    if attached.known is None:
        return _ask(after, finding, context, phone=False)
    kind: CodeKind = "member_card"
    if finding.reply is not None:
        return after, (Respond(finding.reply, Identified(kind, view(after, context))),)
    return after, (Announce(finding.device or "", kind),)


def on_searched(state: State, event: Searched, context: Context) -> Step:
    """The server knows him, or nobody, or could not be asked; what is not asked about any more says nothing."""
    asking = state.asking
    if asking is None or asking.key != event.key:
        return state, ()
    if event.told is not None:
        return replace(state, finding=Finding(asking.key, told=True)), (FindMember(asking.key, event.told),)
    return _nobody(state, asking, "till.phone_unknown" if event.asked else NOT_ASKED, context), ()


def unanswered(state: State, asking: Asking, context: Context) -> State:
    """The server has not said in time who it is."""
    return _nobody(state, asking, NOT_ASKED, context)


def begin(state: State) -> State:
    """After a sale the next thing that happens starts a new receipt."""
    if not state.sold:
        return state
    return State(waiting=state.waiting, finding=state.finding, shown=state.shown, used=state.used)


def notice(state: State, key: str, context: Context) -> State:
    """Show a sentence to the cashier for a while."""
    return replace(state, notice=texts(key), notice_until=context.tick + NOTICE_STAYS)


def _seek(
    state: State, code: Code, context: Context, reply: Reply | None = None, device: str | None = None
) -> Step | None:
    """Look the card up, or ask whose telephone it is; None = the code is neither."""
    card, phone = codes.card_of(code), codes.phone_of(code)
    if card is not None and not codes.is_replayed(state, code, context):
        return _find(codes.use(state, code, context), Finding(card, reply, device))
    if phone is None:
        return None
    return _ask(replace(begin(state), unknown=False), Finding(phone, reply, device), context, phone=True)


def _find(state: State, finding: Finding) -> Step:
    return replace(state, finding=finding), (FindMember(finding.card),)


def _ask(state: State, finding: Finding, context: Context, *, phone: bool) -> Step:
    """The server may know whom nobody here knows. Whoever has asked is answered when the search is over."""
    beside = state.attached.card if state.attached else None
    until = context.tick + SEARCH_WAITS
    asking = Asking(finding.card, phone, beside, until, finding.reply, finding.device)
    if context.may_search:
        return ask(state, asking)
    after = unanswered(state, asking, context)
    return after, (answer(asking, after, context),)


def _nobody(state: State, asking: Asking, key: str, context: Context) -> State:
    """A card goes on without its member; of a telephone the cashier is told that it leads nowhere."""
    after = replace(state, asking=None)
    return notice(after, key, context) if asking.phone else after


def _told(state: State, known: Known | None, context: Context) -> Step:
    asking, after = state.asking, replace(state, asking=None)
    return (_join(after, Attached(asking.key, known), context) if asking and known else after), ()


def _join(state: State, attached: Attached, context: Context) -> State:
    after = replace(state, attached=attached, unknown=False, notice=None, notice_until=None)
    return _requote(after, context) if after.offer else replace(after, idle_at=context.tick + MEMBER_STAYS)


def _known_here(state: State, card: str) -> Known | None:
    """Whom the server has shown for this receipt is known to it when his card comes again."""
    attached = None if state.sold else state.attached
    return attached.known if attached and attached.card == card else None


def _freshen(state: State, known: Known | None, context: Context) -> State:
    """Take over what is known of the member now. A replica that knows nobody any more makes no member a stranger."""
    if state.attached is None or known is None or known == state.attached.known:
        return state
    after = replace(state, attached=Attached(state.attached.card, known))
    if after.offer is None:
        return after
    return _requote(after, replace(context, now=after.offer.at, programme=after.offer.programme))


def _not_loyalty(state: State, code: Code, context: Context) -> State:
    key = codes.REPLAYED if codes.is_replayed(state, code, context) else codes.notice_key(code)
    return notice(replace(begin(state), unknown=True), key, context)


def _requote(state: State, context: Context) -> State:
    """Quote the open receipt again for the card that has just joined it, or for what is known of its member now.

    Points of another card are not spent for this one, nor any that the member does not have any more. Where the money is
    as the POS knows it, its quote id stays too; where it is not, the quote that the POS knows can still be committed,
    because the receipt may be closed already.
    """
    old, programme = state.offer, context.programme
    if old is None or programme is None:
        return state
    same_card = old.attached is not None and state.attached is not None and old.attached.card == state.attached.card
    answered = state.previous or old
    hold, taken, redeem = (old.hold, old.taken, old.redeem) if same_card else (None, (), 0)
    redeem = old.quote.redeemed if hold else redeem
    made = make_offer(context, programme, old.basket, redeem, state.attached, None, hold, taken)
    if isinstance(made, Refusal):
        made = make_offer(context, programme, old.basket, 0, state.attached, None, taken=taken)
    if isinstance(made, Refusal):
        return replace(state, offer=None, previous=answered)
    if _money(made) == _money(answered):
        made = replace(made, id=answered.id)
    return replace(state, offer=made, previous=answered)


def _money(offer: Offer) -> tuple[object, ...]:
    quote = offer.quote
    return quote.total, quote.pay, quote.line_discounts, quote.line_redeemed
