"""Step 0: what is refused, with its code and its place."""

from __future__ import annotations

from .arithmetic import Json
from .groups import groups, kind

NEEDED = ("id", "revision", "engine", "starts_at", "timezone", "currency")


def error(code: str, at: str, **more: int) -> Json:
    """ "a refused case prints `{"error": {"code": ..., "at": ..., "text": ..., ...}}`" """
    return {"error": {"code": code, "at": at, "text": {"ru": "...", "en": "..."}, **more}}


def programme_mistakes(programme: Json) -> list[str]:
    """The places of what a programme may not say."""
    head, rules = programme.get("programme", {}), programme.get("earn", {})
    found = [f"programme.{name}" for name in NEEDED if name not in head]
    if "rate_bp" in rules and ("step" in rules or "points_per_step" in rules):
        found.append("earn")  # "both = refused *"
    if int(head.get("point_value", 100)) % 10 ** int(head.get("point_decimals", 0)):
        found.append("programme.point_value")
    wrong = "earn_rate_bp" if "step" in rules else "points_per_step"
    found += [f"tier[{i}].{wrong}" for i, tier in enumerate(programme.get("tier", [])) if wrong in tier]
    return found + mixed_groups(programme)


def mixed_groups(programme: Json) -> list[str]:
    """ "a group holds one kind: money, points, or things *" """
    all_groups = [group for wanted in ("money", "points", "things") for group in groups(programme, wanted)]
    return ["offer" for group in all_groups if len({kind(offer) for offer in group}) > 1]


def line_mistakes(case: Json) -> list[str]:
    """ "0 validate (no negative sums, sane sizes)" """
    found = []
    for i, line in enumerate(case["basket"]["lines"]):
        if line["sum"] < 0:
            found.append(f"basket.lines[{i}].sum")
        if line.get("minimum", 0) < 0:
            found.append(f"basket.lines[{i}].minimum")
        if line.get("quantity", 1000) <= 0:
            found.append(f"basket.lines[{i}].quantity")
    return found


def redeem_mistake(programme: Json, redeem: object, most: int) -> Json | None:
    """ "more than may be paid is a typed refusal that says the most, not a silent cut" """
    if redeem == "max":
        return None
    if isinstance(redeem, bool) or not isinstance(redeem, int) or redeem < 0:
        return error("bad_redeem", "redeem")
    if redeem > most:
        return error("redeem_above_most", "redeem", most=most)
    if redeem % int(programme.get("redeem", {}).get("step", 1)):
        return error("redeem_step", "redeem", most=most)
    return None
