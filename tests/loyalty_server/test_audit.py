"""The engine asked again: by a person for a share of all sales, and by the running server for a share of the new ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest
import requests

from loyalty.quote import MemberState
from loyalty.wire import Sale
from loyalty_server.audit import Sample, ask_again
from loyalty_server.auditor import LEASE, Auditor
from loyalty_server.keys import Keys
from loyalty_server.meters import Meters
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shell, Shop, Till

CARD = "2900000000018"


class Rests(threading.Event):
    """A stop event that comes back at once, and says how long it was waited for; `between` is done the first time."""

    def __init__(self, between: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.rests: list[float] = []
        self.between = between

    def wait(self, timeout: float | None = None) -> bool:
        self.rests.append(timeout or 0.0)
        if len(self.rests) == 1:
            self.between()
        return self.is_set()


class Process:
    """An auditor as another process has it: with a database and counters of its own."""

    def __init__(self, shop: Shop, one_in: int = 1) -> None:
        self.database, self.meters = Database(shop.folder.address), Meters()
        self.auditor = Auditor(self.database, shop.clock, self.meters, Sample(shop.keys, one_in))

    def round(self, stop: threading.Event | None = None) -> None:
        self.auditor.round(stop or Rests())

    def counted(self) -> tuple[int, int]:
        lines = dict(line.rsplit(" ", 1) for line in self.meters.text().decode().splitlines() if line[0] != "#")
        same, differs = (
            lines.get(f'tillmate_server_sales_audited_total{{outcome="{name}"}}', 0) for name in ("same", "differs")
        )
        return int(float(same)), int(float(differs))


@pytest.fixture
def process(shop: Shop) -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def make(one_in: int = 1) -> Process:
        made.append(Process(shop, one_in))
        return made[-1]

    yield make
    for each in made:
        each.database.close()


def wrong(sale: Sale, earned: int = 77) -> Sale:
    return msgspec.structs.replace(sale, quote=msgspec.structs.replace(sale.quote, earned=earned))


def sales_of(till: Till, count: int) -> list[Sale]:
    return [till.sale(10000, state=MemberState(as_of=till.shop.clock.now())) for _ in range(count)]


def sell(till: Till, *sales: Sale) -> None:
    assert set(till.verdicts(*map(till.row, sales))) == {"accepted"}


def test_a_person_asks_again_and_flags_once(shop: Shop, till: Till) -> None:
    first, second, third = sales_of(till, 3)
    foreign = msgspec.structs.replace(third.quote, programme_revision=9)
    sell(till, first, wrong(second), msgspec.structs.replace(third, quote=foreign))
    for _ in range(2):
        asked, found = ask_again(shop.database, shop.keys, 1, shop.clock.now())
        assert (asked, [each.name[-1] for each in found]) == (3, ["2", "3"])
    assert sorted(shop.flags()) == ["quote_differs", "quote_differs", "unknown_programme"]
    assert ask_again(shop.database, shop.keys, 10**15, shop.clock.now())[0] == 0


def test_a_person_waits_for_nobody_who_writes_and_nobody_for_him(shop: Shop, till: Till) -> None:
    sell(till, *sales_of(till, 1))
    with shop.served.writing():
        assert ask_again(shop.database, shop.keys, 1, shop.clock.now()) == (1, [])


def test_a_quote_that_the_engine_refuses_is_a_difference(shop: Shop, till: Till) -> None:
    (sale,) = sales_of(till, 1)
    sell(till, msgspec.structs.replace(sale, quote=msgspec.structs.replace(sale.quote, redeemed=10**6)))
    _, (found,) = ask_again(shop.database, shop.keys, 1, shop.clock.now())
    assert "refused: redeem_above_most" in found.detail


def test_it_looks_at_what_is_new_and_flags_as_a_person_would(
    shop: Shop, till: Till, process: Callable[..., Process]
) -> None:
    here, (first, second, third) = process(), sales_of(till, 3)
    sell(till, first, wrong(second))
    here.round()
    assert here.counted() == (1, 1)
    here.round()
    assert here.counted() == (1, 1), "nothing is asked for twice"
    sell(till, third)
    here.round()
    assert here.counted() == (2, 1)
    told = shop.all(tables.flags, "kind", "device", "till", "detail")
    assert told == [("quote_differs", till.me.device, "1", "printed/engine earned=77/10")]
    ask_again(shop.database, shop.keys, 1, shop.clock.now())
    assert shop.flags() == ["quote_differs"]


def test_rows_that_were_not_booked_as_sales_are_passed_over(
    shop: Shop, till: Till, process: Callable[..., Process]
) -> None:
    here, (sale,) = process(), sales_of(till, 1)
    sell(till, sale)
    till.send(till.row("nonsense"), till.row(sale), till.row("{}", "shown"))
    here.round()
    assert here.counted() == (1, 0)
    assert shop.all(tables.audit_marks, "device", "epoch", "seq") == [(till.me.device, till.me.epoch, till.seq)]


def test_all_processes_and_people_ask_for_the_same_share(
    shop: Shop, till: Till, process: Callable[..., Process]
) -> None:
    sell(till, *sales_of(till, 60))
    here = process(4)
    here.round()
    same, _ = here.counted()
    assert (same, []) == ask_again(shop.database, shop.keys, 4, shop.clock.now())


def test_a_share_is_drawn_under_the_server_s_key() -> None:
    one, other = (Sample(Keys.new(), 100) for _ in range(2))
    drawn = [{seq for seq in range(20_000) if sample.has("e", seq)} for sample in (one, other)]
    assert all(140 < len(each) < 270 for each in drawn)
    assert len(drawn[0] & drawn[1]) < 20, "who does not know the key cannot tell"
    assert drawn[0] == {seq for seq in range(20_000) if Sample(one.keys, 100).has("e", seq)}


def test_one_process_at_a_time(shop: Shop, till: Till, process: Callable[..., Process]) -> None:
    here, there, (first, second) = process(), process(), sales_of(till, 2)
    sell(till, first)
    here.round()
    sell(till, second)
    there.round()
    assert there.counted() == (0, 0), "the other one has the lease"
    shop.clock.at += LEASE * 1.1
    there.round()
    assert (here.counted(), there.counted()) == ((1, 0), (1, 0))


def test_who_lost_the_lease_meanwhile_writes_nothing(shop: Shop, till: Till, process: Callable[..., Process]) -> None:
    here, there = process(), process()
    sell(till, wrong(sales_of(till, 1)[0]))

    def hung() -> None:
        shop.clock.at += LEASE * 1.1
        there.round()

    here.round(Rests(hung))
    assert (here.counted(), there.counted()) == ((0, 0), (0, 1))
    assert shop.flags() == ["quote_differs"]


def test_tills_deliver_between_two_questions(till: Till, process: Callable[..., Process]) -> None:
    """Nothing is open while the engine is asked: SQLite would else let nobody write."""
    here, (first, second) = process(), sales_of(till, 2)
    sell(till, first)
    here.round(Rests(lambda: sell(till, second)))
    assert here.counted() == (1, 0)
    here.round()
    assert here.counted() == (2, 0)


def test_it_leaves_the_processor_to_others(till: Till, process: Callable[..., Process]) -> None:
    here, stop = process(), Rests()
    sell(till, *sales_of(till, 40))
    began = time.thread_time()
    here.round(stop)
    assert sum(stop.rests) > 25 * (time.thread_time() - began)
    assert len(stop.rests) == 41, "after each sale, and after its page"


def test_a_long_queue_is_taken_in_pages(till: Till, process: Callable[..., Process]) -> None:
    here, stop = process(), Rests()
    for _ in range(5):
        sell(till, *sales_of(till, 500))
    assert here.auditor.round(stop) is True
    assert here.counted() == (2000, 0)
    assert here.auditor.round(stop) is False
    assert here.counted() == (2500, 0)


def test_what_was_stopped_is_done_later(shop: Shop, till: Till, process: Callable[..., Process]) -> None:
    here, stop = process(), Rests()
    stop.between = stop.set
    sell(till, *sales_of(till, 2))
    here.round(stop)
    assert (here.counted(), shop.count(tables.audit_marks)) == ((0, 0), 0)
    here.round()
    assert here.counted() == (2, 0)


def test_a_database_that_is_away_ends_nothing(shop: Shop, tmp_path: Path) -> None:
    with closing(Database(sqlite_url(tmp_path))) as away:  # a folder is no file
        stop = Rests()
        stop.between = stop.set
        Auditor(away, shop.clock, Meters(), Sample(shop.keys, 1)).run(stop)
    assert stop.rests == [30.0]


def test_a_server_does_it_by_itself(shell: Shell, till_at: Callable[[str], Till]) -> None:
    shell.init()
    process, url = shell.run("--audit", "0")
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    sell(till, wrong(till.sale()))
    process.terminate()
    process.wait(10)
    assert "audit" not in shell.log.read_text()
    shell.run("--audit", "1", "--metrics", "127.0.0.1:0")
    port = shell.log.read_text().rpartition("metrics port=")[2].split()[0]
    deadline = time.monotonic() + 20
    while (
        'sales_audited_total{outcome="differs"} 1.0'
        not in requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    ):
        assert time.monotonic() < deadline
    assert "audit sales=1 differ=1" in shell.log.read_text()
