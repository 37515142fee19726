"""The cash register of the demo: an ordinary client of the agent's local API (protocol section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import requests

from agent.views import Quoted, Sold
from loyalty.quote import Line
from loyalty.wire import Problem

TIMEOUT = (1.0, 5.0)


class AgentAway(Exception):
    """The agent did not answer: it is down, or the reply was lost. The outcome of a commit is unknown; ask again."""


@dataclass(frozen=True)
class Refused(Exception):
    """The agent answered with a problem."""

    problem: Problem

    def __str__(self) -> str:
        return f"{self.problem.status} {self.problem.code}: {self.problem.detail or self.problem.title}"


class CashRegister:
    """Sells at one till. `shift` and the running receipt number make the receipt identity."""

    def __init__(self, address: str, till: str, token: str, business_day: date, shift: str = "1") -> None:
        self._till = f"{address}/v1/tills/{till}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._business_day = business_day
        self._shift = shift
        self._number = 0

    def next_number(self) -> str:
        """Number of the next paper receipt of this shift."""
        self._number += 1
        return f"{self._number:04d}"

    def basket(self, lines: Sequence[Line], redeem: int | str = 0) -> Quoted:
        """Put the open receipt. Raises AgentAway or Refused."""
        return msgspec.json.decode(self._send("PUT", "basket", {"lines": lines, "redeem": redeem}), type=Quoted)

    def commit(self, quoted: Quoted, number: str) -> Sold:
        """The customer has paid: commit the sale. Raises AgentAway or Refused."""
        receipt = {"business_day": self._business_day, "shift": self._shift, "number": number}
        body = {"quote_id": quoted.quote_id, "redeemed": quoted.quote.redeemed, "receipt": receipt, "prints": "agent"}
        return msgspec.json.decode(self._send("POST", "sales", body), type=Sold)

    def cancel(self) -> None:
        """The open receipt was cancelled."""
        self._send("DELETE", "basket", None)

    def _send(self, method: str, path: str, body: object) -> bytes:
        payload = b"" if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        try:
            reply = self._session.request(
                method, f"{self._till}/{path}", data=payload, headers=headers, timeout=TIMEOUT
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise AgentAway(str(error)) from error
        if reply.status_code >= 400:
            raise Refused(msgspec.json.decode(reply.content, type=Problem))
        return reply.content
