"""Steps 2 and 3: what comes off the lines. n + m, stamps, special prices; then the tier's discount, then offers.

Groups act in their order, each on what is left; in a group only the best offer counts. A group whose offers act at
different places is compared once, where its earliest acts; the best then acts at its own place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loyalty.rules.conditions import Facts
from loyalty.rules.plan import DISCOUNTS, PRICES, UNITS, GroupPlan, OfferPlan, Plan
from loyalty.rules.sheet import Sheet
from loyalty.rules.trial import Trial, Units, percentage, try_offer, try_stamps
from loyalty.rules.won import Won


@dataclass(slots=True)
class Reductions:
    """What was taken off, rule by rule in the order of acting, and what it did to units and stamps."""

    won: list[Won] = field(default_factory=list)
    free_units: dict[str, int] = field(default_factory=dict)
    stamps_after: dict[str, int] = field(default_factory=dict)


def reduce(plan: Plan, facts: Facts, sheet: Sheet) -> Reductions:
    """Take everything off the sheet that the programme gives in money."""
    step = _Step(plan, facts, sheet)
    step.groups(UNITS)
    step.stamps()
    step.groups(PRICES)
    step.tier()
    step.groups(DISCOUNTS)
    return step.done


class _Step:
    def __init__(self, plan: Plan, facts: Facts, sheet: Sheet) -> None:
        self.done = Reductions()
        self._plan, self._facts, self._sheet = plan, facts, sheet
        self._units = Units.none(len(sheet.lines))
        self._later: dict[int, OfferPlan] = {}  # by the number of the group: the best, which acts at a later place

    def groups(self, place: int) -> None:
        for number, group in enumerate(self._plan.money):
            if group.place == place:
                self._decide(number, group, place)
            elif number in self._later and self._later[number].place == place:
                offer = self._later[number]
                self._give(offer, try_offer(offer, self._sheet, self._units))

    def stamps(self) -> None:
        customer = self._facts.customer
        if not customer.card:
            return
        before = customer.state.stamps
        self.done.stamps_after = {stamp.card.id: before.get(stamp.card.id, 0) for stamp in self._plan.stamps}
        for stamp in self._plan.stamps if customer.consents else ():
            card = stamp.card.id
            trial, self.done.stamps_after[card] = try_stamps(stamp, before.get(card, 0), self._sheet, self._units)
            self._units.stamped.update(self._sheet.chosen(stamp.bits, "discountable"))
            self._apply(card, trial)
            if trial.free:
                self.done.won.append(Won(card, money=trial.gain, count=self.done.free_units[card]))

    def tier(self) -> None:
        held = self._facts.customer.held
        if held is not None and held.discount_bp:
            trial = percentage(self._sheet, self._sheet.discountable, held.discount_bp)
            self._sheet.take(trial.shares)
            if trial.gain:
                self.done.won.append(Won("tier", money=trial.gain))

    def _decide(self, number: int, group: GroupPlan, place: int) -> None:
        holding = group.holding(self._facts)
        if len(holding) == 1 and holding[0].place != place:
            self._later[number] = holding[0]
            return
        trials = [(offer, try_offer(offer, self._sheet, self._units)) for offer in holding]
        if not trials:
            return
        offer, trial = max(trials, key=lambda each: each[1].gain)
        if offer.place == place:
            self._give(offer, trial)
        elif trial.gain:
            self._later[number] = offer

    def _give(self, offer: OfferPlan, trial: Trial) -> None:
        if trial.gain:
            self._apply(offer.id, trial)
            self.done.won.append(Won(offer.id, offer, money=trial.gain, count=self.done.free_units.get(offer.id, 0)))

    def _apply(self, rule: str, trial: Trial) -> None:
        self._sheet.take(trial.shares)
        for units, counts in ((self._units.taken, trial.taken), (self._units.free, trial.free)):
            for number, count in counts.items():
                units[number] += count
        if trial.free:
            self.done.free_units[rule] = sum(trial.free.values())
