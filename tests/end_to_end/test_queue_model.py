"""Whatever happens to tills and server, in any order: every sale that a disk still holds is booked once, and adds up.

A hypothesis state machine does what shops do to their tills: it sells, sends over a line that loses requests and replies,
kills and restarts, sets clocks wrong by years, puts old copies of a till's or the server's disk back, copies a till,
upgrades it with a full queue, damages its file, shuts it out and claims it again. Beside it, a dict says what was sold
and on which disks it lies. At the end the line is mended, and everything is settled: the server must hold every sale
that lies on a disk, no sale twice, and no other; entries, balances and the tills' screens must agree.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent.sync.errors import NotAuthorised, ServerUnreachable
from loyalty.errors import TillmateError
from loyalty.wire import Sale
from tests.rig.sync_world import Central, TillFolder, VirtualClock, furnish

CARDS = ("2900000000018", "2900000000025")
ROUNDS = 60
LINE = st.lists(st.sampled_from(["", "", "down", "lost"]), max_size=4)
WHO = st.integers(0, 1)


class Shop(RuleBasedStateMachine):
    """One store, one till, and perhaps a copy of it."""

    model: Path  # a furnished server, to be copied
    old_release: Callable[[Path, int], None]
    steps: itertools.count[int]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        shutil.copytree(self.model, self.folder / "server")
        self.clock = VirtualClock()
        self.central = Central(self.folder / "server", self.clock, page=1)
        self.members = [self.central.member(card) for card in CARDS]
        self.tills = [TillFolder(self.folder / "till-0", lambda: self.central).start()]
        self.tills[0].claim(self.central.code())
        self.central.backup()
        self.sold: dict[str, tuple[int | None, int]] = {}  # number of the receipt -> member, points
        self.disks: list[set[str]] = [set()]  # what lies on each till's disk and is not known to be booked
        self.pictures: list[set[str] | None] = [None]  # what lay on it when its picture was taken
        self.troubles: list[TillmateError | None] = [None]
        self.numbers = itertools.count(1)

    def till(self, who: int) -> int:
        return min(who, len(self.tills) - 1)

    def attempt(self, who: int, work: Callable[[TillFolder], object]) -> None:
        """What the sync threads do once; what fails is tried again another time."""
        try:
            work(self.tills[who])
            self.troubles[who] = None
        except TillmateError as error:
            self.troubles[who] = error

    @initialize(rows=st.integers(0, 3))
    def upgrade(self, rows: int) -> None:
        """The till comes with a queue of the first release, and rows in it."""
        till = self.tills[0]
        depth = till.reader.depth()
        till.stop()
        till.file.path.unlink()
        first_release(till.file.path, depth.device or "", depth.epoch or "")
        till.start()
        for _ in range(rows):
            self.sell(0, None, 1)

    @rule(who=WHO, member=st.sampled_from([None, 0, 1]), points=st.integers(1, 9))
    def sell(self, who: int, member: int | None, points: int) -> None:
        who, number = self.till(who), next(self.numbers)
        self.tills[who].sell(number, None if member is None else self.members[member], points)
        self.sold[f"1/{number}"] = (member, points)
        self.disks[who].add(f"1/{number}")

    @rule(who=WHO, line=LINE, batches=st.integers(1, 3))
    def send(self, who: int, line: list[str], batches: int) -> None:
        till = self.tills[self.till(who)]
        till.weather.coming = line
        for _ in range(batches):
            self.attempt(self.till(who), lambda till: till.delivery.step())

    @rule(who=WHO, line=LINE)
    def beat(self, who: int, line: list[str]) -> None:
        self.tills[self.till(who)].weather.coming = line
        self.attempt(self.till(who), TillFolder.beat)

    @rule(who=WHO, pages=st.integers(1, 3), line=LINE)
    def feed(self, who: int, pages: int, line: list[str]) -> None:
        self.tills[self.till(who)].weather.coming = line
        self.attempt(self.till(who), lambda till: till.feed(pages))

    @rule(who=WHO, slices=st.integers(1, 4))
    def look_after(self, who: int, slices: int) -> None:
        self.tills[self.till(who)].look_after(slices)

    @rule(who=WHO)
    def crash(self, who: int) -> None:
        self.tills[self.till(who)].restart()

    @rule(who=WHO, years=st.integers(-10, 10))
    def leap(self, who: int, years: int) -> None:
        self.tills[self.till(who)].clock.leap(timedelta(days=365 * years))

    @rule(minutes=st.sampled_from([1, 5, 20]))
    def pass_time(self, minutes: int) -> None:
        for clock in (self.clock, *(till.clock for till in self.tills)):
            clock.advance(minutes=minutes)

    @rule()
    def back_up_server(self) -> None:
        self.central.backup()
        self.booked_in_backup = set(self.central.receipts())

    @rule()
    def put_server_back(self) -> None:
        self.central.restore()

    @rule(who=WHO)
    def take_picture(self, who: int) -> None:
        who = self.till(who)
        self.tills[who].stop()
        self.tills[who].copy_to(self.folder / f"picture-{who}")
        self.pictures[who] = set(self.disks[who])
        self.tills[who].start()

    @rule(who=WHO)
    def put_till_back(self, who: int) -> None:
        """The disk of a till is replaced, and its picture put on the new one."""
        who = self.till(who)
        picture = self.pictures[who]
        if picture is not None:
            self.tills[who].stop()
            shutil.rmtree(self.tills[who].folder)
            shutil.copytree(self.folder / f"picture-{who}", self.tills[who].folder)
            self.tills[who].start()
            self.disks[who] = set(picture)

    @precondition(lambda self: len(self.tills) == 1)
    @rule()
    def clone(self) -> None:
        self.tills[0].stop()
        self.tills[0].copy_to(self.folder / "till-1")
        self.tills[0].start()
        self.tills.append(TillFolder(self.folder / "till-1", lambda: self.central).start())
        self.disks.append(set(self.disks[0]))
        self.pictures.append(None)
        self.troubles.append(None)

    @rule(who=WHO)
    def damage(self, who: int) -> None:
        """The file cannot be read any more; what was settled in it is not taken over into the new one."""
        who = self.till(who)
        till = self.tills[who]
        kept = waiting(till)
        till.stop()
        till.damage()
        till.start()
        self.disks[who] = kept

    @rule(who=WHO)
    def shut_out(self, who: int) -> None:
        with suppress(LookupError):  # a server that was put back may not have it
            self.central.revoke(self.tills[self.till(who)].who.device)

    @rule(who=WHO, line=LINE)
    def claim_again(self, who: int, line: list[str]) -> None:
        """An operator comes, if the till asks for one."""
        who = self.till(who)
        if not isinstance(self.troubles[who], NotAuthorised):
            return
        till = self.tills[who]
        till.weather.coming = line
        if not till.code:
            till.code = self.new_code(till)
        try:
            till.claim_again(till.code)
            till.code, self.troubles[who] = "", None
        except ServerUnreachable:
            pass  # the same code again
        except TillmateError:
            till.code = ""  # not this one: the server was put back, or it was used

    def new_code(self, till: TillFolder) -> str:
        """For the same device where the server still has it and no copy works as it, else for a new one."""
        if sum(each.who.device == till.who.device for each in self.tills) > 1:
            return self.central.code()
        try:
            return self.central.code_for(till.who.device)
        except LookupError:
            return self.central.code()

    @invariant()
    def nothing_is_booked_that_was_not_sold(self) -> None:
        next(self.steps)
        booked = self.central.receipts()
        assert booked.items() <= {number: points for number, (_, points) in self.sold.items()}.items()

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            for till in self.tills:
                till.stop()
            self.central.close()
            shutil.rmtree(self.folder)

    def settle(self) -> None:
        """The weather is fine from now on, and an operator at hand."""
        due = set().union(*self.disks) | set(self.central.receipts())
        for _ in range(ROUNDS):
            self.pass_time(1)
            for who, till in enumerate(self.tills):
                till.weather.coming = []
                till.look_after()
                self.attempt(who, beat_and_deliver)
                self.claim_again(who, [])
            if all(self.is_settled(till) for till in self.tills) and not any(self.troubles):
                break
        for till in self.tills:
            depth = till.reader.depth()
            assert (depth.pending, depth.undelivered, depth.rejected, depth.agreed) == (0, 0, 0, 1), depth
        booked = self.central.receipts()
        assert due <= booked.keys(), sorted(due - booked.keys())
        self.central.check_numbers()
        balances = [0, 0]
        for number in booked:
            member, points = self.sold[number]
            if member is not None:
                balances[member] += points
        assert [self.central.balances()[member] for member in self.members] == balances
        for till in self.tills:
            assert till.feed()
            assert [till.shown(card) for card in CARDS] == balances

    def is_settled(self, till: TillFolder) -> bool:
        depth = till.reader.depth()
        return not (depth.pending or depth.undelivered) and depth.agreed == 1


def beat_and_deliver(till: TillFolder) -> None:
    till.beat()
    while till.delivery.step():
        till.look_after()


def waiting(till: TillFolder) -> set[str]:
    """The receipts that the till has not delivered, in this epoch or in earlier ones."""
    till.look_after()
    rows = till.reader.rows(till.reader.depth().watermark + 1, 10_000)
    sales = [msgspec.json.decode(row.body, type=Sale) for row in rows if row.kind == "sale"]
    return {f"{sale.receipt.till}/{sale.receipt.number}" for sale in sales}


def first_release(path: Path, device: str, epoch: str) -> None:
    """An empty queue of the first release."""
    from sqlite_utils import Database

    from offline_queue.schema.queue import queue

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        queue.apply(Database(connection, recursive_triggers=False, execute_plugins=False), stop_before="second")
        connection.execute("UPDATE queue_state SET device = ?, epoch = ?", (device, epoch))


@pytest.fixture(scope="session")
def furnished_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    furnish(folder)
    return folder


@pytest.mark.timeout(3000)
def test_every_sale_that_a_disk_holds_is_booked_once(
    furnished_server: Path, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    Shop.model, Shop.steps = furnished_server, itertools.count()
    runs = size(15, 260)
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=runs,
            stateful_step_count=50,
            deadline=None,
            derandomize=runs < 100,  # the full size looks further each time
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    proof(f"queue model: {runs} shops of up to 50 steps, {next(Shop.steps)} steps in all, 0 lost, 0 doubled")


def test_a_copy_whose_new_epoch_another_copy_has_ended_goes_on(furnished_server: Path) -> None:
    """It has brought nothing forward in it, and must not give up for good."""
    Shop.model = furnished_server
    shop = Shop()
    shop.clone()
    shop.sell(0, None, 1)
    shop.sell(1, None, 1)
    shop.send(0, [], 1)
    shop.send(1, [], 2)  # the server knows another row of this number; then it agrees to a new epoch
    shop.teardown()


def test_what_a_copy_delivered_before_the_server_was_put_back_is_delivered_again(furnished_server: Path) -> None:
    """Under its number the server has got a row of the other copy meanwhile: as many as were settled, but not the same."""
    Shop.model = furnished_server
    shop = Shop()
    shop.clone()
    shop.sell(0, None, 1)
    shop.sell(1, None, 1)
    shop.send(1, [], 1)
    shop.put_server_back()
    shop.teardown()


def test_what_was_settled_is_sent_again_when_the_other_copy_is_further_on_a_server_put_back(
    furnished_server: Path,
) -> None:
    """The server has rows of the other copy under the numbers that ours had, and more of them."""
    Shop.model = furnished_server
    shop = Shop()
    shop.clone()
    shop.sell(0, None, 1)
    shop.sell(0, None, 1)
    shop.sell(1, None, 1)
    shop.send(1, [], 1)
    shop.put_server_back()
    shop.teardown()


def test_a_row_that_follows_another_past_is_a_fork_and_not_spoiled(furnished_server: Path) -> None:
    """The other copy's row stands before it on a server that was put back."""
    Shop.model = furnished_server
    shop = Shop()
    shop.clone()
    shop.sell(0, None, 1)
    shop.sell(1, None, 1)
    shop.send(1, [], 1)
    shop.put_server_back()
    shop.send(0, [], 1)
    shop.sell(1, None, 1)
    shop.send(1, [], 1)
    shop.teardown()
