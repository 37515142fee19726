"""The programme document: one immutable description of what a retailer's loyalty programme is.

People write it as TOML; the same shape travels as JSON. `load` refuses a document with any mistake and names all of
them at once, so that everything behind this file works with a programme that makes sense. Money is minor units of
`currency`, points are units of 10^-point_decimals points, rates (`_bp`) are basis points.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from loyalty.errors import TillmateError
from loyalty.i18n import Language
from loyalty.money import BASIS
from loyalty.strict import Check, Mistake, Mistakes, between, key, structure, unstructure

Names = dict[Language, str]


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _matches(pattern: str, text: str) -> Check:
    return Check(lambda value: re.fullmatch(pattern, value) is not None, text)


Id = Annotated[str, _matches(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "must be 1-64 letters, digits, '-', '_' or '.'")]
Basis = Annotated[int, between(0, BASIS)]
Amount = Annotated[int, between(0, 10**12)]
Some = Annotated[int, between(1, 10**12)]


class ProgrammeError(TillmateError):
    """Fix the document. `mistakes` holds all of them, each with its key path."""

    code: ClassVar[str] = "programme"

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


@dataclass(frozen=True, kw_only=True)
class Header:
    """[programme]: what it is, from when, in which money."""

    id: Id
    revision: Annotated[int, between(1, 10**9)]
    engine: Literal[1]
    starts_at: datetime
    timezone: Annotated[str, Check(_is_timezone, "must be a time zone like Europe/Moscow")]
    currency: Annotated[str, _matches(r"[A-Z]{3}", "must be a currency code like RUB")]
    point_value: Some = 100
    point_decimals: Literal[0, 2] = 0
    paper: Literal["always", "no_member", "on_request", "never"] = "always"
    law: Literal["ru", "none"] = "none"


@dataclass(frozen=True, kw_only=True)
class Exclude:
    """Lines that a rule leaves out: those of a category, those on promotion."""

    categories: tuple[str, ...] = ()
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
    offline: Offline = Offline()


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A counter that has reached a value within a period."""

    counter: Literal["purchases", "turnover"]
    period: Literal["lifetime", "year", "month", "day"]
    at_least: Some


@dataclass(frozen=True, kw_only=True)
class Tier:
    """[[tier]]: the first is everybody's; the held one is the last listed whose condition holds."""

    id: Id
    name: Names = field(default_factory=dict)
    earn_rate_bp: Basis | None = None
    points_per_step: Amount | None = None
    discount_bp: Basis = 0
    any_of: tuple[Condition, ...] = ()
    membership: bool = False


@dataclass(frozen=True, kw_only=True)
class Programme:
    """The whole document."""

    header: Header = field(metadata=key("programme"))
    earn: Earn = Earn()
    discount: Discount = Discount()
    redeem: Redeem | None = None
    tiers: tuple[Tier, ...] = field(default=(), metadata=key("tier"))

    def __post_init__(self) -> None:
        mistakes = [*_tier_conditions(self.tiers), *_tier_earning(self.tiers, self.earn)]
        if mistakes:
            raise Mistakes(mistakes)

    def day(self, at: datetime) -> date:
        """Return the local day of the programme's time zone at that time."""
        return at.astimezone(ZoneInfo(self.header.timezone)).date()


def load(text: str | bytes, form: Literal["toml", "json"]) -> Programme:
    """Return the programme. Raises ProgrammeError."""
    try:
        return structure(_parse(text, form), Programme)
    except Mistakes as error:
        raise ProgrammeError(error.mistakes) from error


def to_json(programme: Programme) -> bytes:
    """Return the document as JSON, the same bytes for the same programme; `load(..., "json")` reads it back."""
    return msgspec.json.encode(unstructure(programme), order="sorted")


def _parse(text: str | bytes, form: Literal["toml", "json"]) -> Mapping[str, Any]:
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
        table: Mapping[str, Any] = tomllib.loads(decoded) if form == "toml" else msgspec.json.decode(decoded)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Mistakes([Mistake("", f"cannot be read as {form.upper()}: {error}")]) from error
    return table


def _tier_conditions(tiers: tuple[Tier, ...]) -> list[Mistake]:
    mistakes = []
    seen: set[str] = set()
    for number, tier in enumerate(tiers):
        place = f"tier[{number}]"
        conditions = bool(tier.any_of) + tier.membership
        if tier.id in seen:
            mistakes.append(Mistake(f"{place}.id", "stands twice"))
        if number == 0 and conditions:
            mistakes.append(Mistake(place, "the first tier is everybody's and has no condition"))
        if number > 0 and conditions != 1:
            mistakes.append(Mistake(place, "needs one condition: any_of, or membership"))
        seen.add(tier.id)
    return mistakes


def _tier_earning(tiers: tuple[Tier, ...], earn: Earn) -> list[Mistake]:
    by_steps = earn.step is not None
    wrong = "earn_rate_bp" if by_steps else "points_per_step"
    says = "the programme earns by steps: use points_per_step" if by_steps else "needs step in [earn]"
    return [
        Mistake(f"tier[{number}].{wrong}", says)
        for number, tier in enumerate(tiers)
        if getattr(tier, wrong) is not None
    ]
