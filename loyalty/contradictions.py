"""Rules of one document that cannot stand beside each other. The loader refuses them, each with its key path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loyalty.offers import Offer
from loyalty.sections import Earn, StampCard, Tier
from loyalty.strict import Mistake

RESERVED = ("tier", "earn")
"""Names that lines of explanation carry for the engine's own rules."""


def contradictions(
    earn: Earn, tiers: Sequence[Tier], stamp_cards: Sequence[StampCard], offers: Sequence[Offer]
) -> Iterator[Mistake]:
    """Yield every mistake that only shows when the sections are seen together."""
    yield from _twice("tier", [tier.id for tier in tiers], set())
    yield from _tier_conditions(tiers)
    yield from _tier_earning(tiers, earn)
    taken = set(RESERVED)
    yield from _twice("stamp_card", [card.id for card in stamp_cards], taken)
    yield from _twice("offer", [offer.id for offer in offers], taken)
    yield from _mixed_groups(offers)


def _twice(section: str, ids: Sequence[str], taken: set[str]) -> Iterator[Mistake]:
    for number, each in enumerate(ids):
        if each in taken:
            text = "is a name of the engine's own" if each in RESERVED else "stands twice"
            yield Mistake(f"{section}[{number}].id", text)
        taken.add(each)


def _tier_conditions(tiers: Sequence[Tier]) -> Iterator[Mistake]:
    for number, tier in enumerate(tiers):
        conditions = bool(tier.any_of) or tier.membership
        if number == 0 and conditions:
            yield Mistake(f"tier[{number}]", "the first tier is everybody's and has no condition")
        if number > 0 and not conditions:
            yield Mistake(f"tier[{number}]", "needs a condition: any_of, or membership, or both")


def _tier_earning(tiers: Sequence[Tier], earn: Earn) -> Iterator[Mistake]:
    by_steps = earn.step is not None
    wrong = "earn_rate_bp" if by_steps else "points_per_step"
    says = "the programme earns by steps: use points_per_step" if by_steps else "needs step in [earn]"
    for number, tier in enumerate(tiers):
        if getattr(tier, wrong) is not None:
            yield Mistake(f"tier[{number}].{wrong}", says)


def _mixed_groups(offers: Sequence[Offer]) -> Iterator[Mistake]:
    first: dict[str, tuple[int, Offer]] = {}
    for number, offer in enumerate(offers):
        if offer.group is None:
            continue
        place, head = first.setdefault(offer.group, (number, offer))
        if head.give.kind != offer.give.kind:
            text = (
                f"group '{offer.group}' is about {head.give.kind} since offer[{place}], and this one gives "
                f"{offer.give.kind}: a group holds one kind"
            )
            yield Mistake(f"offer[{number}].group", text)
