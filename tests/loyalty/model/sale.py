"""What steps 1 to 3 work on: the lines, what is left to pay on each, their units, and what has been explained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from .arithmetic import Json, half_up, largest_remainder, share, tie_key
from .lines import may_discount, on, quantity


@dataclass
class Unit:
    """One whole unit of a line: bought or free in an n + m (taken), paid on a stamp card (stamped), free."""

    line: int
    price: Fraction
    taken: bool = False
    stamped: bool = False
    free: bool = False


@dataclass
class Sale:
    """The receipt while it is being worked out."""

    programme: Json
    case: Json
    left: list[int] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    why: list[Json] = field(default_factory=list)
    free_units: dict[str, int] = field(default_factory=dict)
    coupons: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[Json]:
        """The lines of the basket."""
        found: list[Json] = self.case["basket"]["lines"]
        return found

    def room(self, i: int) -> int:
        """ "never push a line below zero or below its `minimum` (which is for the whole line)" """
        return max(0, self.left[i] - int(self.lines[i].get("minimum", 0)))

    def on(self, rule: Json) -> list[int]:
        """The lines that a rule may make cheaper."""
        return [i for i, line in enumerate(self.lines) if may_discount(self.programme, line) and on(rule, line)]

    def copy(self) -> Sale:
        """A sale to try an offer on."""
        units = [replace(unit) for unit in self.units]
        return Sale(self.programme, self.case, [*self.left], units, [*self.why], {**self.free_units}, [*self.coupons])

    def win(self, rule: Json, money: int) -> None:
        """An offer won: say why, use its coupon ("used only when its offer won *")."""
        if money:
            self.why.append({"rule": rule["id"], "money": -money, "text": words()})
        self.use_coupon(rule)

    def use_coupon(self, offer: Json) -> None:
        """`coupons_used`, each code once."""
        code = offer.get("when", {}).get("coupon")
        if code is not None and code not in self.coupons:
            self.coupons.append(code)


def words() -> Json:
    """Texts are not modelled."""
    return {"ru": "...", "en": "..."}


def open_sale(programme: Json, case: Json) -> Sale:
    """The receipt before any rule: "units are taken dearest first", so they stand dearest first."""
    sale = Sale(programme, case)
    sale.left = [int(line["sum"]) for line in sale.lines]
    if "stamp_card" in programme or any("free_units" in offer["give"] for offer in programme.get("offer", [])):
        for i, line in enumerate(sale.lines):
            price = Fraction(1000 * int(line["sum"]), quantity(line))
            sale.units += [Unit(i, price) for _ in range(quantity(line) // 1000)]
        sale.units.sort(key=lambda unit: (-unit.price, tie_key(sale.lines[unit.line]), unit.line))
    return sale


def take_percent(sale: Sale, where: list[int], bp: int) -> int:
    """ "`discount_bp` (a percentage on a line at its minimum is lost, never moved to others *)" """
    exact = [min(Fraction(sale.left[i] * bp, 10000), Fraction(sale.room(i))) for i in where]
    total = half_up(sum(exact, Fraction(0)))
    for i, part in zip(where, largest_remainder(exact, total, [sale.lines[i] for i in where]), strict=True):
        sale.left[i] -= part
    return total


def take_fixed(sale: Sale, where: list[int], amount: int) -> int:
    """ "`discount` (fixed; shared, may move)" """
    rooms = [sale.room(i) for i in where]
    total = min(amount, sum(rooms))
    parts = share(total, [sale.left[i] for i in where], rooms, [sale.lines[i] for i in where])
    for i, part in zip(where, parts, strict=True):
        sale.left[i] -= part
    return total
