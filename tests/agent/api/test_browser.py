"""The pages in a real Chromium: attacks end at the guard, a scan is painted, and every state can be read."""

from __future__ import annotations

import http.server
import threading
import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, sync_playwright

from agent.views import PartState, View
from loyalty import i18n

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Shop
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

    from loyalty.quote import Texts

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
SIZES = {"1024x768": (1024, 768), "800x600": (800, 600), "1366x768": (1366, 768)}
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


def pair(shop: Shop, page: Page, query: str = "", till: str = "1") -> None:
    page.goto(f"{shop.address}/pair{query}#{shop.pairing.issue(till, 'screen')}")
    page.wait_for_url(f"**/till/{till}{query}")


def painted(page: Page, state: str) -> None:
    page.wait_for_function("state => document.body.dataset.state === state", arg=state, timeout=10_000)


def text(page: Page, place: str) -> str:
    return page.locator(place).inner_text().replace("\u202f", " ").replace("\u00a0", " ").strip()


# Attacks


def test_dns_rebinding_ends_at_the_host_check(playwright: Playwright, chromium: str, shop: Shop) -> None:
    flags = [*FLAGS, "--host-resolver-rules=MAP attacker.test 127.0.0.1"]
    launched = playwright.chromium.launch(executable_path=chromium, args=flags)
    page = launched.new_page()
    answer = page.goto(f"http://attacker.test:{shop.port}/till/1")
    assert answer is not None
    assert answer.status == 421
    statuses = page.evaluate(
        """async () => {
            const read = await fetch("/v1/tills/1/events");
            const write = await fetch("/v1/tills/1/identify", {
                method: "POST", headers: {"Content-Type": "application/json"}, body: '{"code": "1"}'});
            return [read.status, write.status];
        }"""
    )
    launched.close()
    assert statuses == [421, 421]
    assert shop.tills["1"].posted == []


