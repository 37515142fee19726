"""The published codes, and the rules of a shop that would take any of them for its own if they could."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from loyalty.codes import Channel, CodeRules, Reading, classify
from loyalty.strict import structure

NOW = 1_763_769_600  # 2025-11-22


@dataclass(frozen=True)
class Published:
    """One code of published.toml."""

    source: str
    input: str
    kind: str
    fields: Mapping[str, object]
    aim: str | None
    channel: Channel
    now: int
    rules: CodeRules

    def read(self, rules: CodeRules | None = None) -> Reading:
        return classify(self.input.encode("latin-1"), rules or self.rules, self.channel, self.now)


def load() -> list[Published]:
    sources = tomllib.loads(Path(__file__).with_name("published.toml").read_text(encoding="utf-8"))["source"]
    return [
        Published(
            source=source["name"],
            input=each["input"],
            kind=each["class"],
            fields=each["fields"],
            aim=each.get("aim"),
            channel=each.get("channel", "serial"),
            now=each.get("now", NOW),
            rules=structure(each.get("config", {}), CodeRules),
        )
        for source in sources
        for each in source["code"]
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`published`: the test runs once for each of them."""
    if "published" in metafunc.fixturenames:
        every = load()
        metafunc.parametrize("published", every, ids=[f"{each.kind}-{number}" for number, each in enumerate(every)])


@pytest.fixture(scope="session")
def all_published() -> list[Published]:
    return load()


KEYBOARD = {
    "`1234567890-=": "ё1234567890-=",
    "~!@#$%^&*()_+": 'Ё!"№;%:?*()_+',
    "qwertyuiop[]\\": "йцукенгшщзхъ\\",
    "QWERTYUIOP{}|": "ЙЦУКЕНГШЩЗХЪ/",
    "asdfghjkl;'": "фывапролджэ",
    'ASDFGHJKL:"': "ФЫВАПРОЛДЖЭ",
    "zxcvbnm,./": "ячсмитьбю.",
    "ZXCVBNM<>?": "ЯЧСМИТЬБЮ,",
}
"""What Windows types under the Russian layout, row by row."""


@pytest.fixture(scope="session")
def type_russian() -> Callable[[str], str]:
    """What Windows makes of the keys of a US text while the Russian layout is on."""
    table = str.maketrans("".join(KEYBOARD), "".join(KEYBOARD.values()))
    return lambda text: text.translate(table)


@pytest.fixture(scope="session")
def shop() -> CodeRules:
    """Rules of every kind at once."""
    rules = {
        "member_card": [{"pattern": "2977xxxxxxxxC"}, {"pattern": "042xxxxxxxxxC"}, {"regex": "CLUB-[0-9]{6}"}],
        "cashier": [{"pattern": "041xxxxxxxxxC"}],
        "coupon": [{"regex": "SALE-[A-Z0-9]+"}],
        "certificate": [{"regex": "GC[0-9]{10}"}],
        "weight": [{"pattern": "21PPPPPWWWWWC", "decimals": 3}],
        "price": [{"pattern": "23PPPPPWWWWWC", "decimals": 2}],
        "wallet_template": "W-{id}-{totp_timestamp_seconds}-{totp_value_0}",
        "key_hex": b"12345678901234567890".hex(),
    }
    return structure(rules, CodeRules)
