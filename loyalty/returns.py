"""Returns: what goes back to the customer, and what is taken back, exact to the last point and kopeck.

Discounts and redemption stay as they were. Everything is computed from the sale and from all units returned so far, and
a return is the difference to what was settled before; so lines and units in any order, or all at once, end equal.

- Money, and the money that points paid, are shared over the units of a line by cumulative half-up rounding.
- Points back are the whole points in what points have paid for all returned units together.
- Points earned are earned anew on what the customer keeps, by the programme and the member of the sale; the
  difference is taken back. What was spent meanwhile is a debt, is forgiven, or is kept from the refund.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from loyalty.engine import facts_of
from loyalty.money import half_up
from loyalty.programme import Programme
from loyalty.quote import Basket, Line, MemberState, Quote, Refusal, Returned, ReturnRequest
from loyalty.rules.earning import earn
from loyalty.rules.sheet import WHOLE, Sheet
from loyalty.rules.validation import refusal
from loyalty.wire import ReceiptId, Return


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """A sale as it was: the revision of the programme, the member and the shop of then, and the printed numbers."""

    programme: Programme
    member: MemberState | None
    basket: Basket
    at: datetime
    quote: Quote
    store: str = ""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Everything settled for the units returned so far (thousandths of each line)."""

    units: tuple[int, ...]
    money: int  # paid for these units
    kept: int  # of it, kept for points that were spent
    points_back: int
    clawback: int  # taken from the balance
    forgiven: int
    earned: int  # on what the customer keeps

    @property
    def refund(self) -> int:
        """What the customer gets in money."""
        return self.money - self.kept


def nothing(sold: Sold) -> TakenBack:
    """Nothing has come back yet."""
    return TakenBack((0,) * len(sold.basket.lines), 0, 0, 0, 0, 0, sold.quote.earned)


def take_back(sold: Sold, before: TakenBack, request: ReturnRequest, at: str = "return") -> TakenBack | Refusal:
    """Return the state after one more return, or why it cannot be; `at` is its place in the input."""
    units = list(before.units)
    wanted = [(line, None) for line in request.lines] + [(line, count * WHOLE) for line, count in request.units]
    if not wanted:
        return refusal("bad_return", at)
    for line, count in wanted:
        left = sold.basket.lines[line].quantity - units[line] if 0 <= line < len(units) else 0
        amount = left if count is None else count
        if not 0 < amount <= left:
            return refusal("bad_return", at)
        units[line] += amount
    return _settled(sold, tuple(units))


def returned(sold: Sold, before: TakenBack, after: TakenBack) -> Returned:
    """Return what one return does: the difference."""
    balance = sold.quote.balance_after + after.points_back - after.clawback
    return Returned(
        refund=after.refund - before.refund,
        points_back=after.points_back - before.points_back,
        clawback=after.clawback - before.clawback,
        balance_after=balance if sold.member is not None else 0,
    )


def event(
    sold: Sold, before: TakenBack, after: TakenBack, *, receipt: ReceiptId, sale: ReceiptId, member: str | None = None
) -> Return:
    """Return what `loyalty.member.apply` books: the points, and what leaves the counters of the sale's own periods."""
    return Return(
        receipt=receipt,
        sale=sale,
        day=sold.programme.day(sold.at),
        refund=after.refund - before.refund,
        units=tuple(now - then for now, then in zip(after.units, before.units, strict=True)),
        member=member,
        **effect(sold, before, after)._asdict(),
    )


class Effect(NamedTuple):
    """What returns do to a member: points back and points taken; purchases, turnover ... that leave his counters."""

    points_back: int = 0
    clawback: int = 0
    purchases: int = 0
    turnover: int = 0
    earnings: int = 0
    redemptions: int = 0

    def less(self, other: Effect) -> Effect:
        """Return the difference."""
        return Effect(*(one - two for one, two in zip(self, other, strict=True)))


def effect(sold: Sold, before: TakenBack, after: TakenBack) -> Effect:
    """Return what lies between two states of a sale."""
    gone = [sum(state.units) == sum(line.quantity for line in sold.basket.lines) for state in (before, after)]
    back = [state.points_back == sold.quote.redeemed > 0 for state in (before, after)]
    return Effect(
        points_back=after.points_back - before.points_back,
        clawback=after.clawback - before.clawback,
        purchases=int(gone[1] and not gone[0]),
        turnover=after.money - before.money,
        earnings=int(before.earned > 0) - int(after.earned > 0),
        redemptions=int(back[1] and not back[0]),
    )


def alone(sold: Sold, taken: Return) -> Effect:
    """Return what one return says for itself, at most what there was in the sale; where it is pending, what its units say."""
    if taken.pending:
        return _exact(sold, _units(sold, taken))
    return Effect(
        points_back=min(taken.points_back, sold.quote.redeemed),
        clawback=min(taken.clawback, sold.quote.earned),
        purchases=taken.purchases,
        turnover=taken.turnover,
        earnings=taken.earnings,
        redemptions=taken.redemptions,
    )


