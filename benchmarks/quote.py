"""How long a quote takes, and whether memory stays flat: a 50-line receipt, 20 offers, paid with points.

    python benchmarks/quote.py [--quotes 200000]

Prints p50 and p99 of one quote (the quietest of five rounds of a thousand) for two programmes of 20 offers (`mixed`: of every kind; `stacked`: 20 discounts one on
another, all on every line), and how the process grew over many quotes of receipts that all differ.
"""

from __future__ import annotations

import argparse
import gc
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from loyalty.engine import quote
from loyalty.programme import Programme, load
from loyalty.quote import Basket, Counters, Line, MemberState, Quote

AT = datetime(2026, 12, 12, 9, tzinfo=UTC)
LINES = 50
CATEGORIES = ("coffee", "milk", "bread", "cheese", "tea", "fruit")
HEAD = """
[programme]
id = "bench"
revision = 1
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
law = "ru"
[earn]
rate_bp = 100
[redeem]
cap_bp = 5000
exclude = { categories = ["alcohol"], promo = true }
[[tier]]
id = "basic"
[[tier]]
id = "silver"
earn_rate_bp = 300
discount_bp = 300
any_of = [{ counter = "purchases", period = "lifetime", at_least = 5 }]
[[stamp_card]]
id = "spa"
buy = 5
free = 1
on = { categories = ["tea"] }
"""
GIVES = (
    "{ free_units = { buy = 2, free = 1 } }",
    "{ free_units = { buy = 3, free = 1 } }",
    "{ price = 9900 }",
    "{ discount_bp = 700 }",
    "{ discount_bp = 1500 }",
    "{ discount = 5000 }",
    "{ multiply_bp = 20000 }",
    "{ multiply_bp = 30000 }",
    "{ points = 50 }",
    '{ gift = { what = "toy", for_each = 100000 } }',
)


def mixed() -> Programme:
    """Twenty offers of every kind, on categories, some in groups, each with a condition."""
    offers = []
    for number in range(20):
        give = GIVES[number % len(GIVES)]
        group = f'group = "g{number % 4}"' if "discount" in give else ""
        on = f'on = {{ categories = ["{CATEGORIES[number % len(CATEGORIES)]}"] }}'
        when = "when = { receipt_at_least = 10000, weekdays = [1, 2, 3, 4, 5, 6, 7] }"
        offers.append(f'[[offer]]\nid = "o{number}"\npriority = {number}\n{group}\n{on}\n{when}\ngive = {give}')
    return load(HEAD + "\n".join(offers), "toml")


def stacked() -> Programme:
    """Twenty percentages on every line, each on what the one before has left."""
    offers = [f'[[offer]]\nid = "o{number}"\ngive = {{ discount_bp = {100 + number} }}' for number in range(20)]
    return load(HEAD + "\n".join(offers), "toml")


def receipts(count: int) -> Iterator[Basket]:
    """Receipts of fifty lines that all differ."""
    for receipt in range(count):
        yield Basket(
            tuple(
                Line(
                    sku=f"{receipt * 7 + number}",
                    name=f"item {number}",
                    categories=(CATEGORIES[number % len(CATEGORIES)], f"brand{receipt % 1000}"),
                    quantity=1000 * (1 + number % 4),
                    sum=4_999 + 997 * number + receipt % 1_000,
                    minimum=1_000 if number % 5 == 0 else 0,
                    promo=number % 11 == 0,
                )
                for number in range(LINES)
            )
        )


def member() -> MemberState:
    """A regular with points to spend."""
    counters = Counters(purchases={"lifetime": 9, "month": 2}, turnover={"lifetime": 900_000})
    return MemberState(balance=100_000, as_of=AT, stamps={"spa": 4}, counters=counters)


def timings(programme: Programme, quotes: int) -> list[int]:
    """Return what each quote took, in nanoseconds, sorted."""
    regular, took = member(), []
    for basket in receipts(quotes):
        start = time.perf_counter_ns()
        answer = quote(programme, regular, basket, AT, "max", offline=False)
        took.append(time.perf_counter_ns() - start)
        assert isinstance(answer, Quote)
        assert answer.redeemed
    return sorted(took)


def growth(programme: Programme, quotes: int) -> tuple[int, int]:
    """Return the peak of resident memory in KiB after a tenth of the quotes, and after all of them."""
    regular = member()
    peaks = []
    for number, basket in enumerate(receipts(quotes), 1):
        quote(programme, regular, Basket(basket.lines[:5]), AT, "max", offline=False)
        if number in (max(1, quotes // 10), quotes):
            gc.collect()
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peaks[0], peaks[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quotes", type=int, default=200_000, help="how many for the memory")
    wanted = parser.parse_args()
    for name, programme in (("mixed", mixed()), ("stacked", stacked())):
        timings(programme, 200)
        rounds = [timings(programme, 1_000) for _ in range(5)]
        p50, p99 = (min(took[len(took) * part // 100] for took in rounds) / 1e6 for part in (50, 99))
        print(f"quote {name}: {LINES} lines, 20 offers, redemption: p50 {p50:.2f} ms, p99 {p99:.2f} ms (budget 1, 3)")
    early, late = growth(mixed(), wanted.quotes)
    print(f"memory over {wanted.quotes} quotes: {early // 1024} MiB after a tenth, {late // 1024} MiB at the end")


if __name__ == "__main__":
    main()
