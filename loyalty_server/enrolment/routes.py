"""The enrolment pages over HTTP: GET shows and never changes, each POST is one step."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qs

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty.i18n import Language
from loyalty_server.edge import Limits, Server, read_bounded
from loyalty_server.enrolment import pages, steps
from loyalty_server.enrolment.pages import Form, Place
from loyalty_server.enrolment.phone import parse_phone
from loyalty_server.enrolment.sender import Sender
from loyalty_server.enrolment.sending import send_code
from loyalty_server.enrolment.steps import Card, Open, Sent, Wish, Wrong
from loyalty_server.enrolment.wording import Wordings
from loyalty_server.problems import refuse
from loyalty_server.programmes import programme_in_force
from loyalty_server.tokens import recognise

T = TypeVar("T")
Fields = dict[str, str]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Enrolment:
    """The endpoints; `routes` lists them."""

    server: Server
    sender: Sender
    wordings: Wordings

    def routes(self) -> list[Route]:
        """The QR on paper is all upper case, people's browsers are not."""
        return [
            route
            for letter in "eE"
            for route in (
                Route(f"/{letter}/{{token}}", self.show, methods=["GET"]),
                Route(f"/{letter}/{{token}}", self.ask, methods=["POST"]),
                Route(f"/{letter}/{{token}}/confirm", self.show, methods=["GET"]),
                Route(f"/{letter}/{{token}}/confirm", self.confirm, methods=["POST"]),
            )
        ] + [Route("/texts/{language}/{purpose}/{version}", self.wording, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """GET /e/{token}."""
        language = wanted_language(request, request.query_params.get("lang"))
        return await run_in_threadpool(self._show, request.path_params["token"], language, Form())

    async def ask(self, request: Request) -> Response:
        """POST /e/{token}: phone and consents -> a code is sent."""
        fields = await _fields(request, self.server.limits)
        language = wanted_language(request, fields.get("lang"))
        return await run_in_threadpool(self._ask, request.path_params["token"], language, fields)

    async def confirm(self, request: Request) -> Response:
        """POST /e/{token}/confirm: the code -> the card."""
        fields = await _fields(request, self.server.limits)
        language = wanted_language(request, fields.get("lang"))
        return await run_in_threadpool(self._confirm, request.path_params["token"], language, fields)

    async def wording(self, request: Request) -> Response:
        """GET /texts/{language}/{purpose}/{version}."""
        params = request.path_params
        found = self.wordings.find(params["purpose"], _number(params["version"]), params["language"])
        if found is None:
            raise refuse("not_found")
        return pages.wording_page(Place("", found.language, 0), found)

    def _show(self, token: str, language: Language, form: Form) -> Response:
        now = self.server.clock.now()
        place, found = self._visit(token, language, now)
        if not isinstance(found, Open):
            return pages.plain_page(place, found)
        return pages.join_page(place, found.pending, form, self.wordings.current(), now)

    def _ask(self, text: str, language: Language, fields: Fields) -> Response:
        now = self.server.clock.now()
        place, found = self._visit(text, language, now)
        if not isinstance(found, Open):
            return pages.plain_page(place, found)
        form, phone = _filled(fields)
        version = _number(fields.get("texts", ""))
        if phone is None or form.consent_error or self.wordings.find("personal_data", version, language) is None:
            return pages.join_page(place, found.pending, form, self.wordings.current(), now)
        wish = Wish(phone, form.advertising, language, version, _shown_at(fields, now))
        sent = self._write(lambda tx: steps.ask(tx, self.server.keys, found.token, wish, now))
        if not isinstance(sent, Sent):
            said = "codes_today" if sent == "too_many_codes" else "claims_today"
            return self._again(text, language, form, said)
        if not send_code(self.server, self.sender, phone, sent, language, now):
            return self._again(text, language, form, "not_sent")
        return pages.code_page(place, sent.attempt, phone)

    def _confirm(self, text: str, language: Language, fields: Fields) -> Response:
        now = self.server.clock.now()
        attempt = fields.get("attempt", "")
        code = "".join(letter for letter in fields.get("code", "") if letter.isdecimal())
        place, _ = self._visit(text, language, now)
        token = recognise(self.server.keys, text)
        if token is None:
            return pages.plain_page(place, "unknown")
        outcome = self._write(lambda tx: steps.confirm(tx, self.server.keys, self.wordings, token, attempt, code, now))
        if isinstance(outcome, Card):
            log.info("enrolment=confirmed credited=%s", outcome.credited)
            return pages.card_page(place, outcome)
        if not isinstance(outcome, Wrong):
            return pages.plain_page(place, outcome)
        if outcome.left:
            return pages.code_page(place, attempt, outcome.phone, outcome.left)
        return self._again(text, language, Form(phone=outcome.phone), "code_void")

    def _again(self, token: str, language: Language, form: Form, error: str) -> Response:
        said = Form(form.phone, form.personal_data, form.advertising, error=error)
        return self._show(token, language, said)

    def _visit(self, text: str, language: Language, now: datetime) -> tuple[Place, Open | steps.Closed]:
        with self.server.database.reading() as connection:
            programme = programme_in_force(connection, now)
            decimals = 0 if programme is None else programme.header.point_decimals
            return Place(text.lower(), language, decimals), steps.visit(connection, self.server.keys, text, now)

    def _write(self, step: Callable[[Connection], T]) -> T:
        with self.server.database.writing() as connection:
            return step(connection)


def _filled(fields: Fields) -> tuple[Form, str | None]:
    typed = fields.get("phone", "")[:32]
    phone = parse_phone(typed)
    agreed = fields.get("personal_data") == "yes"
    form = Form(
        phone=typed,
        personal_data=agreed,
        advertising=fields.get("advertising") == "yes",
        phone_error=phone is None,
        consent_error=not agreed,
    )
    return form, phone


async def _fields(request: Request, limits: Limits) -> Fields:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise refuse("media_type", "a form is application/x-www-form-urlencoded")
    body = await read_bounded(request, limits.form, limits.body_seconds)
    try:
        found = parse_qs(body.decode(), keep_blank_values=True)
    except ValueError as error:
        raise refuse("malformed", "not a form") from error
    return {name: values[-1] for name, values in found.items()}


def wanted_language(request: Request, chosen: str | None = None) -> Language:
    """The language that was chosen, else the first of the browser's that we speak, else Russian."""
    if chosen in ("ru", "en"):
        return "en" if chosen == "en" else "ru"
    wanted: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "")[:512].split(","):
        name, _, weight = part.strip().partition(";q=")
        wanted.append((-_weight(weight), name.strip().lower()[:2]))
    for _, name in sorted(wanted, key=lambda one: one[0]):
        if name in ("ru", "en"):
            return "en" if name == "en" else "ru"
    return "ru"


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 12 else 0


def _shown_at(fields: Fields, now: datetime) -> datetime | None:
    return steps.possible_showing(datetime.fromtimestamp(_number(fields.get("shown", "")), UTC), now)
