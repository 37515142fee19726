"""Joining at the till: the cashier types the phone, the member tells the code that it received.

The same two steps and limits as the page of a receipt, under a token of the till's own: the one on the open receipt, or
one made for this. That is what ties the receipt to the member, whichever of the two comes first.
"""

from __future__ import annotations

import logging
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loyalty.wire_enrolment import EnrolmentCode, EnrolmentDone, EnrolmentReply, EnrolmentRequest
from loyalty_server.devices import Device
from loyalty_server.edge import Server, authenticate, decode, json_reply, read_body
from loyalty_server.enrolment import steps
from loyalty_server.enrolment.phone import masked, parse_phone
from loyalty_server.enrolment.sender import Sender
from loyalty_server.enrolment.sending import send_code
from loyalty_server.enrolment.steps import CODE_GOOD_FOR, Open, Sent, Wish, Wrong
from loyalty_server.enrolment.wording import Wordings
from loyalty_server.problems import Refused, refuse
from loyalty_server.tokens import Token, recognise

log = logging.getLogger(__name__)


class EnrolmentAtTill:
    """Its endpoints."""

    def __init__(self, server: Server, sender: Sender, wordings: Wordings) -> None:
        self._server = server
        self._sender = sender
        self._wordings = wordings

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/enrolments", self.ask, methods=["POST"]),
            Route("/v1/enrolments/{enrolment}/confirm", self.confirm, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """POST /v1/enrolments."""
        device = await run_in_threadpool(authenticate, self._server, request)
        self._server.rates.search(device.id, self._server.clock.now())
        wish = decode(await read_body(request, self._server.limits), EnrolmentRequest)
        return json_reply(await run_in_threadpool(self._ask, device, wish), 201)

    async def confirm(self, request: Request) -> Response:
        """POST /v1/enrolments/{enrolment}/confirm."""
        device = await run_in_threadpool(authenticate, self._server, request)
        said = decode(await read_body(request, self._server.limits), EnrolmentCode)
        return json_reply(await run_in_threadpool(self._confirm, device, request.path_params["enrolment"], said))

    def _ask(self, device: Device, asked: EnrolmentRequest) -> EnrolmentReply:
        server, now = self._server, self._server.clock.now()
        token, wish = self._token(device, asked.token), self._wish(asked, now)
        with server.database.writing() as connection:
            found = steps.visit(connection, server.keys, asked.token, now)
            if not isinstance(found, Open):
                raise _closed(found)
            sent = steps.ask(connection, server.keys, token, wish, now)
        if not isinstance(sent, Sent):
            raise refuse(sent)
        if not send_code(server, self._sender, wish.phone, sent, wish.language, now):
            raise refuse("code_not_sent")
        return EnrolmentReply(
            id=sent.attempt,
            phone=masked(wish.phone),
            expires_at=now + CODE_GOOD_FOR,
            text_version=wish.text_version,
        )

    def _confirm(self, device: Device, attempt: str, said: EnrolmentCode) -> EnrolmentDone:
        server, now = self._server, self._server.clock.now()
        token = self._token(device, said.token)
        with server.database.writing() as connection:
            outcome = steps.confirm(
                connection, server.keys, self._wordings, token, attempt, said.code.strip(), now, channel="till"
            )
        if isinstance(outcome, Wrong):
            raise refuse("code_wrong", left=outcome.left) if outcome.left else refuse("code_void")
        if isinstance(outcome, str):
            raise _closed(outcome)
        log.info("enrolment=confirmed device=%s credited=%s", device.id, outcome.credited)
        return EnrolmentDone(
            member=outcome.member, card=outcome.card, balance=outcome.balance, credited=outcome.credited
        )

    def _token(self, device: Device, text: str) -> Token:
        """A device enrols by its own tokens alone. Raises Refused."""
        token = recognise(self._server.keys, text)
        if token is None or token.device_number != device.number:
            raise _closed("unknown")
        return token

    def _wish(self, asked: EnrolmentRequest, now: datetime) -> Wish:
        """Raises Refused."""
        phone = parse_phone(asked.phone)
        if phone is None:
            raise refuse("phone_unreadable")
        if "personal_data" not in asked.consents:
            raise refuse("consent_missing")
        version = asked.text_version or self._wordings.current()
        if self._wordings.find("personal_data", version, asked.language) is None:
            raise refuse("consent_text_unknown")
        shown_at = steps.possible_showing(asked.shown_at, now)
        return Wish(phone, "advertising" in asked.consents, asked.language, version, shown_at)


def _closed(why: steps.Closed) -> Refused:
    return refuse(f"enrolment_{why}")
