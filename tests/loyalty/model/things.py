"""Step 7: gifts, slips and coupons to print."""

from __future__ import annotations

from .arithmetic import Json
from .conditions import holds
from .groups import gives, groups, rank
from .lines import on, under_law
from .sale import Sale


def count(sale: Sale, offer: Json) -> int:
    """ "gifts from a receipt sum": how often `for_each` goes into the gross sum of the offer's lines; others give one."""
    where = [line for line in sale.lines if on(offer, line) and not under_law(sale.programme, line)]
    gift = offer["give"].get("gift", {})
    if "for_each" in gift:
        return sum(int(line["sum"]) for line in where) // int(gift["for_each"])
    return 1 if where else 0


def give(sale: Sale, offer: Json, gifts: list[Json], slips: list[Json]) -> None:
    """ "`gifts` = [{offer, what, count}], `slips` = [{kind, offer, ...}]" """
    what = gives(offer)
    if what == "gift":
        gifts.append({"offer": offer["id"], "what": offer["give"]["gift"]["what"], "count": count(sale, offer)})
    if what == "coupon":
        slips.append({"kind": "coupon", **offer["give"]["coupon"]})
    if what == "slip":
        slips.append({"kind": offer["give"]["slip"], "offer": offer["id"]})


def things(sale: Sale) -> tuple[list[Json], list[Json]]:
    """Group by group the best: the most things; ties: priority, then id."""
    gifts: list[Json] = []
    slips: list[Json] = []
    for group in groups(sale.programme, "things"):
        given = [offer for offer in group if holds(sale.programme, sale.case, offer) and count(sale, offer) > 0]
        if given:
            winner = min(given, key=lambda offer: (-count(sale, offer), rank(offer)))
            give(sale, winner, gifts, slips)
            sale.use_coupon(winner)
    return gifts, slips
