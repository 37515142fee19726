"""A member whom this store does not know is asked of the server. The receipt goes on meanwhile; nothing waits for it.

Whoever asked is answered once, when the search is over: by the server's word, when its time is up, or as soon as the
receipt has moved on to another card, to its end, or to the same member by the replica.
"""

from __future__ import annotations

from dataclasses import replace

from agent.checkout.model import Announce, Asking, AskServer, Context, Effect, Respond, State
from agent.checkout.view import view
from agent.views import CodeKind, Identified

SEARCH_WAITS = 1.8
"""Seconds that a search may take: 1 to connect, 0.8 for the answer."""


def ask(state: State, asking: Asking) -> tuple[State, tuple[Effect, ...]]:
    """Ask the server, unless it is being asked about the same already."""
    before = state.asking
    if before is not None and before.key == asking.key:
        return replace(state, asking=replace(asking, until=before.until)), ()
    return replace(state, asking=asking), (AskServer(asking.key, asking.phone),)


def settle(before: State, after: State, context: Context) -> tuple[State, tuple[Effect, ...]]:
    """End a search that the receipt has overtaken, and answer whoever waits for one that has ended in this step."""
    if after.asking is not None and _is_overtaken(after.asking, after):
        after = replace(after, asking=None)
    if before.asking is None or before.asking == after.asking:
        return after, ()
    return after, (answer(before.asking, after, context),)


def answer(asking: Asking, state: State, context: Context) -> Effect:
    """Say what came of it."""
    kind = _kind(asking, state)
    if asking.reply is not None:
        return Respond(asking.reply, Identified(kind, view(state, context)))
    return Announce(asking.device or "", kind)


def _is_overtaken(asking: Asking, state: State) -> bool:
    attached = state.attached
    if state.sold is not None or (attached.card if attached else None) != asking.beside:
        return True
    return attached is not None and attached.card == asking.key and attached.known is not None


def _kind(asking: Asking, state: State) -> CodeKind:
    attached = state.attached
    if attached is not None and attached.card == asking.key and attached.known is not None:
        return "member_card"
    return "not_loyalty" if asking.phone else "card_only"
