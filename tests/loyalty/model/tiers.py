"""Tiers: who holds which, and what is missing to the next."""

from __future__ import annotations

from datetime import date

from .arithmetic import Json
from .clock import local


def known(case: Json) -> bool:
    """ "`as_of: null` is a card that is recognised but whose member is not in the replica" """
    return case.get("member") is not None and case["member"].get("as_of") is not None


def counter(member: Json, name: str, period: str) -> int:
    """ "Counters hold the values of the periods that contain `at` before this receipt"; absent = 0."""
    return int(member.get("counters", {}).get(name, {}).get(period, 0))


def paid_up(programme: Json, case: Json, tier: Json) -> bool:
    """ "a paid club: held while the member's `membership` date is not past" """
    if not tier.get("membership", False):
        return True
    until = case["member"].get("membership")
    return until is not None and local(programme, case["at"]).date() <= date.fromisoformat(until)


def reached(member: Json, tier: Json) -> bool:
    """ "any_of = [ { counter, period, at_least } ]"; "Thresholds are inclusive" """
    if "any_of" not in tier:
        return True
    return any(counter(member, rule["counter"], rule["period"]) >= rule["at_least"] for rule in tier["any_of"])


def held(programme: Json, case: Json) -> Json | None:
    """ "the first tier is everybody's; the held tier is the last listed whose condition holds" """
    tiers: list[Json] = programme.get("tier", [])
    if not tiers or case.get("member") is None:
        return None
    found = tiers[0]
    for tier in tiers[1:]:
        if known(case) and reached(case["member"], tier) and paid_up(programme, case, tier):
            found = tier
    return found


def rate_tier(programme: Json, case: Json) -> Json:
    """The tier whose rate counts; without a member "what it would have earned": the first tier's."""
    tier = held(programme, case)
    if tier is not None:
        return tier
    tiers: list[Json] = programme.get("tier", [])
    return tiers[0] if tiers else {}


def member_after(member: Json, pay: int) -> Json:
    """ "`purchases` = receipts, `turnover` = money paid": this receipt counted in, in every period."""
    periods = ("lifetime", "year", "month", "day")
    counters = dict(member.get("counters", {}))
    counters["purchases"] = {period: counter(member, "purchases", period) + 1 for period in periods}
    counters["turnover"] = {period: counter(member, "turnover", period) + pay for period in periods}
    return {**member, "counters": counters}


def case_after(case: Json, pay: int) -> Json:
    """ "6 counters and tier for the **next** purchase" """
    return case if case.get("member") is None else {**case, "member": member_after(case["member"], pay)}


def least_missing(member: Json, tier: Json, name: str) -> int | None:
    """How much of one counter is missing; several conditions are alternatives; None = no such condition."""
    missing = [
        rule["at_least"] - counter(member, name, rule["period"])
        for rule in tier.get("any_of", [])
        if rule["counter"] == name
    ]
    return min(missing) if missing else None


def to_next(programme: Json, case: Json) -> Json | None:
    """ "`to_next_tier` = {tier, purchases, turnover} still missing, or null" (the case is that after the receipt)."""
    tier = held(programme, case)
    if tier is None or not known(case):
        return None
    tiers: list[Json] = programme["tier"]
    place = [each["id"] for each in tiers].index(tier["id"]) + 1
    if place == len(tiers) or not paid_up(programme, case, tiers[place]):
        return None
    purchases = least_missing(case["member"], tiers[place], "purchases")
    turnover = least_missing(case["member"], tiers[place], "turnover")
    if purchases is None and turnover is None:
        return None
    return {"tier": tiers[place]["id"], "purchases": purchases, "turnover": turnover}
