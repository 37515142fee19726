"""What other tills have lost or booked twice, each by the number under which its users reported it: not here.

The threads are those of odoo/odoo, frappe/erpnext, POSNext, POS-Awesome and vectordotdev/vector that name a loss or a
duplication in an offline queue. Real queue files, the real sync core and the real server's code; the line between them
does what it did to the others. Receipts on paper: tests/agent/printing/test_peers_losses.py.
"""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.sync.delivery import Delivery
from agent.sync.errors import ServerRejected
from loyalty.errors import TillmateError
from loyalty.wire import EventBatch, EventReply, Problem
from offline_queue import Committed, Conflict
from tests.rig.sync_world import Central, Road, TillFolder, VirtualClock, furnish

CARD = "2900000000018"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    furnish(folder)
    return folder


@pytest.fixture
def central(tmp_path: Path, furnished: Path) -> Iterator[Central]:
    shutil.copytree(furnished, tmp_path / "server")
    central = Central(tmp_path / "server", VirtualClock())
    yield central
    central.close()


@pytest.fixture
def open_till(tmp_path: Path, central: Central) -> Iterator[Callable[[str], TillFolder]]:
    tills: list[TillFolder] = []

    def make(name: str) -> TillFolder:
        tills.append(TillFolder(tmp_path / name, lambda: central).start())
        return tills[-1]

    yield make
    for till in tills:
        till.stop()


@pytest.fixture
def till(open_till: Callable[[str], TillFolder], central: Central) -> TillFolder:
    made = open_till("till")
    made.claim(central.code())
    return made


def deliver(till: TillFolder) -> None:
    till.look_after()
    while till.delivery.step():
        till.look_after()


def try_to_deliver(till: TillFolder) -> bool:
    try:
        deliver(till)
    except TillmateError:
        return False
    return True


def booked(central: Central) -> set[str]:
    central.check_numbers()
    return set(central.receipts())


def test_odoo_152259_two_copies_that_sell_offline_double_nothing(
    till: TillFolder, central: Central, open_till: Callable[[str], TillFolder], tmp_path: Path
) -> None:
    """Two tabs of one till, one sequence in each: every offline order was doubled."""
    member = central.member(CARD)
    till.sell(1, member, 10)
    till.stop()
    till.copy_to(tmp_path / "copy")
    till.start()
    copy = open_till("copy")
    deliver(till)
    deliver(copy)
    assert central.receipts() == {"1/1": 10}
    assert central.balances() == {member: 10}
    assert till.reader.depth().pending == copy.reader.depth().pending == 0


@pytest.mark.parametrize("thread", ["odoo 71455", "odoo 16781"])
def test_two_sales_under_one_number_are_both_kept(
    till: TillFolder, central: Central, open_till: Callable[[str], TillFolder], tmp_path: Path, thread: str
) -> None:
    """The same reference twice, and one of the orders was lost."""
    till.stop()
    till.copy_to(tmp_path / "copy")
    till.start()
    copy = open_till("copy")
    till.sell(1, None, 10)
    copy.sell(2, None, 10)
    assert till.reader.rows(1, 1)[0].seq == copy.reader.rows(1, 1)[0].seq == 1, thread
    deliver(till)
    deliver(copy)
    assert booked(central) == {"1/1", "1/2"}


def test_odoo_71455_another_sale_with_the_same_receipt_number_is_kept_and_shown(
    till: TillFolder, central: Central, open_till: Callable[[str], TillFolder]
) -> None:
    """A POS that counts its receipts twice: the second one is not booked, and not lost without a word either."""
    other = open_till("other")
    other.claim(central.code())
    till.sell(7, None, 10)
    other.sell(7, None, 20)
    deliver(till)
    deliver(other)
    assert central.receipts() == {"1/7": 10}
    (rejected,) = other.reader.rejected(10)
    assert rejected.problem.code == "receipt_conflict"
    assert b'"earned":20' in rejected.row.body
    assert central.flags() == ["rejected"]


