"""What the server holds for a receipt is given back as soon as nothing here needs it any more, whatever the reason."""

from __future__ import annotations

from agent.checkout.model import Event, Held, HoldAnswered, NotStored, ReleaseHold, State, Stored


def held(state: State) -> Held | None:
    """What is held for the open receipt: a quote that the POS may still commit keeps its hold."""
    return next((offer.hold for offer in (state.offer, state.previous) if offer and offer.hold), None)


def let_go(before: State, after: State, event: Event) -> tuple[ReleaseHold, ...]:
    """Release what this step has dropped, except what has gone into a sale, or was refused and so never granted."""
    needed = (*_needed(after), _over(before, event))
    return tuple(ReleaseHold(name) for name in dict.fromkeys(_needed(before)) if name not in needed)


def _needed(state: State) -> tuple[str, ...]:
    """What was asked and not answered may have been granted."""
    under_way = (each.offer for each in (state.holding, state.storing) if each)
    return tuple(each.id for each in (held(state), *(offer.hold for offer in under_way if offer)) if each)


def _over(before: State, event: Event) -> str | None:
    """The hold that has ended with this event by itself. The sale of a `sale_conflict` is stored, and its hold with it."""
    if isinstance(event, Stored) or (isinstance(event, NotStored) and event.code == "sale_conflict"):
        sold = before.storing.offer if before.storing else None
        return sold.hold.id if sold and sold.hold else None
    if isinstance(event, HoldAnswered) and (event.most is not None or event.taken):
        known = held(before)
        return None if known and known.id == event.hold.id else event.hold.id
    return None
