"""The pages that the agent serves: cashier page and pairing page. Their shells hold words and places, never data.

HTML comes from the templates beside this file; what is scanned and sold arrives later over the event stream. Every
text stands in the sections `screen` and `pair` of loyalty/ru.toml and en.toml.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from loyalty import i18n
from loyalty.i18n import LANGUAGES, Language

__all__ = ["Asset", "Language", "asset", "language", "pair_page", "till_page"]

_MEDIA: Final = {"css": "text/css", "js": "text/javascript"}
_ASSETS: Final = ("pair.js", "screen.css", "till.js")

_WORDS: Final = (
    "as_of", "card_only", "card_only_more", "debt", "doubt", "earned", "earns", "entry_failed", "full", "full_more", "idle",
    "idle_more", "max_redeem", "member", "member_more", "no_contact", "no_contact_more", "no_news", "not_paired", "not_paired_more",
    "redeemed", "sold", "sold_more", "unavailable", "unavailable_more", "unknown_code", "unknown_code_more",
)  # fmt: skip
"""Texts that till.js puts in and out; `{...}` in them is filled in by the script."""

_PAIR_WORDS: Final = ("no_code", "no_contact", "refused", "wait")


@dataclass(frozen=True)
class Asset:
    """A file that a page loads."""

    content: bytes
    media_type: str


def language(asked: str | None, otherwise: Language) -> Language:
    """The language of ?lang= where it is one of ours, else the one of the configuration."""
    return next((one for one in LANGUAGES if one == asked), otherwise)


def till_page(till: str, lang: Language) -> str:
    """The shell of the cashier page."""
    words = {key: i18n.text(f"screen.{key}", lang, **_holes(f"screen.{key}")) for key in _WORDS}
    return _page("till.html", lang, till=till, words=json.dumps(words, ensure_ascii=False))


def pair_page(lang: Language) -> str:
    """The shell of the pairing page."""
    words = {key: i18n.text(f"pair.{key}", lang) for key in _PAIR_WORDS}
    return _page("pair.html", lang, words=json.dumps(words, ensure_ascii=False))


def asset(name: str) -> Asset | None:
    """Script or style by its name; None for anything else."""
    return _asset(name) if name in _ASSETS else None


def _holes(key: str) -> dict[str, str]:
    """Parameters that stay holes for the script."""
    return {
        "screen.as_of": {"time": "{time}"},
        "screen.doubt": {"time": "{time}"},
        "screen.debt": {"points": "{points}"},
    }.get(key, {})


@cache
def _asset(name: str) -> Asset:
    return Asset(files(__name__).joinpath(name).read_bytes(), _MEDIA[name.rpartition(".")[2]])


def _page(name: str, lang: Language, **values: str) -> str:
    other: Language = "en" if lang == "ru" else "ru"

    def text(key: str) -> str:
        return i18n.text(key, lang)

    return _templates().get_template(name).render(t=text, lang=lang, other=other, **values)


@cache
def _templates() -> Environment:
    return Environment(loader=PackageLoader("agent.api", "screen"), autoescape=True, undefined=StrictUndefined)
