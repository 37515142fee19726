"""A full disk: sales are refused loudly, what is stored is still delivered, and sales go on when there is room again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loyalty.wire import Enrolment, Problem, Verdict
from offline_queue import (
    CommitSale,
    Keyring,
    NewJob,
    Queue,
    QueueEnrolment,
    QueueFull,
    QueuePrint,
    ReserveTokens,
    SetJob,
    SettleRows,
    Transaction,
    first_broken,
)
from offline_queue.ballast import MIB, Ballast, Room, room_at
from offline_queue.retention import DeleteSettled, NoteDay

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
BALLAST = 64 * 1024
Start = Callable[..., AbstractContextManager["Running"]]
PROBLEM = Problem(type="about:blank", title="no", status=409, code="receipt_conflict", retryable=False)


@dataclass(frozen=True)
class Limit:
    """How many pages the file may have: what SQLite says then is what a full disk makes it say."""

    more: int

    def apply(self, transaction: Transaction) -> None:
        (pages,) = transaction.one("PRAGMA page_count") or (0,)
        transaction.connection.execute(f"PRAGMA max_page_count = {pages + self.more}").fetchall()


def fill(run: Running, make_commit: Callable[..., CommitSale]) -> int:
    """Sell until the disk is full; returns the number of the first sale that was refused."""
    run.queue.submit(Limit(0)).result(WAIT)
    for number in range(1000, 1300):
        error = run.queue.submit(make_commit(number)).exception(WAIT)
        if error is not None:
            assert isinstance(error, QueueFull)
            return number
    raise AssertionError("never full")


def test_a_full_disk_costs_the_ballast_and_settling_goes_on(
    path: Path, clock: FixedClock, start: Start, keys: Keyring, make_commit: Callable[..., CommitSale]
) -> None:
    with start(path, clock, keys=keys, ballast=BALLAST) as run:
        ballast = path.with_name("queue.db.ballast")
        assert (ballast.stat().st_size, ballast.stat().st_mode & 0o777) == (BALLAST, 0o600)
        assert ballast.stat().st_blocks * 512 >= BALLAST  # not a hole
        run.sell(1, 20)
        refused = fill(run, make_commit)
        assert not ballast.exists()
        assert run.queue.room().level == "full"
        depth = run.reader.depth()

        at = clock.now()
        for operation in (
            make_commit(refused),
            QueueEnrolment(at, Enrolment(till="1", token="T")),
            QueuePrint(NewJob("receipt", b"{}")),
        ):
            with pytest.raises(QueueFull):
                run.queue.submit(operation).result(WAIT)
        assert run.queue.submit(make_commit(5)).result(WAIT).created is False  # it is stored: nothing is refused
        run.queue.submit(Limit(4)).result(WAIT)  # the room that the ballast has given back
        run.queue.submit(SettleRows("epoch-1", 15, (Verdict(3, "rejected", PROBLEM),))).result(WAIT)
        run.queue.submit(SetJob(1, "printed")).result(WAIT)
        run.queue.submit(ReserveTokens(5)).result(WAIT)
        run.queue.submit(NoteDay()).result(WAIT)
        run.queue.submit(DeleteSettled()).result(WAIT)
        after = run.reader.depth()
        assert (after.last_seq, after.last_hash, after.pending) == (depth.last_seq, depth.last_hash, depth.pending - 15)
        assert first_broken(run.reader.rows(1, 1000), "epoch-1") is None


def test_sales_go_on_when_there_is_room_again(
    path: Path, clock: FixedClock, start: Start, make_commit: Callable[..., CommitSale]
) -> None:
    with start(path, clock, ballast=BALLAST) as run:
        refused = fill(run, make_commit)
        run.queue.submit(Limit(100_000)).result(WAIT)
        ballast, pause = path.with_name("queue.db.ballast"), threading.Event()
        for _ in range(500):
            if ballast.exists() and run.queue.room().level != "full":
                break
            pause.wait(0.05)
        assert ballast.stat().st_size == BALLAST
        assert run.queue.submit(make_commit(refused)).result(WAIT).created


def test_a_disk_that_is_full_at_the_start_lets_the_queue_deliver(
    path: Path, clock: FixedClock, start: Start, make_commit: Callable[..., CommitSale]
) -> None:
    with start(path, clock) as run:
        run.sell(1, 3)
    path.with_name("queue.db.ballast").mkdir()  # nothing can be kept for later
    with start(path, clock, claim=False, ballast=BALLAST) as run:
        assert run.queue.room().level == "full"
        with pytest.raises(QueueFull):
            run.queue.submit(make_commit(4)).result(WAIT)
        run.queue.submit(SettleRows("epoch-1", 3, ())).result(WAIT)
        assert run.reader.depth().pending == 0


def test_without_a_ballast_each_sale_is_refused_by_itself(
    path: Path, clock: FixedClock, start: Start, make_commit: Callable[..., CommitSale]
) -> None:
    with start(path, clock) as run:
        refused = fill(run, make_commit)
        run.queue.submit(Limit(100)).result(WAIT)
        assert run.queue.submit(make_commit(refused)).result(WAIT).created


def test_the_ballast_of_another_size_is_made_anew(path: Path) -> None:
    for size in (BALLAST, 2 * BALLAST, BALLAST):
        assert Ballast(path, size).make()
        assert path.with_name("queue.db.ballast").stat().st_size == size
    Ballast(path, BALLAST).give_up()
    assert list(path.parent.iterdir()) == []
    Ballast(path, BALLAST).give_up()


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [(50, 100, "ok"), (19, 100, "low"), (4, 100, "scarce"), (6 << 30, 1 << 40, "ok"), (4 << 30, 1 << 40, "low"), (1 << 29, 1 << 40, "scarce")],
)  # fmt: skip
def test_how_much_room_is_little(free: int, total: int, level: str) -> None:
    from offline_queue.ballast import _level

    assert _level(free, total) == level


def test_the_room_of_a_real_disk(path: Path) -> None:
    room = room_at(path, full=True)
    assert isinstance(room, Room)
    assert (room.level, 0 < room.free < room.total) == ("full", True)
    assert room.total > MIB
    assert os.statvfs(path.parent).f_bavail * os.statvfs(path.parent).f_frsize > 0


def test_a_ballast_goes_with_its_config(path: Path, clock: FixedClock) -> None:
    Queue.open(path, clock, ballast=BALLAST).close()
    assert path.with_name("queue.db.ballast").exists()
    Queue.open(path, clock, ballast=0).close()
    assert not path.with_name("queue.db.ballast").exists()  # nobody wants it any more


def test_a_ballast_leaves_half_of_what_is_free(path: Path, clock: FixedClock) -> None:
    free = room_at(path, full=False).free
    ballast = Ballast(path, 1 << 60)
    assert not ballast.make()
    assert free > 0
    queue = Queue.open(path, clock, ballast=BALLAST)
    assert queue.room().level != "full"
    queue.close()
