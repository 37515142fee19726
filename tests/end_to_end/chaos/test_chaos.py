"""kill -9 of agent and server at any moment, on a network that spoils a quarter of all replies: exactly once.

Real processes sell through the real scanner and printer path. Afterwards the network is left alone until everything is
delivered; then what the register had the agent's word for must be what the server has booked, to the point.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent.demo.pairing import register_token
from agent.demo.pos import Refused
from agent.demo.screen import Screen
from agent.demo.store import CARDS, TILL
from agent.demo.story import coffee
from drivers.virtual.control import ControlError
from offline_queue import Reader, first_broken

from . import judge
from .lives import until
from .shop import Register, Shop

LONGEST_LIFE = 1.6
DELIVERED_WITHIN = 120.0
SEED = 20261212


class Seller:
    """Scans, rings up and takes money, as long as the killing goes on."""

    def __init__(self, shop: Shop, screen: Screen, register: Register) -> None:
        self._shop, self._screen, self._register = shop, screen, register
        self._chance = random.Random(SEED)  # noqa: S311 - repeatable, no secret
        self.recognised = 0
        self.given_up = 0

    def sell_until(self, over: Callable[[], bool]) -> None:
        while not over():
            if self._chance.random() < 0.85:
                self._scan(self._chance.choice(list(CARDS)))
            self._sell(coffee(self._chance.randint(1, 9)), "max" if self._chance.random() < 0.2 else 0)

    def _scan(self, card: str) -> None:
        with suppress(ControlError):  # the agent is dead: the customer is served without his card
            self._shop.scan(card)
            self.recognised += self._screen.wait_for(
                lambda screen: screen.view is not None and screen.view.state == "member", 0.5
            )

    def _sell(self, lines: object, redeem: int | str) -> None:
        try:
            self._register.sell(lines, redeem)  # type: ignore[arg-type]
        except Refused as refused:
            if refused.problem.code != "quote_unknown":
                raise
            # The agent died before the commit, and the points that were to pay are not certain any more.
            self.given_up += 1


@pytest.fixture
def shop(short_path: Path) -> Iterator[Shop]:
    made = Shop(short_path, SEED)
    try:
        made.open(lambda _: None)
        yield made
    finally:
        made.close()


@pytest.mark.timeout(4 * 3600)  # of make soak; each wait inside has its own limit
def test_exactly_once(shop: Shop, pytestconfig: pytest.Config, proof: Callable[[str], None]) -> None:
    kills = int(pytestconfig.getoption("--kills"))
    token = register_token(shop)
    screen = Screen(shop.api_url, TILL, token)
    screen.start()
    until(
        "the members are there", lambda: screen.part("programme") is not None and (shop.state / "members.db").exists()
    )
    register = Register(shop.api_url, TILL, token)
    seller = Seller(shop, screen, register)
    shop.lives.haunt(kills, LONGEST_LIFE, SEED, seller.sell_until)
    shop.network.bad = False
    screen.stop()

    def agent() -> str:
        return shop.lives.last_words("agent")

    with closing(Reader(shop.queue_file())) as reader:
        until("everything is delivered", lambda: reader.depth().pending == 0, DELIVERED_WITHIN, agent)
        until("everything is printed", lambda: not reader.jobs(["queued", "sending", "held"]), DELIVERED_WITHIN, agent)
        found = judge.booked(shop.folder / "server" / "server.db")
        numbers = [receipt.number for receipt in register.receipts]
        verdict = judge.compare(numbers, found.receipts)
        proof(
            f"chaos: {shop.lives.kills.total()} kills -9 ({dict(shop.lives.kills)}), {shop.network.replies} replies, spoilt"
            f" {dict(shop.network.spoilt)}; {verdict.acknowledged} sales acknowledged, {len(verdict.lost)} lost,"
            f" {len(verdict.doubled)} doubled"
        )
        assert verdict.exact, verdict
        judge.sums_agree(register.receipts, found)
        _sequences_have_no_holes(reader, found)
        _paper_agrees(shop, reader, numbers)
    assert seller.recognised > len(numbers) // 3
    assert seller.given_up < len(numbers) // 10
    assert set(shop.network.spoilt) == {"dropped", "halved", "stalled", "500", "429"}


def _sequences_have_no_holes(reader: Reader, found: judge.Booked) -> None:
    depth, rows = reader.depth(), reader.rows(1, 1_000_000)
    assert [row.seq for row in rows] == [*range(1, depth.last_seq + 1)]
    assert depth.epoch is not None
    assert first_broken(rows, depth.epoch) is None
    assert found.rows == {depth.epoch: [(seq, "accepted") for seq in range(1, depth.last_seq + 1)]}


def _paper_agrees(shop: Shop, reader: Reader, numbers: list[str]) -> None:
    """No receipt twice, none that was not sold; what is missing, the till knows to be doubtful."""
    texts = "".join(path.read_text(encoding="utf-8") for path in sorted(shop.paper.glob("*.txt")))
    printed = Counter(re.findall(r"(?:№|Receipt) (\d{4,})", texts))
    doubtful = len(reader.jobs(["unknown"]))
    assert set(printed) <= set(numbers)
    assert len(numbers) - len(printed) <= doubtful
    assert sum(printed.values()) <= len(numbers)
    assert set(printed.values()) == {1}
