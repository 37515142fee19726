"""How long a code takes to be told, beside biip in the same run, and how many a core frames and tells a second.

    python benchmarks/codes.py [--rounds 40]

The mix is every published code of tests/loyalty/codes that a scanner can send, in one order, under the rules of a shop.
Prints p50 and p99 of `classify` and of `biip.parse` over the same codes (biip reads fewer kinds), and codes a second
through `Framer` and `classify` in chunks of 64 bytes. All in processor time, because the other programs of a busy machine
are no cost of ours; each figure is that of the quietest of five runs. Ends with 1 when one is beyond its limit.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import biip

from drivers.framing import Framer
from loyalty.codes import CodeRules, classify
from loyalty.strict import structure

PUBLISHED = Path(__file__).parents[1] / "tests" / "loyalty" / "codes" / "published.toml"
NOW = 1_763_769_600
RUNS = 5
CHUNK = 64
P99_US, A_SECOND = 100, 20_000
RULES = {
    "member_card": [{"pattern": "29xxxxxxxxxxC"}, {"pattern": "042xxxxxxxxxC"}, {"regex": "CLUB-[0-9]{6}"}],
    "cashier": [{"pattern": "041xxxxxxxxxC"}],
    "coupon": [{"regex": "SALE-[A-Z0-9]+"}],
    "certificate": [{"regex": "GC[0-9]{10}"}],
    "weight": [{"pattern": "21PPPPPWWWWWC", "decimals": 3}],
    "price": [{"pattern": "23PPPPPWWWWWC", "decimals": 2}],
    "wallet_template": "MyRotatingBarcode-{id}-{totp_timestamp_seconds}-{totp_value_0}",
    "key_hex": b"12345678901234567890".hex(),
    "digits": 8,
}


def codes() -> list[bytes]:
    """What scanners send: no keypad, nothing empty, nothing with a line end inside."""
    sources = tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))["source"]
    every = [each for source in sources for each in source["code"] if each.get("channel", "serial") == "serial"]
    return [each["input"].encode("latin-1") for each in every if each["input"] and not set("\r\n") & set(each["input"])]


def timings(tell: Callable[[bytes], object], mix: Sequence[bytes], rounds: int) -> list[int]:
    """Return what each call took, in nanoseconds, sorted."""
    took = []
    for _ in range(rounds):
        for code in mix:
            start = time.thread_time_ns()
            tell(code)
            took.append(time.thread_time_ns() - start)
    return sorted(took)


def ask_biip(code: bytes) -> object:
    """One parse; what biip refuses costs too."""
    try:
        return biip.parse(code.decode("latin-1"))
    except (biip.ParseError, IndexError, ValueError):
        return None


def framed(rules: CodeRules, mix: Sequence[bytes], rounds: int) -> float:
    """Return codes a second from bytes to class."""
    wire = b"".join(code + b"\r\n" for code in mix) * rounds
    framer, told = Framer(), 0
    start = time.thread_time()
    for at in range(0, len(wire), CHUNK):
        for frame in framer.feed(wire[at : at + CHUNK], 0.0):
            classify(frame.data, rules, now=NOW)
            told += 1
    took = time.thread_time() - start
    assert told == rounds * len(mix), (told, rounds * len(mix))
    return told / took


def main() -> int:
    """Measure and print; 1 = beyond a limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="how often the mix is told in each run")
    wanted = parser.parse_args()
    rules, mix = structure(RULES, CodeRules), codes()
    readers: dict[str, Callable[[bytes], object]] = {
        "classify": lambda code: classify(code, rules, now=NOW),
        "biip": ask_biip,
    }
    print(f"{len(mix)} published codes, {sum(map(len, mix)) // len(mix)} bytes on average")
    p99s = {}
    for name, tell in readers.items():
        timings(tell, mix, 2)
        runs = [timings(tell, mix, wanted.rounds) for _ in range(RUNS)]
        p50, p99s[name] = (min(took[len(took) * part // 100] for took in runs) / 1000 for part in (50, 99))
        print(
            f"{name}: p50 {p50:.1f} us, p99 {p99s[name]:.1f} us" + (f" (limit {P99_US})" if name == "classify" else "")
        )
    best = max(framed(rules, mix, wanted.rounds) for _ in range(RUNS))
    print(f"framed and told: {best:,.0f} codes a second on one core (limit {A_SECOND:,})")
    return 0 if p99s["classify"] <= P99_US and best >= A_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
