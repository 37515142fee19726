"""step(state, event, context) -> (state, effects): the whole life of a sale at one till, pure and total.

    idle -- scan or identify --> finding --> member | card_only           (an unknown code leaves everything as it is)
      a card that nobody here knows, or a telephone --> the server is asked, and nothing waits for it
      basket --> offer, asked again as often as the POS likes; a card scanned meanwhile joins or replaces the member
      points to be paid, and a server --> holding --> offer; without its word in time the offline policy decides
      what is held and not sold is released by the step that drops its quote, whichever that is
      commit --> storing --> sold --> idle with the next basket or scan, or after a while
    news of the replica --> the attached card is looked up again, and the receipt quoted again where that changes it

While something is being found, stored or held, whatever comes waits and is taken again afterwards, in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.checkout import basket, cards, sale
from agent.checkout.asking import settle
from agent.checkout.cards import Step
from agent.checkout.holds import let_go
from agent.checkout.model import (
    Again,
    Context,
    Dropped,
    Effect,
    Event,
    HoldAnswered,
    MemberFound,
    NotStored,
    Recovered,
    Refreshed,
    Respond,
    Searched,
    Show,
    State,
    Stored,
    WakeAt,
    Woke,
)
from agent.checkout.view import view
from agent.messages import CancelBasket, CommitSale, Enrol, Identify, PutBasket, Scanned, TillEvent
from agent.problems import problem

WAITING = 64
"""Most events that wait for a look-up, a commit or a hold."""


def step(state: State, event: Event, context: Context) -> Step:
    """Take one event. Never raises; each PosCall gets exactly one Respond or StoreEnrolment, now or in a later step."""
    if state.busy and isinstance(event, TillEvent | Refreshed | Searched):
        return _wait(state, event)
    after, effects = _HANDLERS[type(event)](_fade(state, context), event, context)
    after, settled = settle(state, after, context)
    effects = (*let_go(state, after, event), *effects, *settled)
    if after.waiting and not after.busy:
        effects += tuple(Again(each) for each in after.waiting)
        after = replace(after, waiting=())
    return _paint(state, after, effects, context)


_HANDLERS: dict[type, Callable[[State, Any, Context], Step]] = {
    Scanned: cards.on_scan,
    Identify: cards.on_identify,
    MemberFound: cards.on_found,
    PutBasket: basket.on_basket,
    HoldAnswered: basket.on_hold_answered,
    Searched: cards.on_searched,
    CommitSale: sale.on_commit,
    Stored: sale.on_stored,
    NotStored: sale.on_not_stored,
    CancelBasket: basket.on_cancel,
    Enrol: sale.on_enrol,
    Recovered: sale.on_recovered,
    Woke: basket.on_woke,
    Refreshed: cards.on_refreshed,
}


def _wait(state: State, event: TillEvent | Refreshed | Searched) -> Step:
    if isinstance(event, Refreshed) and event in state.waiting:
        return state, ()
    if isinstance(event, Refreshed | Searched) or len(state.waiting) < WAITING:
        return replace(state, waiting=(*state.waiting, event)), ()
    if isinstance(event, Scanned):
        return state, (Dropped(),)
    return state, (Respond(event.reply, problem("busy")),)


def _fade(state: State, context: Context) -> State:
    """Take off the screen what has been there long enough, and let the server off an answer that is too late."""
    asking, told = state.asking, state.finding is not None and state.finding.told
    if asking is not None and context.tick >= asking.until and not told:
        state = cards.unanswered(state, asking, context)
    if state.notice_until is not None and context.tick >= state.notice_until:
        state = replace(state, notice=None, notice_until=None, unknown=False)
    if state.idle_at is not None and context.tick >= state.idle_at and not state.busy:
        kept = State(waiting=state.waiting, shown=state.shown, used=state.used)
        state = replace(kept, unknown=state.unknown, notice=state.notice, notice_until=state.notice_until)
    return state


def _paint(before: State, after: State, effects: tuple[Effect, ...], context: Context) -> Step:
    shown = view(after, context)
    if shown != before.shown:
        after = replace(after, shown=shown)
        effects += (Show(shown),)
    due = _due(after)
    if due is not None and due != _due(before):
        effects += (WakeAt(due),)
    return after, effects


def _due(state: State) -> float | None:
    waits = [each.until for each in (state.holding, state.asking) if each]
    times = (state.notice_until, state.idle_at, *waits)
    return min((each for each in times if each is not None), default=None)
