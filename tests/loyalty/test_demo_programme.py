from __future__ import annotations

from datetime import timedelta
from importlib import resources

import pytest

from loyalty.programme import Programme, load


@pytest.fixture
def demo() -> Programme:
    return load(resources.files("agent").joinpath("demo", "programme.toml").read_bytes(), "toml")


def test_the_demo_programme_is_what_the_demo_tells(demo: Programme) -> None:
    assert (demo.header.id, demo.header.currency, demo.header.law) == ("bonus-club", "RUB", "ru")
    assert demo.header.starts_at.isoformat() == "2026-01-01T00:00:00+03:00"
    assert demo.redeem is not None
    assert demo.redeem.cap_bp == 5000
    offline = demo.redeem.offline
    assert (offline.policy, offline.max_points_per_receipt, offline.max_points_per_day) == ("capped", 200, 400)
    assert timedelta(hours=offline.snapshot_hours) == timedelta(days=1)


def test_the_demo_tiers(demo: Programme) -> None:
    tiers = {tier.id: (tier.earn_rate_bp, [each.at_least for each in tier.any_of]) for tier in demo.tiers}
    assert tiers == {"basic": (100, []), "silver": (300, [5, 1_000_000]), "gold": (500, [10, 2_500_000])}
    assert all(set(tier.name) == {"ru", "en"} for tier in demo.tiers)
