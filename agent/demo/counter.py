"""The shop's counter as the demo page works it: what it shows, and the orders that it carries out.

Called by many threads at once: the register, the ledger and the agent's restart are each used by one at a time.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Literal

import msgspec

from agent.api.admin_socket import AdminUnreachable
from agent.demo.books import compare
from agent.demo.customer import read_qr
from agent.demo.pairing import cashier_page
from agent.demo.pos import AgentAway, CashRegister, Refused
from agent.demo.processes import NotReady
from agent.demo.screen import Screen
from agent.demo.store import CARDS, GREETINGS, TILL, Store
from drivers.virtual.control import ControlError
from loyalty.quote import Line

SHOWN_RECEIPTS = 12
SHOWN_CODES = 3


class Order(msgspec.Struct, frozen=True):
    """What the page asks for: one verb and its words."""

    do: Literal["scan", "basket", "sell", "cancel", "cable", "paper", "kill", "screen"]
    code: str = ""
    lines: tuple[Line, ...] = ()
    redeem: bool = False
    on: bool = True


class Counter:
    """One shop, one register, one cashier."""

    def __init__(self, store: Store, register: CashRegister, screen: Screen) -> None:
        self._store = store
        self._register = register
        self._screen = screen
        self._at_the_register, self._at_the_ledger, self._at_the_agent = Lock(), Lock(), Lock()

    def state(self) -> dict[str, object]:
        """Everything that the page shows, except the ledger. Raises OSError when the printer's process has ended."""
        store = self._store
        return {
            "agent": store.agent_runs,
            "cable": store.cable.plugged,
            "cards": [
                {"code": code, "name": name} for code, name in zip(CARDS, GREETINGS[store.language], strict=True)
            ],
            "codes": _last_codes(store.codes),
            "language": store.language,
            "paper": store.printer("state")["paper"],
            "parts": msgspec.to_builtins(self._screen.parts),
            "receipts": [_receipt(path) for path in store.receipts()[-SHOWN_RECEIPTS:]],
            "sold": len(self._register.receipts),
            "till_page": f"{store.api_url}/till/{TILL}",
        }

    def ledger(self) -> dict[str, object]:
        """The server's ledger, and whether it agrees with what the till was promised. Raises NotReady."""
        with self._at_the_ledger:
            rows = self._store.ledger()
        books = compare(rows, tuple(self._register.receipts))
        for row in rows:
            row["name"] = self._store.members.get(row["member"], "")
        return {"rows": rows, "books": {**msgspec.to_builtins(books), "agree": books.agree}}

    def obey(self, order: Order) -> dict[str, object]:
        """Carry out one order. What cannot be done comes back as `refused`, a word for the page, and its `detail`."""
        try:
            return self._obey(order)
        except Refused as refused:
            return {"refused": refused.problem.code, "detail": str(refused)}
        except (AgentAway, AdminUnreachable) as error:
            return {"refused": "agent_away", "detail": str(error)}
        except (ControlError, OSError) as error:
            return {"refused": "device_away", "detail": str(error)}
        except NotReady as error:
            return {"refused": "not_ready", "detail": str(error)}

    def _obey(self, order: Order) -> dict[str, object]:
        match order.do:
            case "scan":
                self._store.scan(order.code)
            case "basket" | "sell" | "cancel":
                return self._ring_up(order)
            case "cable":
                self._store.cable.plug() if order.on else self._store.cable.pull()
            case "paper":
                self._store.printer("paper_in" if order.on else "paper_out")
            case "kill":
                return self._kill()
            case "screen":
                return {"url": cashier_page(self._store)}
        return {}

    def _ring_up(self, order: Order) -> dict[str, object]:
        redeem = "max" if order.redeem else 0
        with self._at_the_register:
            if order.do == "basket":
                return {"quoted": msgspec.to_builtins(self._register.basket(order.lines, redeem))}
            if order.do == "sell":
                number, sold = self._register.sell(order.lines, redeem)
                return {"number": number, "sold": msgspec.to_builtins(sold)}
            self._register.cancel()
        return {}

    def _kill(self) -> dict[str, object]:
        """Kill the agent and bring it back as its service would; until then it is dead for everybody."""
        if not self._at_the_agent.acquire(blocking=False):
            return {}
        try:
            self._store.kill_agent()
            self._store.bring_agent_back()
        finally:
            self._at_the_agent.release()
        return {}


def _last_codes(outbox: Path) -> list[dict[str, str]]:
    path = outbox / "codes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()[-SHOWN_CODES:]] if path.is_file() else []


@lru_cache(maxsize=SHOWN_RECEIPTS * 2)
def _receipt(path: Path) -> dict[str, object]:
    """A receipt never changes once it is on paper. The address is what a phone reads from the pixels."""
    text = path.with_suffix(".txt")
    return {"number": int(path.stem), "text": text.read_text(encoding="utf-8"), "url": read_qr(path)}
