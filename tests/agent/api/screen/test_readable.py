"""What a cashier can read: every state and every word, on every screen size, in both languages."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING

import pytest

from agent.views import PartState
from loyalty import i18n

if TYPE_CHECKING:
    from conftest import Cashier, Shop
    from playwright.sync_api import Page

    from loyalty.quote import Texts

SIZES = {"1024x768": (1024, 768), "800x600": (800, 600), "1366x768": (1366, 768)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lang", ["ru", "en"])
def test_every_state_fits_and_can_be_read(cashier: Cashier, shop: Shop, page: Page, size: str, lang: str) -> None:
    """Nothing moves, nothing scrolls, nothing is cut off; the number is big; contrast is at least 7:1."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.add_init_script(
        "window.shifts = 0; new PerformanceObserver((list) => {"
        " for (const one of list.getEntries()) window.shifts += one.value; }).observe({type: 'layout-shift', buffered: true});"
    )
    cashier.pair(f"?lang={lang}")
    shop.hub.publish("1", "status", cashier.board)
    boxes = set()
    for name, view in cashier.states.items():
        shop.hub.publish("1", "view", view)
        cashier.painted(view.state)
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
    const shown = [...document.querySelectorAll("h1, a, p, dt, dd, .entry label, .entry button")].filter((one) => one.textContent.trim());
    const name = (one) => `${one.id || one.className || one.tagName} "${one.textContent}"`;
    const root = document.documentElement;
    const regions = document.querySelectorAll(".head, .entry, .entry *, .who, .numbers, .numbers dl, .say, .notice, .bar, .bar li");
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
def test_every_text_of_the_bar_fits(cashier: Cashier, shop: Shop, page: Page, size: str, lang: str) -> None:
    """Whatever the agent may say of its parts, with numbers and reasons filled in, can be read to its end."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    cashier.pair(f"?lang={lang}")
    page.wait_for_selector('#part-printer[data-health="none"]')
    cut = []
    for key, said in status_texts():
        shop.hub.publish(
            "1", "status", [PartState(part="printer", name="", state="down", text=said, since=cashier.now)]
        )
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


def test_words_that_change_are_read_aloud_politely(cashier: Cashier, page: Page) -> None:
    cashier.pair()
    for region in (".who", ".say"):
        assert page.locator(region).get_attribute("aria-live") == "polite"
    tree = page.locator("body").aria_snapshot()
    for words in ("Касса 1", "Сканер", "Бонусов на карте"):
        assert words in tree


def test_it_works_with_the_keyboard_forced_colours_little_motion_and_zoom(
    cashier: Cashier, shop: Shop, page: Page
) -> None:
    page.emulate_media(reduced_motion="reduce", forced_colors="active")
    cashier.pair()
    shop.hub.publish("1", "view", cashier.states["member with long words"])
    cashier.painted("member")
    assert page.evaluate("getComputedStyle(document.querySelector('.who')).transitionDuration") == "0s"
    assert page.evaluate("getComputedStyle(document.querySelector('.who')).borderTopWidth") != "0px"
    for place in ("code", "", "language"):
        page.keyboard.press("Tab")
        assert place in page.evaluate("document.activeElement.id + document.activeElement.className")
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 3
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    page.set_viewport_size({"width": 512, "height": 384})  # 1024x768 at 200 %
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#part-scanner").scroll_into_view_if_needed()
    assert page.locator("#part-scanner").is_visible()
