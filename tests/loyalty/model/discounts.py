"""Steps 2 and 3 in order: every rule that makes the receipt cheaper."""

from __future__ import annotations

from .arithmetic import Json
from .conditions import holds
from .goods import free_units, special_price, stamp_cards
from .groups import gives, groups, rank
from .sale import Sale, take_fixed, take_percent
from .tiers import held

PLACES = {"free_units": 0, "price": 1, "discount": 2, "discount_bp": 2}
"Where an offer stands: n + m, (stamp cards), special prices, (tier), discounts."


def place(offer: Json) -> int:
    """ "Order, always: ... 2 line offers (n + m, stamps, special prices) -> 3 discounts" """
    return PLACES[gives(offer)]


def apply(sale: Sale, offer: Json) -> int:
    """Take the offer's money off; how much it was."""
    what = gives(offer)
    if what == "free_units":
        return free_units(sale, offer)
    if what == "price":
        return special_price(sale, offer)
    if what == "discount":
        return take_fixed(sale, sale.on(offer), int(offer["give"]["discount"]))
    return take_percent(sale, sale.on(offer), int(offer["give"]["discount_bp"]))


def gain(sale: Sale, offer: Json) -> int:
    """What the member would gain: try it."""
    return apply(sale.copy(), offer)


def best(sale: Sale, group: list[Json]) -> Json | None:
    """ "in a group only the best for the member counts (ties: priority, then id)"; nothing gained = not won."""
    gaining = [offer for offer in group if holds(sale.programme, sale.case, offer) and gain(sale, offer) > 0]
    return min(gaining, key=lambda offer: (-gain(sale, offer), rank(offer)), default=None)


def tier_discount(sale: Sale) -> None:
    """ "3 discounts: tier, then offers"; "discount_bp # comes before all offers" """
    tier = held(sale.programme, sale.case)
    if tier is not None:
        money = take_percent(sale, sale.on({}), int(tier.get("discount_bp", 0)))
        sale.win({"id": "tier"}, money)


def money_offers(sale: Sale, now: int, waiting: dict[int, Json]) -> None:
    """ "offers group by group in priority order, each on what is left"; a group is decided where its first offer stands."""
    for number, group in enumerate(groups(sale.programme, "money")):
        if min(place(offer) for offer in group) == now:
            winner = best(sale, group)
            if winner is not None:
                waiting[number] = winner
        if number in waiting and place(waiting[number]) == now:
            winner = waiting.pop(number)
            if gain(sale, winner) > 0:
                sale.win(winner, apply(sale, winner))


def cheaper(sale: Sale) -> dict[str, int]:
    """Steps 2 and 3; gives `stamps_after`."""
    waiting: dict[int, Json] = {}
    money_offers(sale, PLACES["free_units"], waiting)
    stamps = stamp_cards(sale)
    money_offers(sale, PLACES["price"], waiting)
    tier_discount(sale)
    money_offers(sale, PLACES["discount"], waiting)
    return stamps
