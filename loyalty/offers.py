"""[[offer]]: when it holds, what it gives, on which lines, in which group, and what the cashier says."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from typing import Annotated, Literal

from loyalty.kinds import Amount, Days, Id, Names, Some, Units, Word, not_empty
from loyalty.kinds import Basis as Rate
from loyalty.sections import Period, Select
from loyalty.strict import Check, Mistake, Mistakes, between, key

Kind = Literal["money", "points", "things"]
GiveName = Literal[
    "discount_bp", "discount", "multiply_bp", "points", "free_units", "gift", "price", "coupon", "slip", "prompt"
]
KINDS: dict[GiveName, Kind] = {
    "discount_bp": "money",
    "discount": "money",
    "price": "money",
    "free_units": "money",
    "multiply_bp": "points",
    "points": "points",
    "gift": "things",
    "coupon": "things",
    "slip": "things",
    "prompt": "things",
}
"""What a group is of one of."""

PLACEHOLDERS = ("number", "points", "money", "count", "earned", "pay", "balance", "max_redeem", "days")
"""What `say` may name: `{number}` is the offer's own number, whatever it counts."""

LocalClock = Annotated[time, Check(lambda value: value.tzinfo is None, "is local and has no offset")]


@dataclass(frozen=True, kw_only=True)
class Dates:
    """From the start of one day, or an instant, until another; the end does not belong to it."""

    start: date | datetime | None = field(default=None, metadata=key("from"))
    end: date | datetime | None = field(default=None, metadata=key("to"))


@dataclass(frozen=True, kw_only=True)
class Hours:
    """From one local time of day until another; over midnight where the end is earlier. Absent = midnight."""

    start: LocalClock | None = field(default=None, metadata=key("from"))
    end: LocalClock | None = field(default=None, metadata=key("to"))


@dataclass(frozen=True, kw_only=True)
class Around:
    """So many days before and after a day of the year."""

    days_before: Days = 0
    days_after: Days = 0


@dataclass(frozen=True, kw_only=True)
class Nth:
    """Each so-manieth purchase of a period."""

    every: Annotated[int, between(1, 10**6)]
    period: Period


Listed = Annotated[tuple[Word, ...], not_empty("must not be empty")]
Weekday = Annotated[int, between(1, 7)]


@dataclass(frozen=True, kw_only=True)
class When:
    """All that are present must hold. Lists mean any of them, `not_tags` none of them."""

    member: bool | None = None
    tiers: Listed | None = None
    tags: Listed | None = None
    not_tags: Listed | None = None
    stores: Listed | None = None
    dates: Dates | None = None
    weekdays: Annotated[tuple[Weekday, ...], not_empty("must not be empty")] | None = None
    local_time: Hours | None = None
    birthday: bool | Around | None = None
    anniversary: bool | Around | None = None
    first_purchase: bool | None = None
    nth_purchase: Nth | None = None
    receipt_at_least: Amount | None = None
    coupon: Word | None = None
    bought: Select | None = None


@dataclass(frozen=True, kw_only=True)
class FreeUnits:
    """n + m in one receipt."""

    buy: Units
    free: Units


@dataclass(frozen=True, kw_only=True)
class GiftRule:
    """A thing to hand over; `for_each` so much money, or once."""

    what: Word
    for_each: Some | None = None


@dataclass(frozen=True, kw_only=True)
class CouponRule:
    """Print a coupon for another offer."""

    offer: Id
    valid_days: Annotated[int, between(1, 3_660)] | None = None


@dataclass(frozen=True, kw_only=True)
class Give:
    """One of these."""

    discount_bp: Rate | None = None
    discount: Amount | None = None
    multiply_bp: Annotated[int, between(1, 10**6)] | None = None
    points: Annotated[int, between(0, 10**9)] | None = None
    free_units: FreeUnits | None = None
    gift: GiftRule | None = None
    price: Amount | None = None
    coupon: CouponRule | None = None
    slip: Literal["survey", "wheel", "referral"] | None = None
    prompt: bool | str | Names | None = None

    def __post_init__(self) -> None:
        given = [each.name for each in fields(self) if getattr(self, each.name) is not None]
        if len(given) != 1:
            listed = ", ".join(given) if given else "nothing"
            raise ValueError(f"gives one thing; here it gives {listed}")

    @property
    def what(self) -> GiveName:
        """The name of the one that is given."""
        return next(name for name in KINDS if getattr(self, name) is not None)

    @property
    def kind(self) -> Kind:
        """Money, points or things."""
        return KINDS[self.what]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """[[offer]]: discounts, multipliers, gifts, coupons, prompts."""

    id: Id
    give: Give
    name: Names = field(default_factory=dict)
    priority: Annotated[int, between(-(10**6), 10**6)] = 0
    group: Id | None = None
    when: When = When()
    on: Select | None = None
    say: Names = field(default_factory=dict)

    def __post_init__(self) -> None:
        mistakes = [*_say_mistakes("say", self.say), *self._prompt_mistakes()]
        if mistakes:
            raise Mistakes(mistakes)

    @property
    def words(self) -> Names:
        """The one line for the cashier: `say`, or the text of the prompt itself."""
        prompt = self.give.prompt
        if self.say or prompt is None or isinstance(prompt, bool):
            return self.say
        return {"ru": prompt, "en": prompt} if isinstance(prompt, str) else prompt

    def _prompt_mistakes(self) -> Iterator[Mistake]:
        prompt = self.give.prompt
        if prompt is False:
            yield Mistake("give.prompt", "is true, or the text itself")
        elif prompt is not None:
            yield from _say_mistakes("give.prompt", {} if self.say else self.words)


def _say_mistakes(place: str, sentences: Names) -> Iterator[Mistake]:
    for language, sentence in sentences.items():
        try:
            named = [part[1:] for part in string.Formatter().parse(sentence) if part[1] is not None]
        except ValueError as error:
            yield Mistake(f"{place}.{language}", f"has a brace that is not closed or opened: {error}")
            continue
        for name, form, conversion in named:
            if name not in PLACEHOLDERS or form or conversion:
                known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
                yield Mistake(f"{place}.{language}", f"{{{name}}} is not one of {known}")
