"""The customer's pages: small, alone, readable by people and by screen readers, and strict about what may run."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Phone, Shop, Till

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
PATIENCE_MS = 15_000
GOOD = {"phone": "+7 916 123-45-67", "personal_data": "yes"}


def every_page(shop: Shop, till: Till, phone: Phone) -> Iterator[tuple[str, str]]:
    """Each page that a customer can meet, by name."""
    token = till.token()
    yield "follow", phone.open(f"/E/{till.token()}").page
    till.sell(24000, token=token)
    yield "join", phone.open(f"/E/{token}").page
    yield "errors", phone.submit(phone="12").page
    yield "code", phone.submit(**GOOD).page
    yield "wrong", phone.submit(code="0").page
    yield "card", phone.submit(code=shop.last_code()).page
    yield "used", phone.open(f"/E/{token}").page
    yield "unknown", phone.open("/E/X").page
    for purpose in ("personal_data", "advertising"):
        yield purpose, phone.open(f"/texts/{phone.language}/{purpose}/1").page


@pytest.mark.parametrize("language", ["ru", "en"])
def test_pages_are_small_and_ask_nobody_else(shop: Shop, till: Till, phone: Phone, language: str) -> None:
    phone.language = language
    for name, page in every_page(shop, till, phone):
        assert len(page.encode()) <= 50_000, name
        assert f'<html lang="{language}">' in page
        assert not re.search(r"<script|<iframe|<img|<link|javascript:|\son\w+=|\sstyle=", page), name
        outside = re.findall(r'(?:src|href|action|url)\s*[=(]\s*"?([^">\s]+)', page)
        assert all(address.startswith(("/e/", "/texts/")) for address in outside), (name, outside)


def test_headers_allow_our_own_style_and_nothing_else(shop: Shop, till: Till, phone: Phone) -> None:
    for name, page in every_page(shop, till, phone):
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = phone.headers["content-security-policy"]
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'"), name
        assert phone.headers["referrer-policy"] == "no-referrer"
        assert phone.headers["cache-control"] == "no-store"
        assert phone.headers["x-content-type-options"] == "nosniff"
        assert "server" not in {header.lower() for header in phone.headers}


def test_every_field_has_a_label_and_every_error_its_field(shop: Shop, till: Till, phone: Phone) -> None:
    for name, page in every_page(shop, till, phone):
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), name
        fields = re.findall(r'<input id="([^"]+)"', page)
        assert set(fields) == set(re.findall(r'<label for="([^"]+)"', page)), name
        described = " ".join(re.findall(r'aria-describedby="([^"]+)"', page)).split()
        assert set(described) <= set(ids), name
        assert page.count("<h1>") == 1
        assert page.count("autofocus") <= 1


def test_the_boxes_are_not_ticked_and_each_has_its_own_text(till: Till, phone: Phone) -> None:
    page = phone.open(f"/E/{till.token()}").page
    boxes = re.findall(r"<input[^>]+checkbox[^>]+>", page)
    assert len(boxes) == 2
    assert not any(" checked" in box for box in boxes)
    links = re.findall(r'href="(/texts/[^"]+)"', page)
    assert links == ["/texts/ru/personal_data/1", "/texts/ru/advertising/1"]
    assert len({phone.open(link).text for link in links}) == 2
    assert phone.status == 200


def test_what_was_typed_is_kept_beside_its_error(shop: Shop, till: Till, phone: Phone) -> None:
    phone.open(f"/E/{till.token()}").submit(phone='8 "916" <b>', advertising="yes")
    assert phone.status == 422
    assert (
        'value="8 &#34;916&#34; &lt;b&gt;" aria-describedby="phone-error phone-hint" aria-invalid="true"' in phone.page
    )
    assert 'name="advertising" type="checkbox" value="yes" checked' in phone.page
    assert 'aria-describedby="consent-error"' in phone.page
    assert phone.page.index('id="phone-error"') > phone.page.index('id="phone"')
    assert shop.said.getvalue() == ""


def test_without_the_consent_no_code_is_sent(shop: Shop, till: Till, phone: Phone) -> None:
    phone.open(f"/E/{till.token()}").submit(phone="+79161234567", personal_data="no")
    assert (phone.status, "Без этого согласия" in phone.text) == (422, True)
    assert 'value="+79161234567"' in phone.page
    assert shop.said.getvalue() == ""


def test_the_phone_field_brings_the_right_keyboard(till: Till, phone: Phone) -> None:
    page = phone.open(f"/E/{till.token()}").page
    assert 'type="tel" inputmode="tel" autocomplete="tel"' in page
    code = phone.submit(**GOOD).page
    assert 'inputmode="numeric" autocomplete="one-time-code"' in code


@pytest.mark.parametrize(
    ("accepts", "language"),
    [
        ("ru", "ru"), ("en-GB,en;q=0.9", "en"), ("de,en;q=0.5,ru;q=0.7", "ru"), ("de", "ru"), ("", "ru"),
        ("en;q=x,ru;q=0.1", "ru"), ("ru;q=0.2, en;q=0.3", "en"), ("," * 600, "ru"),
    ],
)  # fmt: skip
def test_the_browser_chooses_the_language(till: Till, phone: Phone, accepts: str, language: str) -> None:
    phone.language = accepts
    assert f'lang="{language}"' in phone.open(f"/E/{till.token()}").page


def test_a_person_can_choose_the_other_language_and_keeps_it(shop: Shop, till: Till, phone: Phone) -> None:
    page = phone.open(f"/E/{till.token()}").page
    (link,) = re.findall(r'<a href="([^"]+)" lang="en"', page)
    assert "Phone number" in phone.open(link).text
    assert "Enter the code" in phone.submit(**GOOD).text
    assert "Your card" in phone.submit(code=shop.last_code()).text


def test_the_path_may_be_of_any_case(till: Till, phone: Phone) -> None:
    token = till.token()
    for path in (f"/E/{token}", f"/e/{token.lower()}", f"/E/{token.title()}", f"/e/{token}/confirm"):
        assert phone.open(path).status == 200, path


def test_looking_changes_nothing(shop: Shop, till: Till, phone: Phone) -> None:
    before = (shop.everything(), shop.said.getvalue())
    token = till.token()
    for _ in range(3):
        phone.open(f"/E/{token}")
    assert (shop.everything(), shop.said.getvalue()) == before


@pytest.mark.parametrize("body", [b"a=" + b"x" * 9000, b"\xff=\xff"])
def test_a_form_that_is_none_is_refused(shop: Shop, till: Till, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = shop.http.post(f"{shop.url}/e/{till.token()}", data=body, headers=headers)
    assert response.status_code in (400, 413)
    assert shop.http.post(f"{shop.url}/e/{till.token()}", json={}).status_code == 415


@pytest.mark.skipif(not CHROMIUM.exists() and "CI" not in os.environ, reason="Debian's Chromium is not installed")
def test_in_a_real_browser_without_javascript(shop: Shop, till: Till) -> None:
    """At 360 px: nothing scrolls sideways, targets are large enough, the style is applied, and the whole way works."""
    token = till.token()
    till.sell(24000, token=token)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        scripts = {"java_script_enabled": False}
        page = browser.new_context(viewport={"width": 360, "height": 740}, locale="ru-RU", **scripts).new_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{shop.url}/E/{token}")
        button = page.get_by_role("button", name="Получить код")
        assert button.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(11, 107, 79)"
        for target in (*page.locator("input:not([type=hidden]), label, a, button").all(),):
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 24
            assert box["x"] + box["width"] <= 360
        page.get_by_label("Номер телефона").fill("8 916 123-45-67")
        page.get_by_label("Согласие на обработку персональных данных").check()
        button.click()
        expect(page.get_by_label("Код из сообщения")).to_be_visible(timeout=PATIENCE_MS)
        page.get_by_label("Код из сообщения").fill(shop.last_code())
        page.get_by_role("button", name="Получить карту").click()
        expect(page.get_by_role("heading", name="Ваша карта")).to_be_visible(timeout=PATIENCE_MS)
        picture = page.locator("svg").bounding_box()
        assert picture is not None
        assert picture["width"] >= 180
        (seen,) = zxingcpp.read_barcodes(Image.open(BytesIO(page.screenshot())))
        assert [(seen.text,)] == shop.all(tables.cards, "card")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert {url.split("/")[2] for url in requests} == {shop.url.split("/")[2]}
        browser.close()
