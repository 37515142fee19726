"""The programme document: one immutable description of what a retailer's loyalty programme is.

People write it as TOML; the same shape travels as JSON. `load` refuses a document with any mistake and names all of
them at once, so that everything behind this file works with a programme that makes sense. What a person should look at
though it can be counted with (a rule that never holds, an offer behind an exclusive group) is `loyalty.inspection`'s.

The types of the sections are in `loyalty.sections` and `loyalty.offers`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from loyalty.contradictions import contradictions
from loyalty.errors import TillmateError
from loyalty.offers import Offer
from loyalty.sections import (
    Condition,
    Discount,
    Earn,
    Fiscal,
    Header,
    Lots,
    Redeem,
    Returns,
    StampCard,
    Tier,
)
from loyalty.strict import Mistake, Mistakes, key, structure, unstructure

if TYPE_CHECKING:
    from loyalty.rules.plan import Plan

__all__ = ["Condition", "Programme", "ProgrammeError", "Tier", "load", "to_json"]


class ProgrammeError(TillmateError):
    """Fix the document. `mistakes` holds all of them, each with its key path."""

    code: ClassVar[str] = "programme"

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


@dataclass(frozen=True, kw_only=True)
class Programme:
    """The whole document."""

    header: Header = field(metadata=key("programme"))
    earn: Earn = field(default_factory=Earn)
    discount: Discount = field(default_factory=Discount)
    redeem: Redeem | None = None
    lots: Lots = field(default_factory=Lots)
    returns: Returns = field(default_factory=Returns)
    fiscal: Fiscal = field(default_factory=Fiscal)
    tiers: tuple[Tier, ...] = field(default=(), metadata=key("tier"))
    stamp_cards: tuple[StampCard, ...] = field(default=(), metadata=key("stamp_card"))
    offers: tuple[Offer, ...] = field(default=(), metadata=key("offer"))

    def __post_init__(self) -> None:
        mistakes = list(contradictions(self.earn, self.tiers, self.stamp_cards, self.offers))
        if mistakes:
            raise Mistakes(mistakes)

    @cached_property
    def plan(self) -> Plan:
        """What the engine works out once for a programme."""
        from loyalty.rules.plan import make_plan  # the plan is made of programmes, so it stands above this module

        return make_plan(self)

    @cached_property
    def zone(self) -> ZoneInfo:
        """Whose days, months and hours hold."""
        return ZoneInfo(self.header.timezone)

    def day(self, at: datetime) -> date:
        """Return the local day of the programme's time zone at that time."""
        return at.astimezone(self.zone).date()


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