def together(sold: Sold, taken: Sequence[Return]) -> tuple[Effect, bool]:
    """Return what all these returns of a sale do, in whatever order they came, and whether more came back than was sold.

    That is what they say for themselves, while this may be so. Tills that do not know of each other may say too much, or
    never see that all has come back: then the units decide.
    """
    said = Effect(*map(sum, zip(Effect(), *(alone(sold, each) for each in taken), strict=True)))
    bought = [line.quantity for line in sold.basket.lines]
    counted = [
        sum(amounts) for amounts in zip([0] * len(bought), *(_counted(sold, each) for each in taken), strict=True)
    ]
    whole = [each for each in taken if not each.units]
    excess = len(whole) > 1 or any(count > most for count, most in zip(counted, bought, strict=True))
    excess = excess or any(each.units and len(each.units) != len(bought) for each in taken)
    units = tuple(most if whole else min(count, most) for count, most in zip(counted, bought, strict=True))
    if excess or units == tuple(bought) or any(each.pending for each in taken) or not _possible(sold, said):
        return _exact(sold, units), excess
    return said, False


def settle(sold: Sold, requests: tuple[ReturnRequest, ...]) -> tuple[Returned, ...] | Refusal:
    """Return what one return after another does."""
    before, answers = nothing(sold), []
    for number, request in enumerate(requests):
        after = take_back(sold, before, request, f"returns[{number}]")
        if isinstance(after, Refusal):
            return after
        answers.append(returned(sold, before, after))
        before = after
    return tuple(answers)


def _units(sold: Sold, taken: Return) -> tuple[int, ...]:
    """The units that one return speaks of, at most those of the sale."""
    bought = tuple(line.quantity for line in sold.basket.lines)
    counted = _counted(sold, taken) if taken.units else bought
    return tuple(min(count, most) for count, most in zip(counted, bought, strict=True))


def _counted(sold: Sold, taken: Return) -> tuple[int, ...]:
    """The units that one return names; of another receipt's lines it can name none."""
    lines = len(sold.basket.lines)
    return taken.units if len(taken.units) == lines else (0,) * lines


def _exact(sold: Sold, units: tuple[int, ...]) -> Effect:
    return effect(sold, nothing(sold), _settled(sold, units))


def _possible(sold: Sold, said: Effect) -> bool:
    quote = sold.quote
    most = Effect(quote.redeemed, quote.earned, 1, quote.pay, 1, 1)
    return all(one <= two for one, two in zip(said, most, strict=True))


def _settled(sold: Sold, units: tuple[int, ...]) -> TakenBack:
    quote, value = sold.quote, sold.programme.header.unit_value
    lines = zip(sold.basket.lines, quote.line_discounts, quote.line_redeemed, units, strict=True)
    shares = [
        (half_up((line.sum - discount - redeemed) * count, line.quantity), half_up(redeemed * count, line.quantity))
        for line, discount, redeemed, count in lines
    ]
    money = sum(paid for paid, _ in shares)
    points_back = sum(redeemed for _, redeemed in shares) // value if sold.member is not None else 0
    earned = _earned_on_the_rest(sold, units)
    wanted = max(0, quote.earned - earned)
    kept, forgiven = _spent_already(sold, wanted, points_back, money)
    return TakenBack(units, money, kept * value, points_back, wanted - kept - forgiven, forgiven, earned)


def _spent_already(sold: Sold, wanted: int, points_back: int, money: int) -> tuple[int, int]:
    """Return how many of the points to take back are kept from the refund, and how many are forgiven."""
    policy = sold.programme.returns.spent_points
    if sold.member is None or policy == "debt":
        return 0, 0
    short = max(0, wanted - max(0, sold.quote.balance_after + points_back))
    if policy == "forgive":
        return 0, short
    return min(short, money // sold.programme.header.unit_value), 0


def _earned_on_the_rest(sold: Sold, units: tuple[int, ...]) -> int:
    """Earn anew on the units that stay, with the money that was paid for them."""
    kept: list[Line] = []
    paid: list[int] = []
    quote = sold.quote
    for number, (line, back) in enumerate(zip(sold.basket.lines, units, strict=True)):
        if back < line.quantity:
            pay = line.sum - quote.line_discounts[number] - quote.line_redeemed[number]
            gross = line.sum - half_up(line.sum * back, line.quantity)
            kept.append(msgspec.structs.replace(line, sum=gross, quantity=line.quantity - back))
            paid.append(pay - half_up(pay * back, line.quantity))
    if not kept:
        return 0
    plan = sold.programme.plan
    sheet = Sheet(plan, kept)
    facts = facts_of(plan, sold.member, sheet, sold.at, sold.store)
    sheet.left = paid
    return earn(plan, facts, sheet).points
