"""Step 4: "most that points may pay: the least of balance, cap, room above minimum prices, day and offline limits"."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from .arithmetic import Json, down, share
from .clock import local
from .lines import gross, may_redeem
from .lots import alive_balance
from .sale import Sale
from .tiers import counter, known


def unit_value(programme: Json) -> Fraction:
    """Minor units of money that one unit of points pays: "Points: integer units of `10^-point_decimals` points"."""
    head = programme["programme"]
    return Fraction(int(head.get("point_value", 100)), 10 ** int(head.get("point_decimals", 0)))


def fresh(case: Json, hours: int | None) -> bool:
    """ "member known from a replica younger than `snapshot_hours`" """
    if hours is None:
        return True
    at, as_of = local_pair(case)
    return at - as_of < timedelta(hours=hours).total_seconds()


def local_pair(case: Json) -> tuple[float, float]:
    """The receipt's instant and the snapshot's, in seconds."""
    utc: Json = {"programme": {"timezone": "UTC"}}
    return local(utc, case["at"]).timestamp(), local(utc, case["member"]["as_of"]).timestamp()


def offline_limits(case: Json, offline: Json) -> list[int]:
    """ "`none`, or `capped` (..., at most N points a receipt and a day)"; none is the default."""
    if offline.get("policy", "none") == "none" or not fresh(case, offline.get("snapshot_hours")):
        return [0]
    limits = []
    if "max_points_per_receipt" in offline:
        limits.append(int(offline["max_points_per_receipt"]))
    if "max_points_per_day" in offline:
        limits.append(int(offline["max_points_per_day"]) - counter(case["member"], "redeemed", "day"))
    return limits


def allowed(programme: Json, case: Json) -> bool:
    """Known member, consent not withdrawn, `[redeem]` there, `minimum_balance`, `minimum_receipt`, receipts of the day."""
    member: Json = case.get("member") or {}
    if not known(case) or member.get("consent", "given") == "withdrawn" or "redeem" not in programme:
        return False
    rules = programme["redeem"]
    if "max_redemptions_per_day" in rules and counter(member, "redemptions", "day") >= rules["max_redemptions_per_day"]:
        return False
    if gross(case["basket"]["lines"]) < rules.get("minimum_receipt", 0):
        return False
    return alive_balance(case) >= int(rules.get("minimum_balance", 0))


def most(programme: Json, case: Json, sale: Sale) -> int:
    """The least of all limits, "rounded down to a step"."""
    if not allowed(programme, case):
        return 0
    rules = programme["redeem"]
    where = [i for i, line in enumerate(sale.lines) if may_redeem(programme, line)]
    value = unit_value(programme)
    limits = [
        alive_balance(case),
        down(Fraction(sum(sale.left[i] for i in where) * int(rules.get("cap_bp", 10000)), 10000) / value),
        down(sum(sale.room(i) for i in where) / value),
    ]
    if "max_points_per_receipt" in rules:
        limits.append(int(rules["max_points_per_receipt"]))
    if case.get("offline", False):
        limits += offline_limits(case, rules.get("offline", {}))
    step = int(rules.get("step", 1))
    return max(0, min(limits)) // step * step


def spread(programme: Json, sale: Sale, points: int) -> list[int]:
    """The money that points pay, shared over the lines that may be paid with points."""
    where = [i for i, line in enumerate(sale.lines) if may_redeem(programme, line)]
    money = down(points * unit_value(programme))
    lines = [sale.lines[i] for i in where]
    parts = share(money, [sale.left[i] for i in where], [sale.room(i) for i in where], lines)
    paid = dict(zip(where, parts, strict=True))
    return [paid.get(i, 0) for i in range(len(sale.lines))]
