"""What the customer's phone shows: HTML without a script, nothing from anywhere else, some 6 KB a page."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from loyalty.i18n import Language, points, text
from loyalty_server.enrolment.phone import masked
from loyalty_server.enrolment.steps import Card, Closed
from loyalty_server.enrolment.wording import Wording

_FOLDER = Path(__file__).parent / "pages"
_STATUS = {"unknown": 404, "expired": 410, "used": 410}


@dataclass(frozen=True)
class Form:
    """The first page as it was filled in, with what is wrong with it."""

    phone: str = ""
    personal_data: bool = False
    advertising: bool = False
    phone_error: bool = False
    consent_error: bool = False
    error: str = ""  # key of a sentence about the whole page


@dataclass(frozen=True)
class Place:
    """Where the page stands: below which address, for which token, in which language."""

    token: str
    language: Language
    decimals: int

    @property
    def path(self) -> str:
        """The token's own address."""
        return f"/e/{self.token}"

    def say(self, key: str, **params: str | int) -> str:
        """Return a sentence of the enrolment section."""
        return text(f"enrolment.{key}", self.language, **params)

    def points(self, amount: int) -> str:
        """Return points in words."""
        return points(amount, self.decimals, self.language)


def join_page(place: Place, pending: int | None, form: Form, version: int, now: datetime) -> HTMLResponse:
    """Phone and consents."""
    failed = form.phone_error or form.consent_error
    return _page(
        "join.html",
        place,
        title=place.say("join_title"),
        status=422 if failed else 429 if form.error in ("codes_today", "claims_today") else 200,
        points=place.points(pending) if pending else "",
        follow=pending is None,
        phone=form.phone,
        personal_data=form.personal_data,
        advertising=form.advertising,
        phone_error=place.say("phone_error") if form.phone_error else "",
        consent_error=place.say("consent_error") if form.consent_error else "",
        error=place.say(form.error) if form.error else "",
        version=version,
        shown=int(now.timestamp()),
        texts=f"/texts/{place.language}/",
        other_language="en" if place.language == "ru" else "ru",
        other_language_name=text("screen.other_language", place.language),
    )


def code_page(place: Place, attempt: str, phone: str, left: int | None = None) -> HTMLResponse:
    """The code; `left` tries after a wrong one."""
    error = "" if left is None else place.say("code_wrong", left=left)
    title, status = place.say("code_title"), 422 if error else 200
    return _page("code.html", place, title, status, attempt=attempt, phone=masked(phone), error=error)


def card_page(place: Place, card: Card) -> HTMLResponse:
    """The card as QR and number, and what is on it."""
    return _page(
        "card.html",
        place,
        title=place.say("card_title"),
        status=200,
        qr=_qr(card.card),
        number=_grouped(card.card),
        credited=place.points(card.credited) if card.credited else "",
        balance=place.points(max(card.balance, 0)),
        follow=card.credited is None,
    )


def plain_page(place: Place, closed: Closed) -> HTMLResponse:
    """The token cannot be used; the same page for every reason but for one sentence."""
    return _page("plain.html", place, place.say("plain_title"), _STATUS[closed], says=place.say(closed))


def trouble_page(language: Language, status: int) -> HTMLResponse:
    """The server failed or is busy; the same thing may work in a minute."""
    place = Place("", language, 0)
    return _page("plain.html", place, place.say("trouble_title"), status, says=place.say("trouble"))


def wording_page(place: Place, wording: Wording) -> HTMLResponse:
    """A text that is agreed to."""
    parts = {"paragraphs": wording.paragraphs, "version": wording.version}
    return _page("wording.html", place, wording.title, 200, **parts)


def _page(name: str, place: Place, title: str, status: int, **parts: object) -> HTMLResponse:

    def said(key: str, **params: str | int) -> str:
        return text(key, place.language, **params)

    style, policy = _style()
    page = _templates().get_template(name)
    body = page.render(language=place.language, title=title, style=style, path=place.path, t=said, **parts)
    return HTMLResponse(body, status, _headers(policy, place.language))


def _headers(policy: str, language: Language) -> dict[str, str]:
    return {
        "content-security-policy": policy,
        "content-language": language,
        "vary": "accept-language",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
    }


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> tuple[str, str]:
    style = (_FOLDER / "style.css").read_text(encoding="utf-8").replace("\n", "")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return style, policy


def _grouped(card: str) -> str:
    """2980 629 836 328: in threes from the right, the rest in front."""
    parts = (card[:-9], card[-9:-6], card[-6:-3], card[-3:])
    return " ".join(part for part in parts if part)


def _qr(card: str) -> str:
    out = BytesIO()
    segno.make_qr(card, error="m").save(
        out, kind="svg", xmldecl=False, svgns=True, scale=8, border=2, omitsize=True, title=card
    )
    return out.getvalue().decode()