def test_odoo_60939_what_may_be_cleared_holds_no_sale(till: TillFolder, central: Central) -> None:
    """The receipt was printed, then the browser's storage was cleared, and the order was gone."""
    till.sell(1, None, 10)
    (job,) = till.reader.jobs(["queued"])
    till.stop()
    for file in till.folder.iterdir():
        if not file.name.startswith(("queue.db", "identity.json", "data.keys")):
            file.unlink()
    till.start()
    deliver(till)
    assert booked(central) == {"1/1"}
    assert [each.id for each in till.reader.jobs(["queued"])] == [job.id]


def test_odoo_288974_a_sale_that_is_paid_stays_what_it_is(till: TillFolder, central: Central) -> None:
    """A paid offline order could be opened again and changed, in 21 shops."""
    first = till.commit(1, None, 10)
    assert isinstance(first, Committed)
    for _ in range(2):
        assert till.commit(1, None, 99) == Conflict("sale_conflict")
        again = till.commit(1, None, 10)
        assert isinstance(again, Committed)
        assert (again.answer, again.seq, again.created) == (first.answer, first.seq, False)
        till.restart()
    deliver(till)
    assert till.commit(1, None, 99) == Conflict("sale_conflict")
    assert central.receipts() == {"1/1": 10}


def test_odoo_240253_a_call_that_is_made_again_prints_nothing_again(till: TillFolder, central: Central) -> None:
    """After a timeout the receipt was sent to the printer again, under a new id."""
    first = till.commit(1, None, 10)
    assert isinstance(first, Committed)
    for _ in range(3):
        again = till.commit(1, None, 10)
        assert isinstance(again, Committed)
        assert again.job_id == first.job_id
        till.restart()
    assert [job.id for job in till.reader.jobs(["queued"])] == [first.job_id]
    deliver(till)
    assert central.receipts() == {"1/1": 10}


@pytest.mark.parametrize("moment", ["down", "lost"])
def test_odoo_261096_a_line_that_breaks_in_the_middle_forgets_no_row(
    till: TillFolder, central: Central, moment: str
) -> None:
    """Offline during the synchronisation: the rows were not marked as unsent any more."""
    for number in (1, 2, 3):
        till.sell(number, None, 10)
    till.weather.coming = [moment]
    assert not try_to_deliver(till)
    assert till.reader.depth().pending == 3
    till.restart()
    assert till.reader.depth().pending == 3
    deliver(till)
    assert booked(central) == {"1/1", "1/2", "1/3"}


def test_odoo_14214_a_day_of_restarts_without_a_connection_loses_nothing(till: TillFolder, central: Central) -> None:
    """Orders of an offline day vanished with the browser window; mended again and again since 2016."""
    till.weather.always = "down"
    for number in range(1, 31):
        till.sell(number, None, 10)
        assert not try_to_deliver(till)
        till.restart()
    till.weather.always = ""
    deliver(till)
    assert booked(central) == {f"1/{number}" for number in range(1, 31)}


def test_posnext_50_what_is_sent_twice_is_booked_once(till: TillFolder, central: Central) -> None:
    """Synchronised twice: stock and general ledger were doubled."""
    member = central.member(CARD)
    for number in (1, 2):
        till.sell(number, member, 10)
    for _ in range(5):
        till.weather.coming = ["lost"]
        assert not try_to_deliver(till)
        till.restart()
    deliver(till)
    assert central.balances() == {member: 20}
    assert booked(central) == {"1/1", "1/2"}


def test_erpnext_11745_what_is_printed_is_delivered_however_long_it_takes(till: TillFolder, central: Central) -> None:
    """Receipts were printed and their invoices never synchronised, without anybody being told."""
    till.sell(1, None, 10)
    for fault in ["down", "lost", "down"] * 50:
        till.weather.coming = [fault]
        assert not try_to_deliver(till)
        assert till.reader.depth().pending == 1, "and it is shown as waiting"
    deliver(till)
    assert booked(central) == {"1/1"}


