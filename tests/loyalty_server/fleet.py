"""Tills that sell and deliver at once to several servers, each request to any of them, and repeat whatever stayed unclear."""

from __future__ import annotations

import random
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import requests
from sqlalchemy import select

from loyalty.wire import EventReply
from loyalty_server.folder import DataFolder
from loyalty_server.ledger import differences
from loyalty_server.storage import tables

from .shell import COMMAND

if TYPE_CHECKING:
    from conftest import Till

    from loyalty.wire import Row

MOST_ROWS = 20
PAUSE = 0.02


class Servers:
    """Server processes on one database; `urls` are those that answer."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.running: list[subprocess.Popen[str]] = []

    def start(self, folder: Path) -> None:
        """One more, on a data folder."""
        said = folder.parent / "server.log"
        with said.open("ab") as log:
            process = subprocess.Popen(
                [COMMAND, "run", "--data", str(folder), "--listen", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.running.append(process)
        assert process.stdout is not None
        ready = re.fullmatch(r"ready url=(\S+)\n", process.stdout.readline())
        assert ready, said.read_text()[-2000:]
        self.urls.append(ready[1])

    def kill(self) -> None:
        """kill -9 for the oldest one."""
        process = self.running.pop(0)
        assert process.poll() is None, "it had ended by itself"
        process.kill()
        process.communicate()
        self.urls.pop(0)

    def close(self) -> None:
        while self.running:
            self.kill()


@dataclass
class Seller:
    """One till. `urls` are the servers that there are at the moment; `sold` = row -> member and points, once acknowledged."""

    till: Till
    urls: list[str]
    members: Sequence[str]
    chance: random.Random
    sold: dict[str, tuple[str, int]] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)

    def work(self, over: threading.Event) -> None:
        """Sell until it is over; in the end everything is acknowledged."""
        while not over.is_set():
            self.deliver(self.sell(self.chance.randint(1, MOST_ROWS)))

    def sell(self, count: int) -> list[tuple[Row, str, int]]:
        """New rows, each with its member and the points that he earns."""
        rows = []
        for _ in range(count):
            member = self.chance.choice(self.members)
            sale = self.till.sale(self.chance.randrange(1_000, 50_000), member=member)
            rows.append((self.till.row(sale), member, sale.quote.earned))
        return rows

    def deliver(self, sales: list[tuple[Row, str, int]]) -> None:
        """Send the rows, again and again, until a server says what became of them."""
        rows = [row for row, _, _ in sales]
        unclear = 0
        while (reply := self._post(rows)) is None:
            unclear += 1
            threading.Event().wait(PAUSE)
        words = {verdict.verdict for verdict in reply.verdicts}
        assert words <= ({"accepted", "duplicate"} if unclear else {"accepted"}), reply
        assert (len(words), reply.watermark) == (1, rows[-1].seq), "a batch is booked whole or not at all"
        self.said["unclear"] += unclear
        self.said["booked all the same"] += words == {"duplicate"}
        self.sold.update({row.id: (member, earned) for row, member, earned in sales})

    def _post(self, rows: list[Row]) -> EventReply | None:
        self.till.shop.url = self.chance.choice(self.urls)
        try:
            response = self.till.post(*rows)
        except requests.RequestException:
            return None
        if response.status_code != 200:
            assert response.status_code == 503, response.text
            return None
        return msgspec.json.decode(response.content, type=EventReply)


@contextmanager
def at_work(sellers: Sequence[Seller]) -> Iterator[None]:
    """They sell while the block lasts, each in a thread of its own; what went wrong in one is raised at the end."""
    over = threading.Event()
    with ThreadPoolExecutor(len(sellers)) as pool:
        working = [pool.submit(seller.work, over) for seller in sellers]
        try:
            yield
        finally:
            over.set()
        for each in working:
            each.result(60)


def judge(folder: DataFolder, sellers: Sequence[Seller]) -> str:
    """The ledger must be what was acknowledged: nothing lost, nothing doubled. Returns the counts."""
    sold = {row: what for seller in sellers for row, what in seller.sold.items()}
    database, _ = folder.open()
    with database.reading() as tx:
        assert differences(tx) == []
        found = tx.execute(select(tables.receipts.c.row_id, tables.receipts.c.member, tables.receipts.c.earned)).all()
        booked = {row_id: (member, earned) for row_id, member, earned in found}
        entries = Counter[str]()
        for member, points in tx.execute(select(tables.ledger.c.member, tables.ledger.c.points)):
            entries[member] += points
        numbers = tx.execute(select(tables.rows.c.device, tables.rows.c.seq, tables.rows.c.verdict)).all()
    database.close()
    assert len(found) == len(booked), "a receipt is booked twice"
    assert booked == sold, (
        f"{len(sold.keys() - booked.keys())} lost, {len(booked.keys() - sold.keys())} that nobody sold"
    )
    owed = Counter[str]()
    for member, earned in sold.values():
        owed[member] += earned
    assert entries == owed
    for seller in sellers:
        own = sorted((seq, verdict) for device, seq, verdict in numbers if device == seller.till.me.device)
        assert own == [(seq, "accepted") for seq in range(1, seller.till.seq + 1)]
    said = sum((seller.said for seller in sellers), Counter[str]())
    return (
        f"{len(sold)} receipts of {len(sellers)} tills, {said['unclear']} unclear outcomes, "
        f"{said['booked all the same']} of their batches booked all the same, 0 lost, 0 doubled"
    )


def hire(make: Callable[[str], Till], urls: list[str], members: Sequence[str], codes: Sequence[str]) -> list[Seller]:
    """A seller for each code."""
    sellers = []
    for number, code in enumerate(codes):
        till = make(urls[number % len(urls)])
        till.machine = f"pc-{number}"
        till.claim(code)
        till.number = number * 1_000_000  # all tills of a store here print under one number
        sellers.append(Seller(till, urls, members, random.Random(number)))  # noqa: S311 - no secret
    return sellers
