"""Lots: which points are alive, which are spent first, when new ones burn."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from .arithmetic import Json
from .clock import day_in, local, text

NEVER = float("inf")


def burns(lot: Json) -> float:
    """The expiry instant of a lot; absent = never burns."""
    expires = lot.get("expires_at")
    return NEVER if expires is None else datetime.fromisoformat(text(expires)).timestamp()


def dead(case: Json, lot: Json) -> bool:
    """ "a lot is dead from its expiry instant on" """
    return burns(lot) <= datetime.fromisoformat(text(case["at"])).timestamp()


def lots(case: Json) -> list[Json]:
    """The member's lots, oldest first."""
    found: list[Json] = (case.get("member") or {}).get("lots") or []
    return found


def alive_balance(case: Json) -> int:
    """The balance without the points of dead lots."""
    balance = int(case["member"].get("balance", 0))
    return balance - sum(int(lot["points"]) for lot in lots(case) if dead(case, lot))


def lots_after(case: Json, points: int) -> dict[str, int]:
    """ "spent from the lot that expires first, then the oldest": one point after the other."""
    left = {lot["id"]: 0 if dead(case, lot) else int(lot["points"]) for lot in lots(case)}
    in_turn = sorted(lots(case), key=burns)  # a stable sort: the oldest first among equals
    for _ in range(points):
        for lot in in_turn:
            if left[lot["id"]] > 0:
                left[lot["id"]] -= 1
                break
    return left


def lot_expiry(programme: Json, at: object) -> datetime | None:
    """ "lives = "P12M" # ISO 8601; absent = never burns"; "until = "end_of_month" # or "exact" " """
    rules = programme.get("lots", {})
    if "lives" not in rules:
        return None
    found = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?", rules["lives"])
    if found is None:
        raise ValueError(rules["lives"])
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    start = local(programme, at)
    month = start.year * 12 + start.month - 1 + years * 12 + months
    day = day_in(month // 12, month % 12 + 1, start.day) + timedelta(days=7 * weeks + days)
    if rules.get("until", "exact") == "exact":
        return datetime.combine(day, start.timetz())
    next_month = day_in(day.year + day.month // 12, day.month % 12 + 1, 1)
    return datetime.combine(next_month, time(), tzinfo=start.tzinfo)
