"""Random programmes and cases, small enough that every rule meets every other one often. Plain JSON objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Json = dict[str, Any]

CATEGORIES = ("coffee", "milk", "bread", "tobacco")
SKUS = ("1", "2", "3", "4")
PERIODS = ("lifetime", "year", "month", "day")
ZONES = ("Europe/Moscow", "America/New_York", "Asia/Kathmandu")
MOMENTS = (
    "2026-12-12T09:00:00+00:00",
    "2026-11-01T05:30:00+00:00",  # the repeated hour in New York
    "2026-03-08T07:00:00+00:00",  # the hour that New York leaves out
    "2027-02-28T20:59:59+00:00",  # the last second of a month in Moscow
    "2028-02-29T12:00:00+00:00",
    "2026-12-31T21:00:00+00:00",  # the new year in Moscow
)


def seeded(seed: int) -> Random:
    """Chance that repeats itself."""
    return Random(seed)  # noqa: S311 - a test, not a secret


def programme(random: Random) -> Json:
    """A document of any rules that can stand together."""
    by_steps = random.random() < 0.3
    document: Json = {"programme": _header(random), **_tables(random, by_steps)}
    document["tier"] = _tiers(random, by_steps)
    cards = [{"id": f"card{number}", "buy": random.randint(1, 3), "free": random.randint(1, 2)} for number in range(2)]
    document["stamp_card"] = [_maybe(random, 0.6, on=_select(random)) | card for card in cards[: random.randint(0, 2)]]
    document["offer"] = _offers(random, document["tier"])
    return document


def case(random: Random, document: Json) -> Json:
    """A receipt and a member who have something to do with the programme."""
    at = datetime.fromisoformat(random.choice(MOMENTS)) + timedelta(seconds=random.choice((0, 0, -1, 1, 3600 * 7)))
    lines = [_line(random) for _ in range(random.choice((0, 1, 1, 2, 3, 4, 6)))]
    if random.random() < 0.2 and lines:
        lines += [dict(random.choice(lines)) for _ in range(3)]
    found: Json = {
        "at": at.isoformat(),
        "store": random.choice(("S1", "S2")),
        "redeem": random.choice(("max", "max", "max", 0, random.randint(0, 60))),
        "offline": random.random() < 0.3,
        "member": _member(random, at, document) if random.random() < 0.85 else None,
        "basket": {"lines": lines},
    }
    if random.random() < 0.4 and lines:
        found["returns"] = _returns(random, lines)
    return found


def _header(random: Random) -> Json:
    value, decimals = random.choice(((100, 0), (100, 0), (1, 0), (37, 0), (100, 2), (700, 2), (5000, 0)))
    return {
        "id": "club",
        "revision": 7,
        "engine": 1,
        "starts_at": "2026-01-01T00:00:00+03:00",
        "timezone": random.choice(ZONES),
        "currency": "RUB",
        "point_value": value,
        "point_decimals": decimals,
        "law": random.choice(("ru", "none")),
    }


def _tables(random: Random, by_steps: bool) -> Json:
    rate = {"step": random.choice((100, 777, 10_000)), "points_per_step": random.randint(0, 5)}
    earn = (rate if by_steps else {"rate_bp": _rate(random)}) | _maybe(
        random,
        0.25,
        first_purchase_rate_bp=_rate(random),
        minimum_paid=random.choice((1, 1_000, 5_000)),
        max_receipts_per_day=random.randint(1, 2),
        exclude=_exclude(random),
    )
    redeem = _maybe(
        random,
        0.3,
        cap_bp=_rate(random),
        step=random.randint(1, 10),
        minimum_balance=random.randint(0, 100),
        minimum_receipt=random.choice((0, 1_000, 5_000)),
        max_points_per_receipt=random.randint(0, 100),
        max_redemptions_per_day=random.randint(0, 2),
        exclude=_exclude(random),
    ) | {"offline": _offline(random)}
    found: Json = {"earn": earn} if by_steps or random.random() < 0.85 else {}
    found |= _maybe(random, 0.85, redeem=redeem) | _maybe(random, 0.25, discount={"exclude": _exclude(random)})
    found["returns"] = {"spent_points": random.choice(("debt", "forgive", "from_money"))}
    return found | _maybe(random, 0.3, fiscal={"lines": "unit_price"})


def _offline(random: Random) -> Json:
    if random.random() < 0.3:
        return {"policy": "none"}
    limits = {"max_points_per_receipt": random.randint(0, 50), "max_points_per_day": random.randint(0, 60)}
    return {"policy": "capped", "snapshot_hours": 24, **limits}


def _tiers(random: Random, by_steps: bool) -> list[Json]:
    tiers = []
    for number in range(random.choice((0, 1, 2, 3, 4))):
        rate = {"points_per_step": random.randint(0, 9)} if by_steps else {"earn_rate_bp": _rate(random)}
        tier = {"id": f"tier{number}"} | _maybe(random, 0.6, **rate) | _maybe(random, 0.5, discount_bp=_rate(random))
        if number:
            conditions = [_condition(random) for _ in range(random.randint(1, 2))]
            kind = random.random()
            tier |= {"membership": True} if kind < 0.3 else {"any_of": conditions}
            tier |= {"membership": True} if kind > 0.9 else {}
        tiers.append(tier)
    return tiers


def _condition(random: Random) -> Json:
    if random.random() < 0.5:
        return {"counter": "purchases", "period": random.choice(PERIODS), "at_least": random.randint(1, 6)}
    return {"counter": "turnover", "period": random.choice(PERIODS), "at_least": random.choice((1_000, 10_000, 20_000))}


def _offers(random: Random, tiers: list[Json]) -> list[Json]:
    offers = []
    kinds: dict[str, str] = {}
    for number in range(random.choice((0, 1, 2, 3, 4, 6, 8))):
        kind = random.choice(("money", "money", "points", "things"))
        offer = {"id": f"offer{number}", "give": _give(random, kind)}
        offer |= _maybe(random, 0.5, on=_select(random), priority=random.randint(0, 3))
        group = random.choice(("a", "b", "c"))
        if random.random() < 0.6 and kinds.setdefault(group, kind) == kind:
            offer["group"] = group
        offer |= _maybe(random, 0.6, when=_when(random, tiers))
        offers.append(offer)
    return offers


def _give(random: Random, kind: str) -> Json:
    gives: dict[str, list[Json]] = {
        "money": [
            {"discount_bp": _rate(random)},
            {"discount": random.choice((1, 99, 1_000, 5_000))},
            {"free_units": {"buy": random.randint(1, 3), "free": random.randint(1, 2)}},
            {"price": random.choice((0, 1, 99, 500, 2_500))},
        ],
        "points": [
            {"multiply_bp": random.choice((5_000, 10_000, 15_000, 20_000, 25_001, 30_000))},
            {"multiply_bp": random.choice((20_000, 30_000))},
            {"points": random.randint(0, 9)},
        ],
        "things": [
            {"gift": {"what": "toy"} | _maybe(random, 0.6, for_each=random.choice((1_000, 3_333)))},
            {"coupon": {"offer": "offer0", "valid_days": 7}},
            {"slip": random.choice(("survey", "wheel", "referral"))},
            {"prompt": True},
        ],
    }
    return random.choice(gives[kind])


def _when(random: Random, tiers: list[Json]) -> Json:
    return _maybe(
        random,
        0.12,
        member=random.random() < 0.7,
        tiers=[tier["id"] for tier in tiers if random.random() < 0.6] or ["tier0"],
        tags=["vip"],
        not_tags=["control"],
        stores=["S1"],
        dates=_dates(random),
        weekdays=random.sample(range(1, 8), 4),
        local_time=_hours(random),
        birthday={"days_before": random.randint(0, 3), "days_after": random.randint(0, 3)},
        anniversary=random.choice((True, False, {"days_before": 1})),
        first_purchase=random.random() < 0.5,
        nth_purchase={"every": random.randint(1, 3), "period": random.choice(PERIODS)},
        receipt_at_least=random.choice((1, 1_000, 5_000)),
        coupon=random.choice(("A", "B")),
        bought=_select(random),
    )


def _dates(random: Random) -> Json:
    days = ("2026-03-08", "2026-12-12", "2026-12-13", "2027-01-01", "2028-02-29", "2026-11-01T05:30:00+00:00")
    return _maybe(random, 0.7, **{"from": random.choice(days), "to": random.choice(days)})


def _hours(random: Random) -> Json:
    times = ("00:00:00", "01:30:00", "03:00:00", "12:00:00", "23:59:59")
    return _maybe(random, 0.8, **{"from": random.choice(times), "to": random.choice(times)})


def _select(random: Random) -> Json:
    kind = random.random()
    if kind < 0.2:
        return {"categories": ["*"]}
    if kind < 0.4:
        return {"skus": random.sample(SKUS, 2)}
    found: Json = {"categories": random.sample(CATEGORIES, random.randint(1, 2))}
    return found | _maybe(random, 0.2, skus=[random.choice(SKUS)])


def _exclude(random: Random) -> Json:
    return _maybe(random, 0.5, categories=random.sample(CATEGORIES, 1), promo=random.random() < 0.5)


def _line(random: Random) -> Json:
    quantity = random.choice((1_000, 1_000, 1_000, 2_000, 3_000, 5_000, 500, 1_500, 1_234))
    total = random.choice((0, 1, 7, 99, 100, 1_000, 3_333, 10_000, random.randint(0, 20_000)))
    categories = random.sample(CATEGORIES, random.choice((0, 1, 1, 1, 2)))
    flags = _maybe(random, 0.12, **dict.fromkeys(("promo", "no_earn", "no_redeem", "no_discount"), True))
    minimum = random.choice((0, 0, 0, total, total // 2, max(0, total - 1), total + 5))
    line = {"sku": random.choice(SKUS), "categories": categories, "quantity": quantity, "sum": total}
    return line | {"minimum": minimum} | flags


def _member(random: Random, at: datetime, document: Json) -> Json:
    as_of = (at - timedelta(hours=random.choice((0, 1, 23, 24, 25)))).isoformat()
    balance = random.choice((-20, 0, 5, 50, 300, 10_000))
    counters = {
        "purchases": {period: random.randint(0, 5) for period in PERIODS},
        "turnover": {period: random.choice((0, 999, 9_000, 15_000)) for period in PERIODS},
        "earnings": {"day": random.randint(0, 2)},
        "redemptions": {"day": random.randint(0, 2)},
        "redeemed": {"day": random.randint(0, 60)},
    }
    found: Json = {
        "balance": balance,
        "tags": random.sample(("vip", "control"), random.randint(0, 2)),
        "coupons": random.sample(("A", "B"), random.randint(0, 2)),
        "consent": random.choice(("given", "given", "given", "none", "withdrawn")),
        "as_of": as_of if random.random() < 0.9 else None,
        "counters": _maybe(random, 0.9, **counters),
    }
    day = at.astimezone(UTC).date()
    near = [str(day + timedelta(days=days)) for days in (-3, -1, 0, 1, 4)] + ["2024-02-29"]
    found |= _maybe(random, 0.5, birthday=random.choice(near)[5:], joined=random.choice((*near, "2025-12-12")))
    found |= _maybe(random, 0.5, membership=random.choice((None, *near[:-1])))
    cards = {card["id"]: random.randint(0, 7) for card in document["stamp_card"] if random.random() < 0.8}
    found["stamps"] = cards
    return found | _maybe(random, 0.25, lots=_lots(random, at, balance))


def _lots(random: Random, at: datetime, balance: int) -> list[Json]:
    lots = []
    for number in range(random.randint(1, 4)):
        points = random.randint(0, max(0, balance))
        balance -= points
        expires = random.choice(
            (None, at, at - timedelta(seconds=1), at + timedelta(seconds=1), at + timedelta(days=9))
        )
        lots.append({"id": f"lot{number}", "points": points, "expires_at": expires.isoformat() if expires else None})
    return lots


def _returns(random: Random, lines: list[Json]) -> list[Json]:
    """Every unit comes back sooner or later, or some of them do."""
    units = [(number, 1) for number, line in enumerate(lines) for _ in range(line["quantity"] // 1_000)]
    random.shuffle(units)
    whole = [number for number, line in enumerate(lines) if line["quantity"] < 1_000]
    wanted: list[Json] = [{"units": [list(each)]} for each in units[: random.randint(1, 4)]]
    wanted += [{"lines": [number]} for number in whole[:1]]
    random.shuffle(wanted)
    return wanted


def _rate(random: Random) -> int:
    return random.choice((0, 1, 100, 333, 500, 1_000, 1_500, 5_000, 10_000))


def _maybe(random: Random, chance: float, **fields: Any) -> Json:  # noqa: ANN401 - JSON values
    return {name: value for name, value in fields.items() if random.random() < chance}
