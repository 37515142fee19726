"""The way of a cashier: pair, scan, sell, lose contact and get it back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from agent.messages import Identify
from agent.views import PartState, View
from offline_queue import Job

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Cashier, Shop
    from playwright.sync_api import BrowserContext, Page, Playwright


def test_a_scan_becomes_a_painted_member(cashier: Cashier, shop: Shop) -> None:
    shop.hub.publish("1", "view", cashier.states["idle"])
    cashier.pair()
    cashier.painted("idle")
    assert cashier.text("#headline") == "Сканируйте карту"
    shop.hub.publish("1", "view", cashier.states["member"])
    cashier.painted("member")
    assert cashier.text("#headline") == "Анна"
    assert cashier.text("#tier") == "Серебряный"
    assert cashier.text("#balance") == "1 500"
    assert cashier.text("#earns") == "+57"
    assert cashier.text("#redeem") == "400"
    assert cashier.text("#pay") == "1 234,50 ₽"
    assert cashier.text("#say") == "За этот чек начислим 57 бонусов."
    shop.hub.publish("1", "view", cashier.states["idle"])
    cashier.painted("idle")
    for place in ("#balance", "#earns", "#redeem", "#pay"):
        assert cashier.text(place) == "—"
    for place in ("#tier", "#say", "#notice", "#as-of"):
        assert cashier.text(place) == ""


def test_what_the_numbers_mean_is_said(cashier: Cashier, shop: Shop) -> None:
    cashier.pair("?lang=en")
    shop.hub.publish(
        "1", "view", View(till="1", state="member", balance=-350, point_decimals=2, earns=5, as_of=cashier.now)
    )
    cashier.painted("member")
    assert (cashier.text("#balance"), cashier.text("#as-of")) == ("0", "the next points repay 3.50")
    assert cashier.text("#earns") == "+0.05"
    shop.hub.publish("1", "view", cashier.states["sold"])
    cashier.painted("sold")
    assert (cashier.text("#earns-label"), cashier.text("#redeem-label")) == ("Earned", "Paid with points")
    assert cashier.text("#redeem") == "400"


class OneDoubt:
    """A receipt that the cashier is asked about, and what she decided."""

    def __init__(self) -> None:
        self.decided: list[str] = []

    def open_questions(self, printer: str, _: datetime) -> list[Job]:
        at = "2026-11-21T12:00:00+00:00"
        return [] if self.decided else [Job(7, printer, b"", None, "unknown", "silent", at, at)]

    def job(self, number: int) -> Job:
        return Job(number, "receipt", b"", None, "unknown", "silent", "", "")

    def again(self, _: int) -> int:
        self.decided.append("again")
        return 8

    def drop(self, _: int) -> None:
        self.decided.append("leave")


@pytest.mark.parametrize(("button", "decision"), [("#doubt-again", "again"), ("#doubt-leave", "leave")])
def test_a_receipt_in_doubt_is_decided_with_one_press(
    cashier: Cashier, shop: Shop, page: Page, button: str, decision: str
) -> None:
    doubt = OneDoubt()
    object.__setattr__(shop.backend, "receipts", doubt)
    object.__setattr__(shop.backend, "printers", {"1": "receipt"})
    cashier.pair()
    shop.hub.publish("1", "status", cashier.board)
    page.wait_for_selector("#doubt:not([hidden])")
    assert cashier.text("#doubt-text").startswith("Чек ")
    page.keyboard.press("Tab")
    page.locator(button).focus()
    with page.expect_response("**/receipts/7"):
        page.keyboard.press("Enter")
    page.wait_for_selector("#doubt", state="hidden")
    assert doubt.decided == [decision]


def test_what_is_typed_goes_to_the_till_and_leaves_the_field(cashier: Cashier, shop: Shop, page: Page) -> None:
    cashier.pair()
    page.locator("#code").fill(" 8 (912) 345-67-89 ")
    with page.expect_response("**/v1/tills/1/identify"):
        page.keyboard.press("Enter")
    page.locator("#code").fill(" ")
    page.locator("#entry button").click()
    assert [each.code for each in shop.tills["1"].posted if isinstance(each, Identify)] == ["8 (912) 345-67-89"]
    assert page.locator("#code").input_value() == ""
    assert cashier.text("#notice") == ""


def test_a_number_that_could_not_be_asked_is_to_be_typed_again(cashier: Cashier, shop: Shop, page: Page) -> None:
    cashier.pair("?lang=en")
    shop.hub.publish("1", "view", cashier.states["idle"])
    cashier.painted("idle")
    shop.tills["1"].room = False
    page.locator("#code").fill("2900000000018")
    page.locator("#entry button").click()
    page.wait_for_function("() => document.getElementById('notice').textContent")
    assert cashier.text("#notice") == "That did not work: type it again"
    assert page.locator("#code").input_value() == ""


def test_the_bar_says_the_worst_of_each_part_in_words(cashier: Cashier, shop: Shop, page: Page) -> None:
    cashier.pair()
    well = PartState(part="printer", name="second", state="ok", text={"ru": "Готов", "en": "Ready"}, since=cashier.now)
    shop.hub.publish("1", "status", [well, *cashier.board])
    page.wait_for_selector('#part-printer[data-health="down"]')
    said = {part: cashier.text(f"#part-{part} .text") for part in ("network", "queue", "printer", "scanner")}
    assert said == {
        "network": "Нет связи 12 мин",
        "queue": "3 чека ждут",
        "printer": "Кончилась бумага",
        "scanner": "Готов",
    }
    signs = page.eval_on_selector_all(".bar use", "all => all.map((one) => one.getAttribute('href'))")
    assert signs == ["#sign-warning", "#sign-warning", "#sign-down", "#sign-ok"]


def test_the_cookie_survives_the_browser_and_the_agent(
    playwright: Playwright, chromium: str, shop: Shop, shop_type: type[Shop], look: type[Cashier], tmp_path: Path
) -> None:
    def reopen() -> BrowserContext:
        profile = str(tmp_path / "profile")
        return playwright.chromium.launch_persistent_context(profile, executable_path=chromium, args=list(look.flags))

    shop.hub.publish("1", "view", look.states["member"])
    first = reopen()
    cashier = look(shop, first.pages[0])
    cashier.pair()
    cashier.painted("member")
    assert cashier.page.evaluate("document.cookie") == ""
    first.close()
    shop.close()
    restarted = shop_type(tmp_path, port=shop.port)
    restarted.hub.publish("1", "view", look.states["sold"])
    restarted.open()
    second = reopen()
    cashier = look(restarted, second.pages[0])
    cashier.page.goto(f"{restarted.address}/till/1")
    cashier.painted("sold")
    second.close()
    restarted.close()


def test_lost_contact_is_said_in_words_and_heals_by_itself(
    cashier: Cashier, shop: Shop, page: Page, shop_type: type[Shop], tmp_path: Path
) -> None:
    shop.hub.publish("1", "view", cashier.states["member"])
    cashier.pair()
    cashier.painted("member")
    shop.close()
    cashier.painted("no_contact")
    assert cashier.text("#headline") == "Нет связи с агентом"
    assert cashier.text("#balance") == "—"
    assert cashier.text("#part-printer .text") == "нет данных"
    again = shop_type(tmp_path, port=shop.port)
    again.hub.publish("1", "view", cashier.states["idle"])
    again.open()
    cashier.painted("idle")
    page.goto("about:blank")
    again.close()


def test_an_agent_that_hangs_is_no_contact(cashier: Cashier, shop: Shop, page: Page) -> None:
    """Its connections stay open, but no beat comes and no question is answered; then it comes back to itself."""
    page.clock.install()
    shop.hub.publish("1", "view", cashier.states["member"])
    cashier.pair()
    cashier.painted("member")
    shop.gate.clear()
    with shop.connect() as connection:
        bearer = f"Authorization: Bearer {shop.token()}"
        connection.sendall(f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{shop.port}\r\n{bearer}\r\n\r\n".encode())
        page.clock.fast_forward(13_000)
        cashier.painted("no_contact")
        assert cashier.text("#balance") == "—"
        shop.gate.set()
    page.clock.fast_forward(3_000)
    cashier.painted("member")


def test_a_screen_that_is_not_paired_says_so(cashier: Cashier, shop: Shop, page: Page) -> None:
    page.goto(f"{shop.address}/till/1")
    cashier.painted("not_paired")
    assert cashier.text("#headline") == "Экран не подключён к кассе"
    cashier.pair(till="2")
    page.goto(f"{shop.address}/till/1?lang=en")
    cashier.painted("not_paired")
    assert cashier.text("#headline") == "This screen is not connected to the till"


def test_too_many_screens_are_said_in_words(cashier: Cashier, shop: Shop) -> None:
    streams = [shop.listen() for _ in range(16)]
    cashier.pair()
    cashier.painted("full")
    assert cashier.text("#headline") == "Слишком много экранов"
    streams.pop().close()
    shop.hub.publish("1", "view", cashier.states["idle"])
    cashier.painted("idle")
    for stream in streams:
        stream.close()


def test_pairing_errors_are_said_in_words(shop: Shop, page: Page) -> None:
    page.goto(f"{shop.address}/pair")
    page.wait_for_function("() => document.getElementById('news').textContent.startsWith('В адресе нет кода')")
    code = shop.pairing.issue("1", "screen")
    page.goto(f"{shop.address}/pair#AAAAAAAAAA")
    page.wait_for_function("() => document.getElementById('news').textContent.startsWith('Код не подошёл')")
    assert page.url == f"{shop.address}/pair"
    page.goto(f"{shop.address}/pair#{code}")
    page.wait_for_url("**/till/1")
