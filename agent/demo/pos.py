"""The cash register of the demo: an ordinary client of the agent's local API (protocol section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from threading import Event
from time import monotonic
from typing import NamedTuple

import msgspec
import requests

from agent.views import Quoted, Sold
from loyalty.quote import Line
from loyalty.wire import Problem

TIMEOUT = (1.0, 5.0)
PATIENCE = 10.0
"""Seconds for which the register asks again while the agent is away."""
ASK_AGAIN_AFTER = 0.05


class AgentAway(Exception):
    """The agent did not answer: it is down, or the reply was lost. The outcome of a commit is unknown; ask again."""


@dataclass(eq=False)
class Refused(Exception):
    """The agent answered with a problem."""

    problem: Problem

    def __str__(self) -> str:
        return f"{self.problem.status} {self.problem.code}: {self.problem.detail or self.problem.title}"


class Receipt(NamedTuple):
    """A sale that the cash register has the agent's word for."""

    number: str
    sold: Sold


class CashRegister:
    """Sells at one till. `shift` and the running receipt number make the receipt identity.

    An agent that is away, or says that it can be tried again, is asked again, with the same words, for as long as the
    patience lasts: that is all that a cash register has to do for a sale to be booked exactly once.
    """

    def __init__(self, address: str, till: str, token: str, business_day: date, shift: str = "1") -> None:
        self._till = f"{address}/v1/tills/{till}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._business_day = business_day
        self._shift = shift
        self._number = 0
        self._pause = Event()
        self.receipts: list[Receipt] = []
        """Acknowledged sales, in order."""

    def sell(self, lines: Sequence[Line], redeem: int | str = 0) -> Receipt:
        """Basket and payment in one go. Raises AgentAway or Refused."""
        return self.pay(self.basket(lines, redeem), lines)

    def pay(self, quoted: Quoted, lines: Sequence[Line]) -> Receipt:
        """The customer has paid what was quoted: close the receipt and commit it. Raises AgentAway or Refused.

        An agent that died before the commit has forgotten the quote: the open receipt is put once more, unless points
        were to pay for it.
        """
        self._number += 1
        number = f"{self._number:04d}"
        try:
            sold = self._commit(quoted, number)
        except Refused as refused:
            if refused.problem.code != "quote_unknown" or quoted.quote.redeemed:
                raise
            sold = self._commit(self.basket(lines), number)
        self.receipts.append(Receipt(number, sold))
        return self.receipts[-1]

    def basket(self, lines: Sequence[Line], redeem: int | str = 0) -> Quoted:
        """Put the open receipt. Raises AgentAway or Refused."""
        return msgspec.json.decode(self._send("PUT", "basket", {"lines": lines, "redeem": redeem}), type=Quoted)

    def cancel(self) -> None:
        """The open receipt was cancelled. Raises AgentAway or Refused."""
        self._send("DELETE", "basket", None)

    def _commit(self, quoted: Quoted, number: str) -> Sold:
        receipt = {"business_day": self._business_day, "shift": self._shift, "number": number}
        body = {"quote_id": quoted.quote_id, "redeemed": quoted.quote.redeemed, "receipt": receipt, "prints": "agent"}
        return msgspec.json.decode(self._send("POST", "sales", body), type=Sold)

    def _send(self, method: str, path: str, body: object) -> bytes:
        deadline = monotonic() + PATIENCE
        while True:
            try:
                return self._send_once(method, path, body)
            except (AgentAway, Refused) as error:
                if monotonic() > deadline or (isinstance(error, Refused) and not error.problem.retryable):
                    raise
                self._pause.wait(ASK_AGAIN_AFTER)

    def _send_once(self, method: str, path: str, body: object) -> bytes:
        payload = b"" if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        try:
            reply = self._session.request(
                method, f"{self._till}/{path}", data=payload, headers=headers, timeout=TIMEOUT
            )
        except requests.RequestException as error:
            raise AgentAway(str(error)) from error
        if reply.status_code >= 400:
            raise Refused(msgspec.json.decode(reply.content, type=Problem))
        return reply.content
