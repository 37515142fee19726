"""The shells of the pages: words and places, no data, nothing that needs another host or an inline script."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from agent.api import screen
from agent.views import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Shop

PAGES = ("/till/1", "/pair")


def test_the_shell_holds_no_data(shop: Shop) -> None:
    empty = shop.ask("GET", "/till/1", token=None).body
    shop.hub.publish("1", "view", View(till="1", state="member", greeting="Анна", balance=1500))
    shop.status.set("printer", "receipt", "down", "screen.no_news")
    assert shop.ask("GET", "/till/1").body == empty


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(shop: Shop, path: str) -> None:
    html = shop.ask("GET", path, token=None).body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)
    for address in re.findall(r'(?:src|href)="([^"]*)"', html):
        assert address.startswith(("/screen/", "#", "?", "data:,"))
        if address.startswith("/screen/"):
            assert shop.ask("GET", address, token=None).status == 200


@pytest.mark.parametrize("path", PAGES)
def test_the_language_is_the_configured_one_or_the_asked_one(make_shop: Callable[..., Shop], path: str) -> None:
    shop = make_shop(language="en")
    for query, lang in (("", "en"), ("?lang=ru", "ru"), ("?lang=en", "en"), ("?lang=de", "en"), ("?lang=%00", "en")):
        html = shop.ask("GET", path + query, token=None).body.decode()
        assert f'<html lang="{lang}">' in html
        assert bool(re.search("[а-яА-Я]", html.replace("Русский", ""))) == (lang == "ru")


def test_a_till_that_is_not_configured_has_no_page(shop: Shop) -> None:
    for path in ("/till/9", "/till/%3Cscript%3E", "/till/"):
        assert shop.ask("GET", path, token=None).status == 404


def test_an_odd_till_name_is_escaped() -> None:
    html = screen.till_page('"><script>alert(1)</script>', "ru")
    assert "<script>alert" not in html


@pytest.mark.parametrize("name", ["till.html", "__init__.py", "", "..", "../routes.py", "screen.css/", "TILL.JS"])
def test_only_named_files_are_assets(name: str) -> None:
    assert screen.asset(name) is None


def test_the_page_stays_small() -> None:
    page = [screen.till_page("1", "ru").encode(), *(files(screen).joinpath(name).read_bytes() for name in ASSETS)]
    assert sum(len(one) for one in page) < 40_000


ASSETS = ("till.js", "screen.css")
