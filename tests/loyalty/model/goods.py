"""Step 2, line offers: n + m, stamps, special prices."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .arithmetic import Json, half_up
from .lines import quantity
from .sale import Sale, Unit


def free_count(sale: Sale, i: int) -> int:
    """How many units of a line are free by now."""
    return sum(1 for unit in sale.units if unit.line == i and unit.free)


def make_free(sale: Sale, chosen: Sequence[Unit]) -> int:
    """A free unit "never goes under a minimum"; units of a line share its sum by cumulative half up."""
    money = 0
    for unit in chosen:
        line = sale.lines[unit.line]
        price = Fraction(1000 * int(line["sum"]), quantity(line))
        before = free_count(sale, unit.line)
        unit.free = True
        worth = half_up((before + 1) * price) - half_up(before * price)
        off = min(worth, sale.room(unit.line))
        sale.left[unit.line] -= off
        money += off
    return money


def free_units(sale: Sale, offer: Json) -> int:
    """ "`free_units = {buy, free}` (n + m in one receipt)"; "units are taken dearest first, the free ones are the cheapest *";
    "a gift is given only when its units are in the receipt": of 2 + 2 with three units, the third."""
    buy, free = int(offer["give"]["free_units"]["buy"]), int(offer["give"]["free_units"]["free"])
    where = sale.on(offer)
    pool = [unit for unit in sale.units if unit.line in where and not unit.taken]
    sets, rest = divmod(len(pool), buy + free)
    how_many = sets * free + max(0, rest - buy)
    taken = pool if rest > buy else pool[: sets * (buy + free)]
    for unit in taken:
        unit.taken = True
    chosen = taken[len(taken) - how_many :]
    if chosen:
        sale.free_units[offer["id"]] = len(chosen)
    return make_free(sale, chosen)


def special_price(sale: Sale, offer: Json) -> int:
    """ "`price`": what one unit costs; never more than now, never under the minimum, free units stay free."""
    money = 0
    for i in sale.on(offer):
        paid = quantity(sale.lines[i]) - 1000 * free_count(sale, i)
        cost = half_up(Fraction(int(offer["give"]["price"]) * paid, 1000))
        off = min(max(0, sale.left[i] - cost), sale.room(i))
        sale.left[i] -= off
        money += off
    return money


def stamps_before(sale: Sale, card: Json) -> int:
    """The member's `stamps` of a card; absent = 0."""
    return int(sale.case["member"].get("stamps", {}).get(card["id"], 0))


def stamp_card(sale: Sale, card: Json) -> int:
    """ "five procedures, the sixth free"; "a free unit earns no stamp, counts in no other offer of the kind"; "a gift is
    given only when its units are in the receipt". The most gifts that stamps and units allow. Returns the stamps after."""
    buy, free, stamps = int(card["buy"]), int(card["free"]), stamps_before(sale, card)
    where = sale.on(card)
    pool = [unit for unit in sale.units if unit.line in where and not unit.free]
    can_be_free = [unit for unit in pool if not unit.taken and not unit.stamped]
    gifts = 0
    while (gifts + 1) * free <= len(can_be_free) and stamps + len(pool) - (gifts + 1) * free >= (gifts + 1) * buy:
        gifts += 1
    chosen = can_be_free[len(can_be_free) - gifts * free :]
    money = make_free(sale, chosen)
    for unit in pool:
        unit.stamped = not unit.free
    if chosen:
        sale.free_units[card["id"]] = len(chosen)
    sale.win(card, money)
    return stamps + len(pool) - len(chosen) - gifts * buy


def stamp_cards(sale: Sale) -> dict[str, int]:
    """`stamps_after`: every card of the programme; withdrawn = "nothing earned or redeemed"."""
    cards: list[Json] = sale.programme.get("stamp_card", [])
    member = sale.case.get("member")
    if member is None:
        return {}
    if member.get("consent", "given") == "withdrawn":
        return {card["id"]: stamps_before(sale, card) for card in cards}
    return {card["id"]: stamp_card(sale, card) for card in cards}
