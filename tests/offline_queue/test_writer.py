"""The writer: answers after the commit, in groups, and no operation spoils its neighbours."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offline_queue import (
    BeginEpoch,
    Changed,
    CommitSale,
    Queue,
    QueueClosed,
    QueueDamaged,
    QueueFull,
    Transaction,
    first_broken,
)
from offline_queue.writer import INBOX

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
MakeCommit = Callable[..., CommitSale]


@dataclasses.dataclass(frozen=True)
class Block:
    """Keeps the writer busy until it is let go, so that others pile up behind it."""

    entered: threading.Event
    go: threading.Event

    def apply(self, _transaction: Transaction) -> None:
        self.entered.set()
        assert self.go.wait(WAIT)


@dataclasses.dataclass(frozen=True)
class Statement:
    """Any SQL, to bring about what the disk may do to us."""

    sql: str

    def apply(self, transaction: Transaction) -> list[tuple[object, ...]]:
        return transaction.connection.execute(self.sql).fetchall()


def test_many_threads_sell_at_once(run: Running, make_commit: MakeCommit) -> None:
    def sell(till: int) -> None:
        for number in range(till * 100, till * 100 + 25):
            run.queue.submit(make_commit(number, f"m-{till}")).result(WAIT)

    tills = [threading.Thread(target=sell, args=(till,)) for till in range(8)]
    for till in tills:
        till.start()
    for till in tills:
        till.join(WAIT)

    rows = run.reader.rows(1, 1000)
    assert [row.seq for row in rows] == list(range(1, 201))
    assert first_broken(rows, "epoch-1") is None
    for till in range(8):
        assert [int(own.receipt.number) for own in run.reader.own_sales(f"m-{till}", 0)] == [
            *range(till * 100, till * 100 + 25)
        ]


def test_a_bad_operation_does_not_spoil_its_group(run: Running, make_commit: MakeCommit) -> None:
    block = Block(threading.Event(), threading.Event())
    run.queue.submit(block)
    assert block.entered.wait(WAIT)
    before = run.queue.submit(make_commit(1))
    bad = run.queue.submit(Statement("INSERT INTO outbox (seq) VALUES (77)"))
    oversized = run.queue.submit(dataclasses.replace(make_commit(2), answer=3 + (1 << 70)))
    after = run.queue.submit(make_commit(3))
    block.go.set()

    assert before.result(WAIT).seq == 1
    with pytest.raises(Exception, match="NOT NULL"):
        bad.result(WAIT)
    with pytest.raises((OverflowError, TypeError)):
        oversized.result(WAIT)
    assert after.result(WAIT).seq == 2
    assert [row.seq for row in run.reader.rows(1, 10)] == [1, 2]
    assert run.reader.sale("sale-2") is None


def test_a_full_inbox_refuses(run: Running, make_commit: MakeCommit) -> None:
    block = Block(threading.Event(), threading.Event())
    run.queue.submit(block)
    assert block.entered.wait(WAIT)
    waiting = [run.queue.submit(make_commit(number)) for number in range(INBOX)]
    with pytest.raises(QueueFull):
        run.queue.submit(make_commit(INBOX))
    block.go.set()

    assert [commit.result(WAIT).seq for commit in waiting] == [*range(1, INBOX + 1)]


def test_a_full_disk_refuses_loudly_and_recovers(run: Running, make_commit: MakeCommit) -> None:
    run.queue.submit(make_commit(1)).result(WAIT)
    ((pages,),) = run.queue.submit(Statement("PRAGMA page_count")).result(WAIT)
    run.queue.submit(Statement(f"PRAGMA max_page_count = {pages}")).result(WAIT)
    outcomes = [run.queue.submit(make_commit(number)).exception(WAIT) for number in range(2, 100)]
    kept = outcomes.count(None)
    assert {type(outcome) for outcome in outcomes[kept:]} == {QueueFull}
    run.queue.submit(Statement("PRAGMA max_page_count = 1000000")).result(WAIT)

    assert run.queue.submit(make_commit(1000)).result(WAIT).seq == kept + 2
    assert first_broken(run.reader.rows(1, 1000), "epoch-1") is None


@dataclasses.dataclass(frozen=True)
class Spoil:
    """Makes the file unreadable under the writer."""

    def apply(self, transaction: Transaction) -> None:
        for sql in (
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'queue_state'",
            "PRAGMA writable_schema = RESET",
            "SELECT * FROM queue_state",
        ):
            transaction.run(sql)


def test_damage_found_while_running_ends_the_writer(path: Path, clock: FixedClock, make_commit: MakeCommit) -> None:
    queue = Queue.open(path, clock)
    operations = (BeginEpoch("device-1", "epoch-1"), make_commit(1), Spoil(), make_commit(2))
    together = [queue.submit(operation) for operation in operations]

    with pytest.raises(QueueDamaged):
        queue.run(threading.Event())
    for request in together:
        with pytest.raises(QueueDamaged):
            request.result(0)
    with pytest.raises(QueueClosed):
        queue.submit(make_commit(3))


def test_what_was_handed_in_before_the_stop_is_written(run: Running, make_commit: MakeCommit) -> None:
    commits = [run.queue.submit(make_commit(number)) for number in range(200)]
    run.stop.set()
    run.writer.join(WAIT)

    assert [commit.result(0).seq for commit in commits] == [*range(1, 201)]
    with pytest.raises(QueueClosed):
        run.queue.submit(make_commit(999))


def test_a_queue_that_is_closed_refuses_what_waits(path: Path, clock: FixedClock, make_commit: MakeCommit) -> None:
    queue = Queue.open(path, clock)
    waiting, dropped = queue.submit(make_commit(1)), queue.submit(make_commit(2))
    assert dropped.cancel()
    queue.close()

    with pytest.raises(QueueClosed):
        waiting.result(WAIT)
    with pytest.raises(CancelledError):
        dropped.result(WAIT)
    queue.close()


def test_a_cancelled_request_is_not_carried_out(run: Running, make_commit: MakeCommit) -> None:
    block = Block(threading.Event(), threading.Event())
    run.queue.submit(block)
    assert block.entered.wait(WAIT)
    dropped = run.queue.submit(make_commit(1))
    assert dropped.cancel()
    block.go.set()

    assert run.queue.submit(make_commit(2)).result(WAIT).seq == 1
    with pytest.raises(CancelledError):
        dropped.result(0)


def test_listeners_hear_where_the_queue_stands(path: Path, clock: FixedClock, make_commit: MakeCommit) -> None:
    heard: list[Changed] = []
    queue = Queue.open(path, clock)
    queue.subscribe(heard.append)
    connection = queue._connection
    connection.execute("UPDATE queue_state SET epoch = 'epoch-1'")
    queue.submit(make_commit(1))
    queue.submit(make_commit(2, printer=None))
    stop = threading.Event()
    stop.set()
    queue.run(stop)

    assert heard == [Changed(pending=2, rejected=0, last_seq=2, printers=frozenset({"receipt"}))]


def test_the_log_is_moved_into_the_file_when_there_is_nothing_to_do(run: Running, make_commit: MakeCommit) -> None:
    run.queue.submit(make_commit(0)).result(WAIT)
    log, as_it_was = run.path.with_name("queue.db-wal"), run.path.read_bytes()
    threading.Event().wait(0.5)
    assert run.path.read_bytes() == as_it_was  # not for one sale
    for number in range(1, 70):
        run.queue.submit(make_commit(number)).result(WAIT)
    deadline, pause = time.monotonic() + WAIT, threading.Event()
    while run.path.read_bytes() == as_it_was and time.monotonic() < deadline:
        pause.wait(0.02)
    length = log.stat().st_size
    run.queue.submit(make_commit(70)).result(WAIT)
    assert log.stat().st_size == length  # it begins again at its beginning
    assert run.reader.depth().last_seq == 71