def test_erpnext_11000_one_bad_row_blocks_nobody(till: TillFolder, central: Central) -> None:
    """One invoice that the server refused blocked the queue; the operator edited JSON by hand."""
    no = Problem(type="about:blank", title="no", status=422, code="row_malformed", retryable=False)

    class Choosy(Road):
        def events(self, batch: EventBatch) -> EventReply:
            if any('"number":"5"' in row.body for row in batch.rows):
                raise ServerRejected(no)
            return super().events(batch)

    for number in range(1, 11):
        till.sell(number, None, 10)
    till.delivery = Delivery(till.who, Choosy(till.central, till.weather, till.who.device), till.reader, till.queue)
    deliver(till)
    assert booked(central) == {f"1/{number}" for number in range(1, 11) if number != 5}
    (rejected,) = till.reader.rejected(10)
    assert (rejected.row.seq, rejected.problem.code) == (5, "row_malformed")


@pytest.mark.parametrize("thread", ["erpnext 14885", "erpnext PR 12631"])
def test_points_are_earned_offline(till: TillFolder, central: Central, thread: str) -> None:
    """Loyalty while offline: asked for in 2018, closed."""
    member = central.member(CARD)
    till.feed()
    till.weather.always = "down"
    till.sell(1, member, 10)
    assert not try_to_deliver(till)
    assert till.shown(CARD) == 10, thread
    till.weather.always = ""
    deliver(till)
    till.feed()
    assert (till.shown(CARD), central.balances()) == (10, {member: 10})


def test_posawesome_3059_points_that_are_paid_with_offline_are_gone_at_once(till: TillFolder, central: Central) -> None:
    """Points were not deducted offline, and could be spent again."""
    member = central.member(CARD)
    till.feed()
    till.sell(1, member, 100)
    deliver(till)
    till.feed()
    till.weather.always = "down"
    till.sell(2, member, 0, redeemed=70)
    assert till.shown(CARD) == 30
    till.restart()
    assert till.shown(CARD) == 30
    till.weather.always = ""
    deliver(till)
    assert central.balances() == {member: 30}
    till.feed()
    assert till.shown(CARD) == 30


@pytest.mark.parametrize("thread", ["vector 16525", "vector 17644", "vector 18336"])
def test_after_an_unclean_stop_everything_that_can_be_read_is_delivered(
    till: TillFolder, central: Central, thread: str
) -> None:
    """The stop was not clean, the buffer could not be read, and the advice was to delete it."""
    for number in range(1, 41):
        till.sell(number, None, 10)
    till.stop()
    {
        "vector 16525": lambda: till.damage(),
        "vector 17644": lambda: till.file.path.with_name("queue.db-wal").write_bytes(b"\xa5" * 9000),
        "vector 18336": lambda: _tear(till.file.path),
    }[thread]()
    till.start()
    till.sell(41, None, 10)
    till.restart()
    deliver(till)
    got, told = booked(central), till.reader.depth().rejected
    assert "1/41" in got
    assert len(got) + told == 41, "what cannot be read is told to the server and to people"
    assert till.reader.depth().pending == 0
    if thread != "vector 18336":  # where a part of the file is really gone
        assert told == 0


def _tear(path: Path) -> None:
    """The last quarter of the file never reached the disk."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 3 // 4 // 4096 * 4096)


@pytest.mark.timeout(900)  # with --full, on a busy machine
def test_vector_26035_a_full_queue_is_not_read_into_memory_at_the_start(
    till: TillFolder, size: Callable[[int, int], int]
) -> None:
    """All of the buffer was loaded at the start, until there was no memory left."""
    for number in range(1, size(1500, 20_000) + 1):
        till.sell(number, None, 10)
    weight = till.file.path.stat().st_size
    till.stop()
    tracemalloc.start()
    try:
        till.start()
        till.delivery.step()
        till.sell(0, None, 10)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4_000_000 < max(weight, 4_000_001), "a batch, whatever the size of the queue"
