"""Programmes of the retailer whom all these tests serve."""

from __future__ import annotations

BEGUN = "2026-01-01T00:00:00+03:00"

CAPPED = """
[redeem]
cap_bp = 5000
offline = { policy = "capped", max_points_per_receipt = 1000, max_points_per_day = 5000 }
"""
"""Paying with points, offline too."""

BURNING = """
[lots]
lives = "P1M"
until = "end_of_month"
"""
"""Points that burn at the end of a month."""


def club(rules: str = "", *, revision: int = 1, rate_bp: int = 1000, starts_at: str = BEGUN) -> str:
    """The document with these rules besides what a purchase earns."""
    return f"""
[programme]
id = "club"
revision = {revision}
engine = 1
starts_at = {starts_at}
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = {rate_bp}
{rules}"""
