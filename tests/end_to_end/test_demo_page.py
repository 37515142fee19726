"""The demo's page in a real Chromium, the way a visitor goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Demo
    from playwright.sync_api import BrowserContext, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def visitor(chromium: str) -> Iterator[BrowserContext]:
    """A visitor; her browser's console must stay free of mistakes of the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en")
        context.set_default_timeout(PATIENCE_MS)
        mistakes: list[str] = []
        context.on("weberror", lambda error: mistakes.append(str(error.error)))
        yield context
        browser.close()
        assert mistakes == []


def sell(page: Page, good: int) -> str:
    """Put one of these in the basket and take the money; what the page says then."""
    page.locator("#goods button").nth(good).click()
    page.locator("#sell").click()
    said = page.locator("#answer")
    expect(said).to_contain_text("sold")
    return said.inner_text()


def test_a_visitor_goes_through_the_whole_tour(demo: Callable[[str], Demo], visitor: BrowserContext) -> None:
    shop = demo("en")
    page = visitor.new_page()
    page.goto(shop.address)
    agree = page.locator("#agree")
    till = page.frame_locator("#screen")
    expect(agree).to_contain_text("till acknowledged 0 receipts: they agree")

    page.locator("#cards button").first.click()
    expect(till.locator("#headline")).to_have_text("Anna")
    page.locator("#redeem").check()
    assert "0001" in sell(page, 2)
    expect(page.locator("#roll figure")).to_have_count(1)
    assert "Earned" in str(page.locator("#roll img").first.get_attribute("alt")), "the paper can be read aloud"
    expect(page.locator("#roll button")).to_have_count(0)

    sell(page, 2)
    with visitor.expect_page() as opened:
        page.locator("#receipt-2 button").click()
    enrol(page, opened.value)
    expect(page.locator("#ledger")).to_contain_text("new member")

    page.locator("#cable").click()
    expect(page.locator("#parts")).to_contain_text("No connection")
    sell(page, 0)
    expect(agree).to_contain_text("1 on the way")
    page.locator("#kill").click()
    expect(page.locator("#parts")).to_contain_text("dead")
    sell(page, 0)
    page.locator("#cable").click()
    expect(agree).to_contain_text("till acknowledged 4 receipts: they agree")

    page.locator("#paper").click()
    sell(page, 1)
    expect(page.locator("#parts")).to_contain_text("paper is out")
    page.locator("#paper").click()
    expect(page.locator("#roll figure")).to_have_count(5)
    expect(page.locator("#steps .done")).to_have_count(7)


def enrol(page: Page, phone: Page) -> None:
    phone.locator("input[type=tel]").fill("8 900 123-45-67")
    phone.locator("input[type=checkbox]").first.check()
    phone.locator("button").click()
    sms = page.locator("#codes b")
    expect(sms).to_have_count(1)
    phone.locator("input[name=code]").fill(sms.inner_text())
    phone.locator("button").click()
    expect(phone.locator("body")).to_contain_text("Your card")
    phone.close()


def test_a_second_visitor_and_another_language(demo: Callable[[str], Demo], visitor: BrowserContext) -> None:
    shop = demo("ru")
    first, second = visitor.new_page(), visitor.browser.new_context().new_page()  # type: ignore[union-attr]
    for page in (first, second):
        page.goto(shop.address)
        expect(page.frame_locator("#screen").locator("#headline")).to_have_text("Сканируйте карту")
    first.reload()
    expect(first.frame_locator("#screen").locator("#headline")).to_have_text("Сканируйте карту")
    first.locator("#language").click()
    expect(first.locator("#counter-title")).to_have_text("The counter")
    expect(first.frame_locator("#screen").locator("#headline")).to_have_text("Scan a card")
    second.locator("#typed input").fill("2900 0000 0021 6")
    second.locator("#typed button").click()
    expect(first.frame_locator("#screen").locator("#headline")).to_have_text("Борис")