@pytest.fixture
def foreign_site() -> Iterator[str]:
    """An empty page on another port of 127.0.0.1: another origin, but the same *site* for cookies."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{site.server_address[1]}"
        site.shutdown()
        thread.join()


ATTACK = """async (base) => {
    const tried = async (action) => { try { return await action(); } catch { return "blocked"; } };
    const once = (target, names) => new Promise((resolve) => {
        for (const name of names) target.addEventListener(name, () => resolve(name));
        setTimeout(() => resolve("silence"), 2000);
    });
    const simple = await tried(async () => (await fetch(base + "/v1/tills/1/identify", {
        method: "POST", mode: "no-cors", credentials: "include", body: '{"code": "1"}'})).type);
    const json = await tried(async () => (await fetch(base + "/v1/tills/1/identify", {
        method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}, body: '{"code": "1"}'})).status);
    const pairing = await tried(async () => (await fetch(base + "/v1/pairing", {
        method: "POST", mode: "no-cors", body: '{"code": "AAAAAAAAAA"}'})).type);
    const read = await tried(async () => (await fetch(base + "/v1/status", {credentials: "include"})).status);
    const stream = new EventSource(base + "/v1/tills/1/events", {withCredentials: true});
    const heard = await once(stream, ["view", "status", "error"]);
    stream.close();
    const image = new Image();
    image.src = base + "/v1/tills/1/events";
    const seen = await once(image, ["load", "error"]);
    const script = document.createElement("script");
    script.src = base + "/screen/till.js";
    const ran = once(script, ["load", "error"]);
    document.head.append(script);
    return {simple, json, pairing, read, heard, seen, ran: await ran};
}"""


def test_a_foreign_page_reads_nothing_and_moves_nothing(shop: Shop, page: Page, foreign_site: str) -> None:
    """The browser holds the cookie of a paired screen, and sends it: only the guard stands between."""
    shop.hub.publish("1", "view", STATES["member"])
    pair(shop, page)
    painted(page, "member")
    code = shop.pairing.issue("2", "screen")
    page.goto(foreign_site)
    assert page.evaluate(ATTACK, shop.address) == {
        "simple": "blocked",
        "json": "blocked",
        "pairing": "blocked",
        "read": "blocked",
        "heard": "error",
        "seen": "error",
        "ran": "error",
    }
    assert shop.tills["1"].posted == []
    assert shop.pairing.redeem(code)
    page.goto(f"{shop.address}/till/1")
    painted(page, "member")


# The way of a cashier


def test_a_scan_becomes_a_painted_member(shop: Shop, page: Page) -> None:
    shop.hub.publish("1", "view", STATES["idle"])
    pair(shop, page)
    painted(page, "idle")
    assert text(page, "#headline") == "Сканируйте карту"
    shop.hub.publish("1", "view", STATES["member"])
    painted(page, "member")
    assert text(page, "#headline") == "Анна"
    assert text(page, "#tier") == "Серебряный"
    assert text(page, "#balance") == "1 500"
    assert text(page, "#earns") == "+57"
    assert text(page, "#redeem") == "400"
    assert text(page, "#pay") == "1 234,50 ₽"
    assert text(page, "#say") == "За этот чек начислим 57 бонусов."
    shop.hub.publish("1", "view", STATES["idle"])
    painted(page, "idle")
    for place in ("#balance", "#earns", "#redeem", "#pay"):
        assert text(page, place) == "—"
    for place in ("#tier", "#say", "#notice", "#as-of"):
        assert text(page, place) == ""


def test_what_the_numbers_mean_is_said(shop: Shop, page: Page) -> None:
    pair(shop, page, "?lang=en")
    shop.hub.publish("1", "view", View(till="1", state="member", balance=-350, point_decimals=2, earns=5, as_of=NOW))
    painted(page, "member")
    assert (text(page, "#balance"), text(page, "#as-of")) == ("0", "the next points repay 3.50")
    assert text(page, "#earns") == "+0.05"
    shop.hub.publish("1", "view", STATES["sold"])
    painted(page, "sold")
    assert (text(page, "#earns-label"), text(page, "#redeem-label")) == ("Earned", "Paid with points")
    assert text(page, "#redeem") == "400"


def test_the_bar_says_the_worst_of_each_part_in_words(shop: Shop, page: Page) -> None:
    pair(shop, page)
    well = PartState(part="printer", name="second", state="ok", text={"ru": "Готов", "en": "Ready"}, since=NOW)
    shop.hub.publish("1", "status", [well, *BOARD])
    page.wait_for_selector('#part-printer[data-health="down"]')
    said = {part: text(page, f"#part-{part} .text") for part in ("network", "queue", "printer", "scanner")}
    assert said == {
        "network": "Нет связи 12 мин",
        "queue": "3 чека ждут",
        "printer": "Кончилась бумага",
        "scanner": "Готов",
    }
    signs = page.eval_on_selector_all(".bar use", "all => all.map((one) => one.getAttribute('href'))")
    assert signs == ["#sign-warning", "#sign-warning", "#sign-down", "#sign-ok"]


def test_the_cookie_survives_the_browser_and_the_agent(
    playwright: Playwright, chromium: str, shop: Shop, shop_type: type[Shop], tmp_path: Path
) -> None:
    def reopen() -> BrowserContext:
        profile = str(tmp_path / "profile")
        return playwright.chromium.launch_persistent_context(profile, executable_path=chromium, args=list(FLAGS))

    shop.hub.publish("1", "view", STATES["member"])
    first = reopen()
    pair(shop, first.pages[0])
    painted(first.pages[0], "member")
    assert first.pages[0].evaluate("document.cookie") == ""
    first.close()
    shop.close()
    restarted = shop_type(tmp_path, port=shop.port)
    restarted.hub.publish("1", "view", STATES["sold"])
    restarted.open()
    second = reopen()
    second.pages[0].goto(f"{restarted.address}/till/1")
    painted(second.pages[0], "sold")
    second.close()
    restarted.close()


def test_lost_contact_is_said_in_words_and_heals_by_itself(
    shop: Shop, page: Page, shop_type: type[Shop], tmp_path: Path
) -> None:
    shop.hub.publish("1", "view", STATES["member"])
    pair(shop, page)
    painted(page, "member")
    shop.close()
    painted(page, "no_contact")
    assert text(page, "#headline") == "Нет связи с агентом"
    assert text(page, "#balance") == "—"
    assert text(page, "#part-printer .text") == "нет данных"
    again = shop_type(tmp_path, port=shop.port)
    again.hub.publish("1", "view", STATES["idle"])
    again.open()
    painted(page, "idle")
    page.goto("about:blank")
    again.close()


def test_an_agent_that_hangs_is_no_contact(shop: Shop, page: Page) -> None:
    """Its connections stay open, but no beat comes and no question is answered; then it comes back to itself."""
    page.clock.install()
    shop.hub.publish("1", "view", STATES["member"])
    pair(shop, page)
    painted(page, "member")
    shop.gate.clear()
    with shop.connect() as connection:
        bearer = f"Authorization: Bearer {shop.token()}"
        connection.sendall(f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{shop.port}\r\n{bearer}\r\n\r\n".encode())
        page.clock.fast_forward(13_000)
        painted(page, "no_contact")
        assert text(page, "#balance") == "—"
        shop.gate.set()
    page.clock.fast_forward(3_000)
    painted(page, "member")


def test_a_screen_that_is_not_paired_says_so(shop: Shop, page: Page) -> None:
    page.goto(f"{shop.address}/till/1")
    painted(page, "not_paired")
    assert text(page, "#headline") == "Экран не подключён к кассе"
    pair(shop, page, till="2")
    page.goto(f"{shop.address}/till/1?lang=en")
    painted(page, "not_paired")
    assert text(page, "#headline") == "This screen is not connected to the till"


def test_too_many_screens_are_said_in_words(shop: Shop, page: Page) -> None:
    streams = [shop.listen() for _ in range(16)]
    pair(shop, page)
    painted(page, "full")
    assert text(page, "#headline") == "Слишком много экранов"
    streams.pop().close()
    shop.hub.publish("1", "view", STATES["idle"])
    painted(page, "idle")
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


# What a cashier can read


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lang", ["ru", "en"])
def test_every_state_fits_and_can_be_read(shop: Shop, page: Page, size: str, lang: str) -> None:
    """Nothing moves, nothing scrolls, nothing is cut off; the number is big; contrast is at least 7:1."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.add_init_script(
        "window.shifts = 0; new PerformanceObserver((list) => {"
        " for (const one of list.getEntries()) window.shifts += one.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    pair(shop, page, f"?lang={lang}")
    shop.hub.publish("1", "status", BOARD)
    boxes = set()
    for name, view in STATES.items():
        shop.hub.publish("1", "view", view)
        painted(page, view.state)
        page.wait_for_function("pay => document.getElementById('say').textContent === pay", arg=view.say.get(lang, ""))
        page.wait_for_function("() => document.getAnimations().length === 0")
        measured = page.evaluate(MEASURE)
        boxes.add(str(measured["boxes"]))
        assert measured["scrolls"] is False, name
        assert measured["cut"] == [], name
        assert measured["faint"] == [], name
        assert measured["small"] == [], name
        if view.balance is not None:
            assert measured["number"] >= 72, name
    assert len(boxes) == 1
    assert page.evaluate("window.shifts") == 0


