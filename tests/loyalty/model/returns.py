"""Returns: everything is worked out from the sale and from all units that have come back so far."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .arithmetic import Json, down, half_up
from .earn import earn, points
from .lines import quantity
from .redeem import unit_value


class BadReturn(Exception):
    """More units than are left, or no such line; says which return."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True)
class Sold:
    """What the sale has settled for good: "Discounts and redemption stay as they were"."""

    programme: Json
    case: Json
    money: list[int]
    redeemed: list[int]
    balance: int

    @property
    def lines(self) -> list[Json]:
        """The lines of the basket."""
        found: list[Json] = self.case["basket"]["lines"]
        return found


@dataclass(frozen=True)
class Back:
    """All that has gone back so far: money, points, points taken from the balance."""

    refund: int = 0
    points: int = 0
    clawback: int = 0


def part(whole: int, returned: int, line: Json) -> int:
    """ "Units of a line share its net sum by cumulative half-up rounding." """
    return half_up(Fraction(whole * returned, quantity(line)))


def earned_on_kept(sold: Sold, returned: list[int]) -> int:
    """ "only earning (...) recomputed on what the customer keeps, with the receipt's frozen programme revision and member
    state" """
    lines, money = [], []
    for line, back, paid in zip(sold.lines, returned, sold.money, strict=True):
        if back < quantity(line):
            kept = {"quantity": quantity(line) - back, "sum": int(line["sum"]) - part(int(line["sum"]), back, line)}
            lines.append({**line, **kept})
            money.append(paid - part(paid, back, line))
    case = {**sold.case, "basket": {"lines": lines}}
    return points(earn(sold.programme, case, money))


def so_far(sold: Sold, returned: list[int]) -> Back:
    """ "Line by line in any order, or all at once, must end in the same state": a function of what has come back."""
    paid = sum(part(sold.money[i], back, sold.lines[i]) for i, back in enumerate(returned))
    redeemed = sum(part(sold.redeemed[i], back, sold.lines[i]) for i, back in enumerate(returned))
    points_back = down(redeemed / unit_value(sold.programme))
    all_kept = earned_on_kept(sold, [0] * len(returned))
    to_take = max(0, all_kept - earned_on_kept(sold, returned))
    if sold.case.get("member") is None:
        return Back(paid, 0, to_take)
    short = max(0, to_take - max(0, sold.balance + points_back))
    return spent(sold.programme, Back(paid, points_back, to_take), short)


def spent(programme: Json, back: Back, short: int) -> Back:
    """ "Points already spent: `debt` (next earnings repay it), `forgive`, or `from_money` (their value is kept from the
    refund)." """
    policy = programme.get("returns", {}).get("spent_points", "debt")
    if policy == "forgive":
        return Back(back.refund, back.points, back.clawback - short)
    if policy == "from_money":
        value = unit_value(programme)
        from_money = min(short, down(back.refund / value))
        return Back(back.refund - down(from_money * value), back.points, back.clawback - from_money)
    return back


def add(sold: Sold, returned: list[int], one: Json, number: int) -> list[int]:
    """ "(whole lines, or [line, how many units], one return after another)" """
    new = list(returned)
    for i, units in one.get("units", []):
        if not 0 <= i < len(new) or units <= 0 or new[i] + 1000 * units > quantity(sold.lines[i]):
            raise BadReturn(number)
        new[i] += 1000 * units
    for i in one.get("lines", []):
        if not 0 <= i < len(new) or new[i] >= quantity(sold.lines[i]):
            raise BadReturn(number)
        new[i] = quantity(sold.lines[i])
    return new


def settle(sold: Sold, asked: list[Json]) -> list[Json]:
    """ "output gains `returns`: [{refund, points_back, clawback, balance_after}]" """
    answers = []
    returned, before, balance = [0] * len(sold.lines), Back(), sold.balance
    for number, one in enumerate(asked):
        returned = add(sold, returned, one, number)
        now = so_far(sold, returned)
        points_back, clawback = now.points - before.points, now.clawback - before.clawback
        if sold.case.get("member") is not None:
            balance += points_back - clawback
        answers.append(
            {
                "refund": now.refund - before.refund,
                "points_back": points_back,
                "clawback": clawback,
                "balance_after": balance,
            }
        )
        before = now
    return answers
