"""What a delivery meets besides a bad line: poison, damage, copies, old disks, restored servers, being shut out."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from agent import identity
from agent.lookup import Lookup
from agent.sync.batches import LARGE_ROW
from agent.sync.delivery import Delivery
from agent.sync.errors import EpochTaken, NotAuthorised, ServerRejected, ServerUnreachable, TooLarge
from agent.sync.turn import Turn
from loyalty.wire import EpochReply, EpochRequest, EventBatch, EventReply, Problem
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
    central = Central(tmp_path / "server", VirtualClock(), page=2)
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


def sell(till: TillFolder, *numbers: int, member: str | None = None) -> None:
    for number in numbers:
        till.sell(number, member, 10)


def deliver(till: TillFolder) -> None:
    till.look_after()
    while till.delivery.step():
        till.look_after()


def booked(central: Central) -> list[int]:
    central.check_numbers()
    return sorted(int(number.partition("/")[2]) for number in central.receipts())


class Choosy(Road):
    """A front before the server that does not let everything through; it counts."""

    posts = 0
    refuses: Callable[[EventBatch], ServerRejected | None] = staticmethod(lambda _: None)

    def events(self, batch: EventBatch) -> EventReply:
        self.posts += 1
        refused = self.refuses(batch)
        if refused is not None:
            raise refused
        return super().events(batch)


def put_before(till: TillFolder, refuses: Callable[[EventBatch], ServerRejected | None]) -> Choosy:
    road = Choosy(till.central, till.weather, till.who.device)
    road.refuses = refuses  # type: ignore[method-assign]  # an attribute of this object
    till.line = road
    till.delivery = Delivery(till.who, road, till.reader, till.queue)
    return road


def refusal(status: int, code: str) -> Problem:
    return Problem(type="about:blank", title=code, status=status, code=code, retryable=False)


@pytest.mark.parametrize("status", [400, 422])
def test_one_poison_row_among_thousands(
    till: TillFolder, central: Central, status: int, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    """frappe/erpnext #11000: one bad row blocked the queue, and an operator edited JSON by hand."""
    count = size(1200, 10_000)
    poison = count * 2 // 3
    sell(till, *range(1, count + 1))

    def refuses(batch: EventBatch) -> ServerRejected | None:
        if any(f'"number":"{poison}"' in row.body for row in batch.rows):
            return ServerRejected(refusal(status, "malformed"))
        return None

    road = put_before(till, refuses)
    deliver(till)
    extra = road.posts - -(-count // 500)
    assert booked(central) == [number for number in range(1, count + 1) if number != poison]
    assert extra <= 15
    (rejected,) = till.reader.rejected(10)
    assert (rejected.row.seq, rejected.problem.code) == (poison, "malformed")
    proof(f"poison {status}: {count - 1} of {count} delivered, {extra} extra posts, 1 put aside")


def test_several_poison_rows_are_all_found(till: TillFolder, central: Central) -> None:
    sell(till, *range(1, 301))
    bad = {"3", "4", "150", "300"}

    def refuses(batch: EventBatch) -> ServerRejected | None:
        numbers = {msgspec.json.decode(row.body).get("receipt", {}).get("number") for row in batch.rows}
        return ServerRejected(refusal(422, "row")) if numbers & bad else None

    put_before(till, refuses)
    deliver(till)
    assert len(booked(central)) == 296
    assert {str(rejected.row.seq) for rejected in till.reader.rejected(10)} == bad


def test_what_is_refused_altogether_is_not_put_aside_row_by_row(till: TillFolder) -> None:
    """A server, or a proxy, that is set up wrongly: the queue waits."""
    sell(till, *range(1, 11))
    put_before(till, lambda _: ServerRejected(refusal(400, "malformed")))
    for _ in range(3):
        with pytest.raises(ServerRejected):
            deliver(till)
    assert till.reader.depth().pending == 10
    assert len(till.reader.rejected(10)) == 1


def test_a_proxy_that_takes_little_is_fed_little(till: TillFolder, central: Central) -> None:
    sell(till, *range(1, 401))

    def refuses(batch: EventBatch) -> ServerRejected | None:
        return TooLarge(refusal(413, "too_large")) if len(batch.rows) > 60 else None

    road = put_before(till, refuses)
    deliver(till)
    assert len(booked(central)) == 400
    assert road.posts < 20, "it remembers what was too much"


def test_only_a_large_row_is_too_large_by_itself(till: TillFolder, central: Central) -> None:
    sell(till, 1)
    put_before(till, lambda _: TooLarge(refusal(413, "too_large")))
    with pytest.raises(TooLarge):
        deliver(till)
    assert till.reader.rejected(10) == []

    sell(till, 2, 3)
    with sqlite3.connect(till.file.path) as other:  # as if receipt 2 had thousands of lines
        (seq,) = other.execute("SELECT max(seq) - 1 FROM outbox").fetchone()
    other.close()

    def refuses(batch: EventBatch) -> ServerRejected | None:
        large = any(row.seq == seq and row.kind != "damaged" for row in batch.rows)
        return TooLarge(refusal(413, "too_large")) if large else None

    put_before(till, refuses)
    with pytest.raises(TooLarge):
        deliver(till)
    assert booked(central) == [1]
    assert LARGE_ROW > 10_000


def test_a_damaged_row_goes_without_its_content_and_is_shown(till: TillFolder, central: Central) -> None:
    """timberio/vector #16525, #17644, #18336: an unclean stop, and the whole buffer was unreadable."""
    sell(till, 1, 2, 3, 4, 5)
    with closing(sqlite3.connect(till.file.path)) as other, other:
        other.execute("UPDATE outbox SET body = zeroblob(length(body)) WHERE seq = 3")
    deliver(till)
    assert booked(central) == [1, 2, 4, 5]
    depth = till.reader.depth()
    assert (depth.pending, depth.damaged, depth.rejected) == (0, 1, 1)
    assert central.flags() == ["rejected"]


def test_two_copies_of_a_till_lose_and_double_nothing(
    till: TillFolder, central: Central, open_till: Callable[[str], TillFolder], tmp_path: Path
) -> None:
    """odoo/odoo #152259: two tabs with one sequence doubled every offline order; #71455, #16781: or lost it."""
    sell(till, 1, 2)
    till.stop()
    till.copy_to(tmp_path / "copy")
    till.start()
    copy = open_till("copy")
    sell(till, 3, 4)
    sell(copy, 5, 6)
    deliver(till)
    deliver(copy)
    assert booked(central) == [1, 2, 3, 4, 5, 6]
    assert till.reader.depth().pending == copy.reader.depth().pending == 0

    sell(till, 7)
    till.beat()
    central.clock.advance(minutes=1)
    copy.beat()
    with pytest.raises(NotAuthorised) as refused:  # the copy has the device now, and is at work
        deliver(till)
    assert refused.value.why == "epoch_code"
    sell(till, 8)
    till.claim_again(central.code())
    deliver(till)
    assert booked(central) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert till.who.device != copy.who.device


def test_a_copy_is_found_before_it_has_sold_anything(
    till: TillFolder, central: Central, open_till: Callable[[str], TillFolder], tmp_path: Path
) -> None:
    till.stop()
    till.copy_to(tmp_path / "copy")
    till.start()
    till.beat()
    copy = open_till("copy")
    copy.beat()
    assert not copy.reader.depth().agreed
    sell(copy, 1)
    deliver(copy)
    assert booked(central) == [1]


def test_an_old_disk_begins_a_new_epoch_before_its_numbers_are_used_twice(
    till: TillFolder, central: Central, tmp_path: Path
) -> None:
    sell(till, 1, 2)
    deliver(till)
    till.stop()
    till.copy_to(tmp_path / "old")
    till.start()
    sell(till, 3, 4, 5)
    deliver(till)
    till.beat()
    till.stop()
    shutil.rmtree(till.folder)
    shutil.copytree(tmp_path / "old", till.folder)
    till.start()
    till.beat()
    assert not till.reader.depth().agreed
    sell(till, 6)
    deliver(till)
    assert booked(central) == [1, 2, 3, 4, 5, 6]
    assert central.flags() == ["epoch"]


def test_a_restored_server_gets_what_it_lacks_with_the_next_heartbeat(till: TillFolder, central: Central) -> None:
    sell(till, 1, 2)
    deliver(till)
    central.backup()
    sell(till, 3, 4)
    deliver(till)
    central.restore()
    assert booked(central) == [1, 2]
    till.beat()
    deliver(till)
    assert booked(central) == [1, 2, 3, 4]


def test_a_restored_server_that_has_forgotten_the_epoch_gets_everything(till: TillFolder, central: Central) -> None:
    central.backup()
    sell(till, 1)
    deliver(till)
    till.stop()
    till.damage()
    till.start()
    sell(till, 2)
    deliver(till)
    till.beat()
    central.restore()
    till.beat()
    deliver(till)
    assert booked(central) == [2], "receipt 1 was settled in the file that is gone"


def test_a_server_older_than_what_is_kept_gets_what_is_kept(till: TillFolder, central: Central) -> None:
    central.backup()
    sell(till, 1, 2, 3)
    deliver(till)
    with closing(sqlite3.connect(till.file.path)) as other, other:  # as retention does after 35 days
        digest = other.execute("SELECT hash FROM outbox WHERE seq = 2").fetchone()[0]
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute("DELETE FROM sales WHERE seq <= 2")
        other.execute("DELETE FROM outbox WHERE seq <= 2")
        other.execute("UPDATE queue_state SET pruned = 2, pruned_hash = ?", (digest,))
    sell(till, 4)
    central.restore()
    deliver(till)
    assert booked(central) == [3, 4]


def test_a_till_that_is_shut_out_keeps_everything_and_goes_on_with_a_new_code(
    till: TillFolder, central: Central
) -> None:
    sell(till, 1, 2)
    deliver(till)
    central.revoke(till.who.device)
    sell(till, 3, 4)
    with pytest.raises(NotAuthorised) as refused:
        deliver(till)
    assert refused.value.why == "device_revoked"
    old, code = till.who, central.code_for(till.who.device)
    assert not till.claimant("").has_code_after(old)
    assert till.claimant(code).has_code_after(old)
    till.weather.coming = ["lost", "down"]
    for _ in range(2):
        with pytest.raises(Exception, match=r"lost|down"):
            till.claim_again(code)
    till.claim_again(code)
    assert (till.who.device, till.who.private_key != old.private_key) == (old.device, True)
    assert not till.claimant(code).has_code_after(till.who)
    sell(till, 5)
    deliver(till)
    assert booked(central) == [1, 2, 3, 4, 5]
    till.restart()
    assert identity.load(till.folder) == till.who


def test_the_epoch_of_a_claim_whose_answer_was_lost_takes_no_rows_of_another_file(
    till: TillFolder, central: Central
) -> None:
    """Its rows would be taken for those that were written under that name before the file was damaged."""
    central.revoke(till.who.device)
    code = central.code_for(till.who.device)
    till.weather.coming = ["lost"]
    with pytest.raises(ServerUnreachable):
        till.claim_again(code)
    sell(till, 1, 2)
    till.stop()
    till.damage()
    till.start()
    till.look_after()
    till.claim_again(code)
    sell(till, 3)
    central.revoke(till.who.device)
    till.claim_again(central.code_for(till.who.device))
    deliver(till)
    assert booked(central) == [1, 2, 3]


def test_a_till_on_another_machine_needs_an_operator(till: TillFolder, central: Central) -> None:
    sell(till, 1)
    turn = Turn(till.who, till.line, till.reader, till.queue, machine="another machine")
    turn.begin("moved")
    till.delivery = Delivery(till.who, till.line, till.reader, till.queue, turn)
    with pytest.raises(NotAuthorised) as refused:
        deliver(till)
    assert refused.value.why == "epoch_code"
    assert booked(central) == []
    till.claim_again(central.code_for(till.who.device))
    deliver(till)
    assert booked(central) == [1]


def test_an_epoch_whose_name_is_taken_gets_another(till: TillFolder, central: Central) -> None:
    class Taken(Road):
        asked = 0

        def open_epoch(self, wish: EpochRequest) -> EpochReply:
            self.asked += 1
            if self.asked == 1:
                raise EpochTaken(refusal(409, "epoch_taken"))
            return super().open_epoch(wish)

    sell(till, 1)
    road = Taken(till.central, till.weather, till.who.device)
    turn = Turn(till.who, road, till.reader, till.queue)
    turn.begin("fork")
    before = till.reader.depth().epoch
    till.delivery = Delivery(till.who, road, till.reader, till.queue, turn)
    deliver(till)
    assert till.reader.depth().epoch != before
    assert booked(central) == [1]


def test_a_server_that_always_says_fork_does_not_make_epochs_for_ever(till: TillFolder) -> None:
    sell(till, 1)
    put_before(till, lambda _: ServerRejected(refusal(409, "fork")))
    with pytest.raises(ServerRejected):
        deliver(till)


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_lost_answer_to_a_new_epoch_is_asked_for_again(till: TillFolder, central: Central, lost: int) -> None:
    sell(till, 1)
    deliver(till)
    till.stop()
    till.damage()
    till.start()
    sell(till, 2)
    till.weather.coming = ["lost"] * lost
    for _ in range(lost):
        with pytest.raises(Exception, match="lost"):
            deliver(till)
        till.restart()
    deliver(till)
    assert booked(central) == [1, 2]
    assert central.flags().count("epoch") == 1


def test_the_screen_is_right_while_epochs_change(till: TillFolder, central: Central) -> None:
    member = central.member(CARD)
    till.feed()
    sell(till, 1, 2, member=member)
    assert till.shown(CARD) == 20
    deliver(till)
    till.feed()
    assert till.shown(CARD) == 20
    sell(till, 3, member=member)
    Turn(till.who, till.line, till.reader, till.queue).begin("fork")
    till.look_after()
    assert till.shown(CARD) == 30
    sell(till, 4, member=member)
    assert till.shown(CARD) == 40
    deliver(till)
    assert till.shown(CARD) == 40
    till.feed()
    assert till.shown(CARD) == 40
    assert Lookup(till.replica.reader(till.who.ident_key), till.reader).find("unknown") is None


def test_a_backlog_of_months_goes_out_after_any_clock(till: TillFolder, central: Central) -> None:
    for number in range(1, 41):
        sell(till, number)
        till.clock.leap(timedelta(days=(-1) ** number * 100 * number))
    deliver(till)
    assert booked(central) == list(range(1, 41))
