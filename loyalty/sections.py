"""The sections of the programme document, apart from its offers: see `loyalty.programme` for the whole.

Money is minor units of `currency`, points are units of 10^-point_decimals points, rates (`_bp`) are basis points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from loyalty.kinds import Amount, Basis, Days, Id, Names, Some, Units, Word, is_timezone, matches
from loyalty.money import BASIS
from loyalty.strict import Check, Mistake, Mistakes, between

Period = Literal["lifetime", "year", "month", "day"]
CurrencyCode = Annotated[str, matches("[A-Z]{3}", "must be a currency code like RUB")]
Zone = Annotated[str, Check(is_timezone, "must be a time zone like Europe/Moscow")]
LIFE = r"P(?=.*[1-9])(?:[0-9]{1,3}Y)?(?:[0-9]{1,4}M)?(?:[0-9]{1,4}W)?(?:[0-9]{1,5}D)?"
Life = Annotated[str, matches(LIFE, "must be a time like P12M, P1Y or P90D")]


@dataclass(frozen=True, kw_only=True)
class Header:
    """[programme]: what it is, from when, in which money."""

    id: Id
    revision: Annotated[int, between(1, 10**9)]
    engine: Literal[1]
    starts_at: datetime
    timezone: Zone
    currency: CurrencyCode
    point_value: Some = 100
    point_decimals: Literal[0, 2] = 0
    paper: Literal["always", "no_member", "on_request", "never"] = "always"
    law: Literal["ru", "none"] = "none"

    def __post_init__(self) -> None:
        if self.point_value % self.units_per_point:
            raise Mistakes([Mistake("point_value", "must be whole minor units for the smallest part of a point")])

    @property
    def units_per_point(self) -> int:
        """How many of the units that balances are counted in make one whole point."""
        return int(10**self.point_decimals)

    @property
    def unit_value(self) -> int:
        """Minor units of money that one unit of a balance pays."""
        return self.point_value // self.units_per_point


@dataclass(frozen=True, kw_only=True)
class Select:
    """Lines of a receipt: those of any of the categories, or with any of the skus; ["*"] is every line."""

    categories: tuple[Word, ...] = ()
    skus: tuple[Word, ...] = ()

    def __post_init__(self) -> None:
        if not (self.categories or self.skus):
            raise ValueError("must have categories or skus")


@dataclass(frozen=True, kw_only=True)
class Exclude:
    """Lines that a rule leaves out: those of a category, with a sku, or on promotion."""

    categories: tuple[Word, ...] = ()
    skus: tuple[Word, ...] = ()
    promo: bool = False


@dataclass(frozen=True, kw_only=True)
class Earn:
    """[earn]: a rate, or points for each full step of money; counted on money paid."""

    rate_bp: Basis | None = None
    step: Some | None = None
    points_per_step: Amount | None = None
    first_purchase_rate_bp: Basis | None = None
    minimum_paid: Amount = 0
    max_receipts_per_day: Amount | None = None
    exclude: Exclude = Exclude()

    def __post_init__(self) -> None:
        if (self.step is None) != (self.points_per_step is None):
            raise ValueError("step and points_per_step go together")
        if self.rate_bp is not None and self.step is not None:
            raise ValueError("either rate_bp, or step with points_per_step, not both")


@dataclass(frozen=True, kw_only=True)
class Discount:
    """[discount]: what no discount may touch."""

    exclude: Exclude = Exclude()


@dataclass(frozen=True, kw_only=True)
class Offline:
    """Paying with points while the server cannot be asked."""

    policy: Literal["none", "capped"] = "none"
    max_points_per_receipt: Amount | None = None
    max_points_per_day: Amount | None = None
    snapshot_hours: Annotated[int, between(1, 24 * 35)] = 24

    def __post_init__(self) -> None:
        if self.policy == "capped" and None in (self.max_points_per_receipt, self.max_points_per_day):
            raise ValueError("policy 'capped' needs max_points_per_receipt and max_points_per_day")


@dataclass(frozen=True, kw_only=True)
class Redeem:
    """[redeem]: how much of a receipt points may pay."""

    cap_bp: Basis = BASIS
    step: Some = 1
    minimum_balance: Amount = 0
    minimum_receipt: Amount = 0
    max_points_per_receipt: Amount | None = None
    max_redemptions_per_day: Amount | None = None
    exclude: Exclude = Exclude()
    confirm_above: Amount | None = None
    offline: Offline = Offline()


@dataclass(frozen=True, kw_only=True)
class Lots:
    """[lots]: how long points live; without `lives` they never burn."""

    lives: Life | None = None
    until: Literal["exact", "end_of_month"] = "exact"


@dataclass(frozen=True, kw_only=True)
class Returns:
    """[returns]: what becomes of points that should go back but were spent, and of those that return to a burnt lot."""

    spent_points: Literal["debt", "forgive", "from_money"] = "debt"
    revived_lot_days: Days = 14


@dataclass(frozen=True, kw_only=True)
class Fiscal:
    """[fiscal]: whether the quote adds lines as a fiscal registrar takes them."""

    lines: Literal["none", "unit_price"] = "none"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A counter that has reached a value within a period."""

    counter: Literal["purchases", "turnover"]
    period: Period
    at_least: Some


@dataclass(frozen=True, kw_only=True)
class Tier:
    """[[tier]]: the first is everybody's; the held one is the last listed whose conditions hold."""

    id: Id
    name: Names = field(default_factory=dict)
    earn_rate_bp: Basis | None = None
    points_per_step: Amount | None = None
    discount_bp: Basis = 0
    any_of: tuple[Condition, ...] = ()
    membership: bool = False


@dataclass(frozen=True, kw_only=True)
class StampCard:
    """[[stamp_card]]: so many units bought, over any number of receipts, make so many free."""

    id: Id
    buy: Units
    free: Units
    name: Names = field(default_factory=dict)
    on: Select | None = None
