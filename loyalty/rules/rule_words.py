"""What explains a rule in words, where the sentence depends on the programme alone: made once, not on every receipt."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from loyalty.i18n import LANGUAGES, Param, factor, money, named, percent, points, texts
from loyalty.offers import Offer
from loyalty.quote import Texts
from loyalty.sections import Header, StampCard

if TYPE_CHECKING:
    from loyalty.programme import Programme


def all_names(programme: Programme) -> Mapping[str, Texts]:
    """Return what people call each offer and stamp card, by id."""
    rules: list[Offer | StampCard] = [*programme.stamp_cards, *programme.offers]
    return {rule.id: _name(rule) for rule in rules}


def sentences(programme: Programme) -> Mapping[str, Texts]:
    """Return the explanation of each offer of money or points whose sentence has no number of the receipt in it."""
    return {offer.id: said for offer in programme.offers if (said := _sentence(offer, programme.header)) is not None}


def _sentence(offer: Offer, header: Header) -> Texts | None:
    give = offer.give
    numbers: dict[str, tuple[str, Param]] = {
        "discount_bp": ("rate", partial(percent, give.discount_bp or 0)),
        "discount": ("money", partial(money, give.discount or 0, header.currency)),
        "price": ("money", partial(money, give.price or 0, header.currency)),
        "multiply_bp": ("times", partial(factor, give.multiply_bp or 0)),
        "points": ("points", partial(points, (give.points or 0) * header.units_per_point, header.point_decimals)),
    }
    if give.price == 0:
        return texts("why.offer_free", name=_name(offer).__getitem__)
    if give.what not in numbers:
        return None
    place, number = numbers[give.what]
    return texts(f"why.offer_{give.what}", **{"name": _name(offer).__getitem__, place: number})


def _name(rule: Offer | StampCard) -> Texts:
    return {language: named(rule.name, language, rule.id) for language in LANGUAGES}
