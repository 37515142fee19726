"""The whole story of the shop, played without a browser. Each step is checked; the first that does not hold ends it.

What is believed comes from outside the agent: the paper (drawn by the printer from its bytes), the pixels of the QR, the
pages of the server and the ledger that the server exports.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

from agent.demo.books import compare
from agent.demo.customer import Page, last_code, read_qr
from agent.demo.pos import PATIENCE, CashRegister
from agent.demo.screen import Screen
from agent.demo.store import CARDS, Store
from loyalty.quote import Line

PHONE = "+7 900 000-00-01"
OFFLINE_SALES = 30
KILLS = 3
WAIT = 10.0


class StepFailed(Exception):
    """A step of the story did not hold; the message says what was seen."""


@dataclass(frozen=True)
class Step:
    """A step that held: what, what was seen, how long it took."""

    title: str
    seen: str
    seconds: float


class Story:
    """Plays the steps in order; `steps` fills up as they hold."""

    def __init__(self, store: Store, register: CashRegister, screen: Screen, report: Callable[[Step], None]) -> None:
        self._store = store
        self._register = register
        self._screen = screen
        self._report = report
        self._random = random.Random(20261201)  # noqa: S311 - the same story each time, no secret
        self._pause = Event()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="demo-register")

    def play(self) -> None:
        """Raises StepFailed, AgentAway or Refused at the first step that does not hold."""
        self._known_card()
        self._unknown_code()
        self._enrolment()
        self._paper_out()
        self._offline()
        self._network_back()
        self._ledger_agrees()

    @contextmanager
    def _step(self, title: str) -> Iterator[list[str]]:
        begin = monotonic()
        seen: list[str] = []
        yield seen
        self._report(Step(title, "; ".join(seen), monotonic() - begin))

    def _known_card(self) -> None:
        card, balance = next(iter(CARDS.items()))
        with self._step("A known card, online") as seen:
            self._await_screen(lambda screen: _state(screen, "network") == "ok", "the network to be up")
            self._scan(card)
            self._await_screen(
                lambda screen: screen.view is not None and screen.view.state == "member", "the member on the screen"
            )
            view = self._screen.view
            _check(view is not None and view.balance == balance, f"balance on the screen, expected {balance}: {view}")
            sold = self._register.sell(coffee(2), redeem="max").sold
            self._await_receipts(1)
            seen += [f"balance {balance} on the screen", f"paid {sold.redeemed} points", f"earned {sold.earned}"]

    def _unknown_code(self) -> None:
        with self._step("An unknown code") as seen:
            self._scan("NOT-A-CARD")
            self._await_screen(
                lambda screen: screen.view is not None and screen.view.state == "unknown_code", "the code to be refused"
            )
            view = self._screen.view
            seen.append(view.notice["en"] if view and view.notice else "")

    def _enrolment(self) -> None:
        with self._step("A receipt without a card, its QR, enrolment, code, points") as seen:
            before = len(self._store.receipts())
            number, sold = self._register.sell(coffee(20))
            self._await_receipts(before + 1)
            url = read_qr(self._store.receipts()[-1])
            _check(url is not None and sold.token is not None and url.endswith(sold.token), f"QR on the paper: {url}")
            self._await_drained()
            page = Page(str(url))
            _check(page.says(str(sold.earned)), "the points of the receipt shown as pending")
            page.submit(phone=PHONE, personal_data="yes")
            page.submit(code=last_code(self._store.codes))
            _check(page.status == 200, f"the code accepted: {page.status}")
            points = [row for row in self._store.ledger() if row["number"] == number]
            _check([row["points"] for row in points] == [str(sold.earned)], f"ledger of that receipt: {points}")
            again = Page(str(url))
            _check(again.status in (404, 410) and not again.asks, f"second use of the QR: {again.status}")
            seen += [f"read from the pixels: {url}", f"{sold.earned} points credited once", "second use refused"]

    def _paper_out(self) -> None:
        with self._step("Paper out in the middle") as seen:
            before = len(self._store.receipts())
            self._store.printer("paper_out")
            self._register.sell(coffee(1))
            self._await_screen(lambda screen: _state(screen, "printer") != "ok", "the printer's trouble on the screen")
            part = self._screen.part("printer")
            _check(len(self._store.receipts()) == before, "nothing printed without paper")
            self._store.printer("paper_in")
            self._await_receipts(before + 1)
            self._await_screen(lambda screen: _state(screen, "printer") == "ok", "the printer ready again")
            seen += [f"held: {part.text['en'] if part else ''}", "printed once after the roll was changed"]

    def _offline(self) -> None:
        with self._step(f"{OFFLINE_SALES} sales without network, {KILLS} x kill -9, one restart") as seen:
            self._store.cable.pull()
            events = self._random.sample(range(1, OFFLINE_SALES), KILLS + 1)
            for number in range(OFFLINE_SALES):
                if number in events[:KILLS]:
                    self._kill_during_the_sale()
                elif number == events[KILLS]:
                    seconds = self._store.stop_agent()
                    _check(seconds <= 3.0, f"SIGTERM took {seconds:.1f} s")
                    self._store.start_agent()
                self._scan(self._random.choice(list(CARDS)))
                self._register.sell(coffee(self._random.randint(1, 9)))
            seen.append(f"{OFFLINE_SALES} acknowledged, {self._pending()} wait in the queue")

    def _network_back(self) -> None:
        with self._step("The network is back") as seen:
            self._store.cable.plug()
            self._await_drained()
            seen.append("queue empty")

    def _ledger_agrees(self) -> None:
        with self._step("The ledger agrees") as seen:
            books = compare(self._store.ledger(), self._register.receipts)
            _check(books.agree, f"lost {books.missing}, doubled or never sold {books.surplus}")
            self._await_receipts(books.booked - KILLS)
            printed = Counter(printed_numbers(self._store.paper))
            twice = [number for number, count in printed.items() if count > 1]
            stray = printed.keys() - {receipt.number for receipt in self._register.receipts}
            _check(not twice and not stray, f"printed twice {twice}, printed and not booked {stray}")
            seen += [
                f"{books.booked} receipts booked",
                f"{len(printed)} printed, each booked once",
                "0 lost, 0 doubled",
            ]

    def _kill_during_the_sale(self) -> None:
        """kill -9 at a random moment while a sale is under way."""
        moment = self._random.uniform(0.0, 0.05)
        quoted = self._register.basket(coffee(3))
        sale = self._background.submit(self._register.pay, quoted, coffee(3))
        self._pause.wait(moment)
        self._store.kill_agent()
        self._store.start_agent()
        sale.result(PATIENCE + WAIT)

    def _pending(self) -> int:
        part = self._screen.part("queue")
        found = re.search(r"\d+", part.text["en"]) if part else None
        return int(found.group()) if found else 0

    def _await_drained(self) -> None:
        self._await_screen(
            lambda screen: _state(screen, "queue") == "ok" and self._pending() == 0, "the queue to drain"
        )

    def _await_screen(self, condition: Callable[[Screen], bool], what: str) -> None:
        if not self._screen.wait_for(condition, WAIT):
            raise StepFailed(
                f"waited {WAIT:.0f} s for {what}; the screen shows {self._screen.view} {self._screen.parts}"
            )

    def _scan(self, code: str) -> None:
        self._await(lambda: self._store.agent_listens, "the agent to open the scanner")
        self._store.scan(code)

    def _await_receipts(self, count: int) -> None:
        self._await(lambda: len(self._store.receipts()) >= count, f"receipt {count}")

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline = monotonic() + WAIT
        while not condition():
            if monotonic() > deadline:
                raise StepFailed(f"waited {WAIT:.0f} s for {what}; {len(self._store.receipts())} receipts came out")
            self._pause.wait(0.02)


def coffee(cups: int) -> tuple[Line, ...]:
    """A basket of so many cups at 150.00."""
    return (Line(sku="1", name="Кофе", categories=("coffee",), quantity=cups * 1000, sum=cups * 15000),)


def printed_numbers(paper: Path) -> list[str]:
    """Receipt numbers as they stand on the drawn paper, in either language."""
    texts = (text.read_text(encoding="utf-8") for text in sorted(paper.glob("*.txt")))
    return [found.group(1) for text in texts if (found := re.search(r"(?:№|Receipt) (\d{4})", text))]


def _state(screen: Screen, name: str) -> str | None:
    part = screen.part(name)
    return part.state if part else None


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise StepFailed(what)
