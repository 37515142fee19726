"""What a till may answer."""

from __future__ import annotations

from loyalty.quote import Quote

QUOTE = Quote(
    total=1000,
    discount=0,
    line_discounts=(0,),
    max_redeem=2,
    redeemed=0,
    line_redeemed=(0,),
    pay=1000,
    earned=10,
    balance_after=310,
    tier="basic",
    tier_after="basic",
    to_next_tier=None,
    stamps_after={},
    free_units={},
    gifts=(),
    slips=(),
    coupons_used=(),
    why=(),
    prompt={"ru": "Скажите", "en": "Say"},
    programme_revision=1,
    engine=1,
)
