"""Makes the pictures of the docs from the running store: `make pictures`. Needs Debian's chromium."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from playwright.sync_api import Browser, Page, sync_playwright

from agent.demo.customer import read_qr
from agent.demo.pairing import cashier_page, register_token
from agent.demo.pos import CashRegister
from agent.demo.processes import free_port
from agent.demo.store import CARDS, TILL, Store
from agent.demo.story import coffee

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PICTURES = Path(__file__).parent / "pictures"
LANGUAGES = ("ru", "en")


def main() -> None:
    """Leave the pictures in docs/pictures, overwriting the old ones."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for language in LANGUAGES:
            with tempfile.TemporaryDirectory() as folder:
                store = Store(Path(folder), language, free_port(8737))
                store.open(lambda _: None)
                try:
                    _take(store, browser, language)
                finally:
                    store.close()
        browser.close()


def _take(store: Store, browser: Browser, language: str) -> None:
    register = CashRegister(store.api_url, TILL, register_token(store), datetime.now(UTC).date())
    screen = browser.new_page(viewport={"width": 1024, "height": 768})
    screen.goto(cashier_page(store))
    screen.wait_for_selector("#part-network[data-health=ok]")
    store.scan(next(iter(CARDS)))
    screen.wait_for_selector("body[data-state=member]")
    quoted = register.basket(coffee(6), "max")
    _shoot(screen, f"cashier-{language}", "#pay:not([data-size=none])")
    register.pay(quoted, coffee(6))
    register.sell(coffee(12))
    member, guest = _paper(store, 2)
    shutil.copy(member, PICTURES / f"receipt-member-{language}.png")
    shutil.copy(guest, PICTURES / f"receipt-guest-{language}.png")
    screen.wait_for_selector("#part-queue[data-health=ok]")
    phone = browser.new_page(viewport={"width": 360, "height": 640}, locale=language)
    phone.goto(str(read_qr(guest)))
    _shoot(phone, f"enrolment-{language}", "form")


def _shoot(page: Page, name: str, when: str) -> None:
    page.wait_for_selector(when)
    page.screenshot(path=PICTURES / f"{name}.png")


def _paper(store: Store, count: int) -> list[Path]:
    pause = Event()
    for _ in range(200):
        if len(store.receipts()) >= count:
            return store.receipts()
        pause.wait(0.05)
    raise TimeoutError(f"waited 10 s for {count} receipts")


if __name__ == "__main__":
    main()
