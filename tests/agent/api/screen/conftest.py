"""A cashier in front of a real Chromium, and the states that her page may be in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

import pytest
from playwright.sync_api import sync_playwright

from agent.views import PartState, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Shop
    from playwright.sync_api import Browser, Page, Playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STATES = {
    "idle": View(till="1", state="idle", currency="RUB"),
    "member": View(
        till="1",
        state="member",
        greeting="Анна",
        tier="silver",
        tier_name={"ru": "Серебряный", "en": "Silver"},
        balance=1500,
        as_of=NOW,
        earns=57,
        max_redeem=400,
        redeemed=0,
        pay=123450,
        total=123450,
        currency="RUB",
        say={"ru": "За этот чек начислим 57 бонусов.", "en": "This receipt earns 57 points."},
    ),
    "member with long words": View(
        till="1",
        state="member",
        greeting="Александра",
        tier="p",
        tier_name={"ru": "Платиновый партнёр", "en": "Platinum partner"},
        balance=1234567,
        as_of=NOW,
        earns=12345,
        max_redeem=123456,
        redeemed=1000,
        pay=12345678,
        total=12345678,
        currency="RUB",
        say={
            "ru": "Можно списать 123 456 бонусов и заплатить на 1 234,56 руб. меньше. Списать их сейчас?",
            "en": "You may use 123,456 points and pay RUB 1,234.56 less. Shall we use all of them right now?",
        },
        notice={"ru": "Давно нет связи: баланс устарел", "en": "No connection for long: the balance is old"},
    ),
    "card_only": View(till="1", state="card_only", earns=57, say={"ru": "Карта принята.", "en": "Card accepted."}),
    "unknown_code": View(till="1", state="unknown_code", notice={"ru": "Это штрихкод товара", "en": "A product"}),
    "sold": View(
        till="1", state="sold", greeting="Анна", balance=1157, earns=57, redeemed=400, pay=83450, currency="RUB"
    ),
    "unavailable": View(till="1", state="unavailable", notice={"ru": "Программы нет", "en": "No programme"}),
}
BOARD = [
    PartState(
        part="network", name="", state="warning", text={"ru": "Нет связи 12 мин", "en": "Offline for 12 min"}, since=NOW
    ),
    PartState(
        part="printer", name="receipt", state="down", text={"ru": "Кончилась бумага", "en": "Out of paper"}, since=NOW
    ),
    PartState(part="queue", name="", state="warning", text={"ru": "3 чека ждут", "en": "3 receipts wait"}, since=NOW),
    PartState(part="scanner", name="counter", state="ok", text={"ru": "Готов", "en": "Ready"}, since=NOW),
]


class Cashier:
    """Looks at one page of one shop."""

    flags: ClassVar[tuple[str, ...]] = FLAGS
    states: ClassVar[dict[str, View]] = STATES
    board: ClassVar[list[PartState]] = BOARD
    now: ClassVar[datetime] = NOW

    def __init__(self, shop: Shop, page: Page) -> None:
        self.shop = shop
        self.page = page

    def pair(self, query: str = "", till: str = "1") -> None:
        """Open the address that `tillmate open` prints, and arrive at the cashier page."""
        self.page.goto(f"{self.shop.address}/pair{query}#{self.shop.pairing.issue(till, 'screen')}")
        self.page.wait_for_url(f"**/till/{till}{query}")

    def painted(self, state: str) -> None:
        """Wait until the page is in that state."""
        self.page.wait_for_function("state => document.body.dataset.state === state", arg=state, timeout=10_000)

    def text(self, place: str) -> str:
        """What stands there, with ordinary spaces."""
        return self.page.locator(place).inner_text().replace("\u202f", " ").replace("\u00a0", " ").strip()


@pytest.fixture(scope="session")
def look() -> type[Cashier]:
    """For pages that a test opens by itself."""
    return Cashier


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
    yield launched
    launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose console must stay silent, but for requests that a test expects to fail."""
    context = browser.new_context(viewport={"width": 1024, "height": 768})
    opened = context.new_page()
    mistakes: list[str] = []
    opened.on("pageerror", lambda error: mistakes.append(str(error)))
    opened.on(
        "console",
        lambda line: mistakes.append(line.text) if "Policy" in line.text and "frame" not in line.text else None,
    )
    yield opened
    context.close()
    assert mistakes == []


@pytest.fixture
def cashier(shop: Shop, page: Page) -> Cashier:
    return Cashier(shop, page)
