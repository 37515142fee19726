"""Groups and priorities."""

from __future__ import annotations

from .arithmetic import Json

KINDS = {
    "free_units": "money",
    "price": "money",
    "discount": "money",
    "discount_bp": "money",
    "multiply_bp": "points",
    "points": "points",
    "gift": "things",
    "coupon": "things",
    "slip": "things",
    "prompt": "things",
}


def gives(offer: Json) -> str:
    """ "`give` (one)" """
    (name,) = offer["give"]
    return str(name)


def kind(offer: Json) -> str:
    """ "a group holds one kind: money, points, or things *" """
    return KINDS[gives(offer)]


def rank(offer: Json) -> tuple[int, str]:
    """ "smaller first", "(ties: priority, then id)" """
    return (int(offer.get("priority", 0)), str(offer["id"]))


def groups(programme: Json, wanted: str) -> list[list[Json]]:
    """ "a group stands at its smallest priority; no `group` = a group of its own": those of one kind, in order."""
    found: dict[tuple[str, str], list[Json]] = {}
    for offer in programme.get("offer", []):
        name = ("group", offer["group"]) if "group" in offer else ("own", offer["id"])
        found.setdefault(name, []).append(offer)
    of_kind = [group for group in found.values() if kind(group[0]) == wanted]
    return sorted(of_kind, key=lambda group: min(rank(offer) for offer in group))
