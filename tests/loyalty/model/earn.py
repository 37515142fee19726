"""Step 5: "earning on money paid, one rounding down at the end, then fixed points"."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from .arithmetic import Json, down
from .conditions import holds
from .groups import gives, groups, rank
from .lines import may_earn, on, quantity
from .redeem import unit_value
from .sale import words
from .tiers import counter, known, rate_tier


@dataclass
class Earning:
    """A receipt's money by line, and the point offers that have won so far, in order."""

    programme: Json
    case: Json
    money: list[int]
    winners: list[Json] = field(default_factory=list)

    @property
    def lines(self) -> list[Json]:
        """The lines of the basket."""
        found: list[Json] = self.case["basket"]["lines"]
        return found

    def with_(self, offer: Json) -> Earning:
        """The same with one more offer."""
        return Earning(self.programme, self.case, self.money, [*self.winners, offer])


def is_open(earning: Earning) -> bool:
    """Consent, `minimum_paid`, and `max_receipts_per_day` ("reads the counter earnings.day")."""
    member, rules = earning.case.get("member"), earning.programme.get("earn", {})
    if sum(earning.money) < rules.get("minimum_paid", 0):
        return False
    if member is None:
        return True
    if member.get("consent", "given") == "withdrawn":
        return False
    return "max_receipts_per_day" not in rules or counter(member, "earnings", "day") < rules["max_receipts_per_day"]


def earning_lines(earning: Earning, rule: Json) -> list[int]:
    """The lines of a rule that may earn."""
    return [i for i, line in enumerate(earning.lines) if may_earn(earning.programme, line) and on(rule, line)]


def multiplier(offer: Json) -> Fraction:
    """20000 = twice."""
    return Fraction(int(offer["give"]["multiply_bp"]), 10000)


def best_multiplier(earning: Earning, i: int) -> Json | None:
    """ "only the best multiplier of a line counts"; less than once never does, the earlier of equals does."""
    found = None
    for offer in earning.winners:
        if gives(offer) == "multiply_bp" and i in earning_lines(earning, offer):
            so_far = Fraction(1) if found is None else multiplier(found)
            found = offer if multiplier(offer) > so_far else found
    return found


def counted_money(earning: Earning) -> Fraction:
    """ "the line's money counts m times before steps or rates are counted *" """
    total = Fraction(0)
    for i in earning_lines(earning, {}):
        offer = best_multiplier(earning, i)
        total += earning.money[i] * (Fraction(1) if offer is None else multiplier(offer))
    return total


def first_rate(earning: Earning) -> int | None:
    """ "first_purchase_rate_bp # optional; beats the tier's rate" """
    rate = earning.programme.get("earn", {}).get("first_purchase_rate_bp")
    if rate is None or not known(earning.case) or counter(earning.case["member"], "purchases", "lifetime") > 0:
        return None
    return int(rate)


def by_rule(earning: Earning, money: Fraction) -> int:
    """ "money paid x bp / 10000 / point_value, as an exact fraction over all lines, rounded down once", or "5 bonuses for
    each full 100 RUB, on the receipt, not by line"."""
    rules, tier = earning.programme.get("earn", {}), rate_tier(earning.programme, earning.case)
    first = first_rate(earning)
    if "step" in rules and first is None:
        points = int(tier.get("points_per_step", rules.get("points_per_step", 0)))
        return down(money / int(rules["step"])) * points * one_point(earning.programme)
    rate = int(tier.get("earn_rate_bp", rules.get("rate_bp", 0))) if first is None else first
    return down(money * rate / 10000 / unit_value(earning.programme))


def rule_pays(earning: Earning) -> bool:
    """Whether the rate or the step gives anything at all."""
    return by_rule(earning, Fraction(10**30)) > 0


def one_point(programme: Json) -> int:
    """ "only `points_per_step` and the points that an offer gives are whole points" """
    return int(10 ** int(programme["programme"].get("point_decimals", 0)))


def fixed_points(earning: Earning) -> int:
    """ "then fixed points" """
    fixed = [int(offer["give"]["points"]) for offer in earning.winners if gives(offer) == "points"]
    return sum(fixed) * one_point(earning.programme)


def points(earning: Earning) -> int:
    """All points with the offers that have won so far."""
    return by_rule(earning, counted_money(earning)) + fixed_points(earning)


def helps(earning: Earning, offer: Json) -> bool:
    """Whether an offer gives the member anything, before rounding."""
    if not holds(earning.programme, earning.case, offer):
        return False
    if gives(offer) == "points":
        bought = [i for i in earning_lines(earning, offer) if quantity(earning.lines[i]) > 0]
        return bool(bought) and int(offer["give"]["points"]) > 0
    return rule_pays(earning) and counted_money(earning.with_(offer)) > counted_money(earning)


def earn(programme: Json, case: Json, money: list[int]) -> Earning:
    """Group by group; "in a group only the best for the member counts (ties: priority, then id)"."""
    earning = Earning(programme, case, money)
    if not is_open(earning):
        return Earning(programme, case, [0] * len(money))
    for group in groups(programme, "points"):
        candidates = [offer for offer in group if helps(earning, offer)]
        if candidates:
            winner = min(candidates, key=lambda offer: (-points(earning.with_(offer)), rank(offer)))
            earning = earning.with_(winner)
    used = [best_multiplier(earning, i) for i in earning_lines(earning, {}) if earning.money[i] > 0]
    earning.winners = [offer for offer in earning.winners if gives(offer) == "points" or offer in used]
    return earning


def reasons(earning: Earning) -> list[Json]:
    """ "a 'why' line for every number": the rate alone, what each multiplier adds, then fixed points."""
    so_far = Earning(earning.programme, earning.case, earning.money)
    found = [{"rule": "earn", "points": points(so_far), "text": words()}]
    by_kind = sorted(earning.winners, key=lambda offer: gives(offer) == "points")
    for offer in by_kind:
        before, so_far = points(so_far), so_far.with_(offer)
        found.append({"rule": offer["id"], "points": points(so_far) - before, "text": words()})
    return [reason for reason in found if reason["points"]]
