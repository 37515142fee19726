"""What the engine works out once for a programme, so that a receipt only has to look things up.

Categories and skus that any rule names become bits: a line carries the bits of what it is, a rule the bit of what it
wants. Offers stand in their groups, groups in the order of the document's rules, conditions are functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from loyalty.offers import GiveName, Offer
from loyalty.quote import Texts
from loyalty.rules import rule_words
from loyalty.rules.conditions import Facts, Holds, conditions
from loyalty.sections import Exclude, Select, StampCard

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from loyalty.programme import Programme

EVERY = 1
"""The bit that every line carries, and the bits of a rule that wants them all."""

_FORBIDDEN: dict[str, tuple[str, ...]] = {"ru": ("tobacco", "nicotine"), "none": ()}

_PLACES: dict[GiveName, int] = {"free_units": 0, "price": 1, "discount_bp": 2, "discount": 2}
UNITS, PRICES, DISCOUNTS = range(3)
"""Where in the order of the engine an offer of money acts."""


def forbidden(law: str) -> frozenset[str]:
    """Return the categories on which a law lets nobody earn, redeem or give a discount."""
    return frozenset(_FORBIDDEN[law])


def plain(word: str) -> str:
    """Return a category as it is compared."""
    return word.strip().casefold()


@dataclass(frozen=True, slots=True)
class OfferPlan:
    """An offer, ready to be asked. `bits` says which lines it is on; `place` where it acts."""

    offer: Offer
    bits: int
    place: int
    conditions: tuple[Holds, ...]

    @property
    def id(self) -> str:
        return self.offer.id


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Offers of which only the best counts, those that win a tie first; `place` is that of the earliest."""

    offers: tuple[OfferPlan, ...]
    place: int

    def holding(self, facts: Facts) -> list[OfferPlan]:
        """Return the offers whose conditions all hold."""
        return [offer for offer in self.offers if all(holds(facts) for holds in offer.conditions)]


@dataclass(frozen=True, slots=True)
class StampPlan:
    """A stamp card and the lines whose units it stamps."""

    card: StampCard
    bits: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A programme, ready to be asked."""

    programme: Programme
    zone: ZoneInfo
    categories: Mapping[str, int]
    skus: Mapping[str, int]
    law: int  # the bits of what the law forbids
    needs_category: bool
    no_discount: int  # the bits of what each table excludes, and whether it leaves out promoted lines
    no_redeem: int
    no_earn: int
    discount_promo: bool
    redeem_promo: bool
    earn_promo: bool
    every_line: int  # the bits that every line carries: EVERY, and those of rules that leave out "*"
    money: tuple[GroupPlan, ...]
    points: tuple[GroupPlan, ...]
    things: tuple[GroupPlan, ...]
    stamps: tuple[StampPlan, ...]
    unit_value: int
    units_per_point: int
    snapshot: timedelta
    names: Mapping[str, Texts]  # of offers and stamp cards, by id
    said: Mapping[str, Texts]  # what explains a rule whose sentence is always the same, by id


class _Bits:
    """Gives a bit to each choice of lines that a rule makes."""

    def __init__(self) -> None:
        self.categories: dict[str, int] = {}
        self.skus: dict[str, int] = {}
        self.every_line = EVERY
        self._next = EVERY << 1

    def of(self, categories: Sequence[str], skus: Sequence[str] = ()) -> int:
        """Return the bit of lines with any of these; 0, which no line has, for a choice of nothing."""
        names = [plain(each) for each in categories if plain(each)]
        if not (names or skus):
            return 0
        bit, self._next = self._next, self._next << 1
        for name in names:
            self.categories[name] = self.categories.get(name, 0) | bit
        for sku in skus:
            self.skus[sku] = self.skus.get(sku, 0) | bit
        if "*" in names:
            self.every_line |= bit
        return bit

    def selected(self, select: Select | None) -> int:
        """Return the bit of the lines that a rule is on, EVERY for all of them."""
        if select is None or "*" in map(plain, select.categories):
            return EVERY
        return self.of(select.categories, select.skus)

    def excluded(self, exclude: Exclude) -> int:
        """Return the bit of the lines that a rule leaves out."""
        return self.of(exclude.categories, exclude.skus)


def make_plan(programme: Programme) -> Plan:
    """Return the plan of a programme."""
    bits, header, redeem = _Bits(), programme.header, programme.redeem
    excludes = programme.discount.exclude, redeem.exclude if redeem is not None else Exclude(), programme.earn.exclude
    selected = _remembering(bits.selected)
    offers = [_offer(offer, programme, selected) for offer in programme.offers]
    stamps = tuple(StampPlan(card, selected(card.on)) for card in programme.stamp_cards)
    return Plan(
        programme=programme,
        zone=programme.zone,
        categories=bits.categories,
        skus=bits.skus,
        law=bits.of(_FORBIDDEN[header.law]),
        needs_category=header.law != "none",
        no_discount=bits.excluded(excludes[0]),
        no_redeem=bits.excluded(excludes[1]),
        no_earn=bits.excluded(excludes[2]),
        discount_promo=excludes[0].promo,
        redeem_promo=excludes[1].promo,
        earn_promo=excludes[2].promo,
        every_line=bits.every_line,
        money=_groups([each for each in offers if each.offer.give.kind == "money"]),
        points=_groups([each for each in offers if each.offer.give.kind == "points"]),
        things=_groups([each for each in offers if each.offer.give.kind == "things"]),
        stamps=stamps,
        unit_value=header.unit_value,
        units_per_point=header.units_per_point,
        snapshot=timedelta(hours=redeem.offline.snapshot_hours) if redeem is not None else timedelta(),
        names=rule_words.all_names(programme),
        said=rule_words.sentences(programme),
    )


def _remembering(selected: Callable[[Select | None], int]) -> Callable[[Select | None], int]:
    """Rules that are on the same lines share their bit."""
    known: dict[Select | None, int] = {}

    def remember(select: Select | None) -> int:
        if select not in known:
            known[select] = selected(select)
        return known[select]

    return remember


def _offer(offer: Offer, programme: Programme, selected: Callable[[Select | None], int]) -> OfferPlan:
    bought = selected(offer.when.bought) if offer.when.bought is not None else EVERY
    holds = conditions(offer.when, bought, programme.zone)
    return OfferPlan(offer, selected(offer.on), _PLACES.get(offer.give.what, DISCOUNTS), holds)


def _groups(offers: list[OfferPlan]) -> tuple[GroupPlan, ...]:
    """Groups in order of their smallest priority, then the smallest id of that priority."""
    groups: dict[object, list[OfferPlan]] = {}
    for each in sorted(offers, key=lambda each: (each.offer.priority, each.offer.id)):
        own = (each.offer.id,)
        groups.setdefault(each.offer.group or own, []).append(each)
    return tuple(GroupPlan(tuple(members), min(each.place for each in members)) for members in groups.values())