MEASURE = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255, 255];
    };
    const contrast = (element) => {
        const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    };
    const shown = [...document.querySelectorAll("h1, a, p, dt, dd")].filter((one) => one.textContent.trim());
    const name = (one) => `${one.id || one.className || one.tagName} "${one.textContent}"`;
    const root = document.documentElement;
    const regions = document.querySelectorAll(".head, .who, .numbers, .numbers dl, .say, .notice, .bar, .bar li");
    const least = innerHeight < 700 ? 16 : 20;
    return {
        scrolls: root.scrollHeight > innerHeight || root.scrollWidth > innerWidth,
        boxes: [...regions].map((one) => { const r = one.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }),
        cut: shown.filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth
            || getComputedStyle(one).overflow !== "visible" && one.scrollHeight > one.clientHeight + 3).map(name),
        faint: shown.filter((one) => contrast(one) < 7).map((one) => `${name(one)} ${contrast(one).toFixed(2)}`),
        small: shown.filter((one) => parseFloat(getComputedStyle(one).fontSize) < least).map(name),
        number: parseFloat(getComputedStyle(document.getElementById("balance")).fontSize),
    };
}"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lang", ["ru", "en"])
def test_every_text_of_the_bar_fits(shop: Shop, page: Page, size: str, lang: str) -> None:
    """Whatever the agent may say of its parts, with numbers and reasons filled in, can be read to its end."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    pair(shop, page, f"?lang={lang}")
    page.wait_for_selector('#part-printer[data-health="none"]')
    cut = []
    for key, said in status_texts():
        shop.hub.publish("1", "status", [PartState(part="printer", name="", state="down", text=said, since=NOW)])
        page.wait_for_function(
            "said => document.querySelector('#part-printer .text').textContent === said", arg=said[lang]
        )
        bottom = "one => one.getBoundingClientRect().bottom"
        text_ends = page.eval_on_selector("#part-printer .text", bottom)
        if text_ends > page.eval_on_selector("#part-printer", bottom) - 2:
            cut.append(f"{key}: {said[lang]}")
    assert cut == []


def status_texts() -> list[tuple[str, Texts]]:
    """Every text of the sections `status` and below, with something in its holes."""
    table = tomllib.loads(files("loyalty").joinpath("ru.toml").read_text(encoding="utf-8"))["status"]
    flat = {f"status.{key}": value for key, value in table.items() if isinstance(value, str)}
    for part, inner in table.items():
        if isinstance(inner, dict):
            flat |= {f"status.{part}.{key}": value for key, value in inner.items()}
    holes = {key: [hole for _, hole, _, _ in Formatter().parse(value) if hole] for key, value in flat.items()}
    return [(key, i18n.texts(key, **dict.fromkeys(names, "12"))) for key, names in holes.items()]


def test_words_that_change_are_read_aloud_politely(shop: Shop, page: Page) -> None:
    pair(shop, page)
    for region in (".who", ".say"):
        assert page.locator(region).get_attribute("aria-live") == "polite"
    tree = page.locator("body").aria_snapshot()
    for words in ("Касса 1", "Сканер", "Бонусов на карте"):
        assert words in tree


def test_it_works_with_the_keyboard_forced_colours_little_motion_and_zoom(shop: Shop, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce", forced_colors="active")
    pair(shop, page)
    shop.hub.publish("1", "view", STATES["member with long words"])
    painted(page, "member")
    assert page.evaluate("getComputedStyle(document.querySelector('.who')).transitionDuration") == "0s"
    assert page.evaluate("getComputedStyle(document.querySelector('.who')).borderTopWidth") != "0px"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "language"
    assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 3
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    page.set_viewport_size({"width": 512, "height": 384})  # 1024x768 at 200 %
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#part-scanner").scroll_into_view_if_needed()
    assert page.locator("#part-scanner").is_visible()


def test_the_page_may_not_be_framed_by_others(shop: Shop, page: Page, foreign_site: str) -> None:
    page.goto(foreign_site)
    page.evaluate(
        "(src) => { const f = document.createElement('iframe'); f.src = src; document.body.append(f); }",
        f"{shop.address}/till/1",
    )
    frame = page.frames[-1]
    with pytest.raises(Error):
        frame.wait_for_selector("#headline", timeout=1000)
