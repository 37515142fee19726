"""What a person should look at in a programme that can be counted with: rules that never hold, risky neighbours.

`loyalty.programme.load` refuses what is wrong; here stands what is merely senseless, so a till that has taken such a
programme goes on selling. A `warning` is about a pair of offers that is allowed and may surprise.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal

from loyalty.i18n import Language, text
from loyalty.offers import Offer, When
from loyalty.programme import Programme
from loyalty.rules.plan import forbidden, plain
from loyalty.sections import Exclude, Select, Tier


@dataclass(frozen=True)
class Finding:
    """One thing to look at: a key path, and the sentence `finding.<key>` with its names."""

    severity: Literal["never", "warning"]
    path: str
    key: str
    names: tuple[tuple[str, str], ...] = ()

    def say(self, language: Language) -> str:
        """Return the sentence."""
        return text(f"finding.{self.key}", language, **dict(self.names))


def inspect(programme: Programme) -> tuple[Finding, ...]:
    """Return everything worth a look, in the order of the document; warnings last."""
    never = [
        *_limits(programme),
        *_tiers(programme.tiers),
        *_stamp_cards(programme),
        *(each for number, offer in enumerate(programme.offers) for each in _offer(programme, number, offer)),
    ]
    return (*never, *_pairs(programme))


def _never(path: str, key: str, **names: str) -> Finding:
    return Finding("never", path, key, tuple(names.items()))


def _limits(programme: Programme) -> Iterator[Finding]:
    earn, redeem = programme.earn, programme.redeem
    if earn.max_receipts_per_day == 0:
        yield _never("earn.max_receipts_per_day", "no_earning")
    if redeem is None:
        return
    for name in ("cap_bp", "max_points_per_receipt", "max_redemptions_per_day"):
        if getattr(redeem, name) == 0:
            yield _never(f"redeem.{name}", "no_redemption")
    if redeem.max_points_per_receipt and redeem.step > redeem.max_points_per_receipt:
        yield _never("redeem.step", "step_above_most")


def _tiers(tiers: Sequence[Tier]) -> Iterator[Finding]:
    """A tier that a later one covers is never held: whenever it could be, the later one is."""
    for number, tier in enumerate(tiers[1:], 1):
        for later in tiers[number + 1 :]:
            if _covers(later, tier):
                yield _never(f"tier[{number}]", "tier_covered", tier=later.id)
                break


def _covers(later: Tier, tier: Tier) -> bool:
    if later.membership and not tier.membership:
        return False
    if not later.any_of:
        return True
    return bool(tier.any_of) and all(
        any(
            (easy.counter, easy.period) == (hard.counter, hard.period) and easy.at_least <= hard.at_least
            for easy in later.any_of
        )
        for hard in tier.any_of
    )


def _stamp_cards(programme: Programme) -> Iterator[Finding]:
    for number, card in enumerate(programme.stamp_cards):
        yield from _on(programme, f"stamp_card[{number}].on", card.on, programme.discount.exclude, "discount.exclude")


def _offer(programme: Programme, number: int, offer: Offer) -> Iterator[Finding]:
    place = f"offer[{number}]"
    yield from _unknown_tiers(programme, place, offer.when)
    yield from _when(programme, f"{place}.when", offer.when)
    yield from _gives(programme, f"{place}.give", offer)
    exclude, name = {
        "money": (programme.discount.exclude, "discount.exclude"),
        "points": (programme.earn.exclude, "earn.exclude"),
        "things": (Exclude(), ""),
    }[offer.give.kind]
    yield from _on(programme, f"{place}.on", offer.on, exclude, name)


def _unknown_tiers(programme: Programme, place: str, when: When) -> Iterator[Finding]:
    known = [tier.id for tier in programme.tiers]
    for number, wanted in enumerate(when.tiers or ()):
        if wanted not in known:
            path = f"{place}.when.tiers[{number}]"
            near = difflib.get_close_matches(wanted, known, n=1)
            yield _never(path, "no_tier_near", near=near[0]) if near else _never(path, "no_tier")


def _when(programme: Programme, place: str, when: When) -> Iterator[Finding]:
    if when.tags and set(when.tags) <= set(when.not_tags or ()):
        yield _never(f"{place}.tags", "tags_unwanted")
    if when.first_purchase and when.nth_purchase and when.nth_purchase.every > 1:
        yield _never(f"{place}.nth_purchase", "first_is_not_nth")
    if when.member is False:
        for name in ("tiers", "tags", "birthday", "anniversary", "first_purchase", "nth_purchase", "coupon"):
            if getattr(when, name) is not None:
                yield _never(f"{place}.{name}", "needs_member")
    if when.local_time and (when.local_time.start or time()) == when.local_time.end:
        yield _never(f"{place}.local_time", "empty_window")
    yield from _dates(programme, f"{place}.dates", when)


def _dates(programme: Programme, place: str, when: When) -> Iterator[Finding]:
    if when.dates is None or when.dates.end is None:
        return
    end = _instant(programme, when.dates.end)
    if when.dates.start is not None and _instant(programme, when.dates.start) >= end:
        yield _never(place, "empty_window")
    elif end <= programme.header.starts_at:
        yield _never(f"{place}.to", "over_before")


def _instant(programme: Programme, moment: date | datetime) -> datetime:
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time(), programme.zone).astimezone(UTC)


def _gives(programme: Programme, place: str, offer: Offer) -> Iterator[Finding]:
    give = offer.give
    if give.discount_bp == 0 or give.discount == 0 or give.points == 0:
        yield _never(f"{place}.{give.what}", "nothing")
    if give.multiply_bp is not None and give.multiply_bp <= 10_000:
        yield _never(f"{place}.multiply_bp", "no_multiplier")
    elif give.multiply_bp is not None and not _earns(programme):
        yield _never(f"{place}.multiply_bp", "nothing_to_multiply")
    if give.prompt is not None and not offer.words:
        yield _never(f"{place}.prompt", "no_words")
    if give.coupon is not None:
        target = next((each for each in programme.offers if each.id == give.coupon.offer), None)
        if target is None or target.when.coupon is None:
            yield _never(f"{place}.coupon.offer", "no_coupon_offer", offer=give.coupon.offer)


def _earns(programme: Programme) -> bool:
    rates = [programme.earn.rate_bp, programme.earn.points_per_step, programme.earn.first_purchase_rate_bp]
    return any([*rates, *(tier.earn_rate_bp or tier.points_per_step for tier in programme.tiers)])


def _on(programme: Programme, place: str, on: Select | None, exclude: Exclude, name: str) -> Iterator[Finding]:
    if on is None or on.skus:
        return
    wanted = {plain(each) for each in on.categories}
    if wanted <= forbidden(programme.header.law):
        yield _never(place, "law")
    elif wanted <= {plain(each) for each in exclude.categories}:
        yield _never(place, "excluded", table=name)


def _pairs(programme: Programme) -> Iterator[Finding]:
    """Only offers of money: what an exclusive group leaves decides what comes behind it, and may make a basket dearer."""
    numbers = {offer.id: number for number, offer in enumerate(programme.offers)}
    groups = programme.plan.money
    for place, group in enumerate(groups):
        behind = [each.offer for later in groups[place + 1 :] for each in later.offers] if len(group.offers) > 1 else []
        for offer in behind:
            if offer.on is not None and "*" not in offer.on.categories:
                names = (("group", group.offers[0].offer.group or ""), ("offer", offer.id))
                yield Finding("warning", f"offer[{numbers[offer.id]}]", "after_group", names)
