"""Settled rows go after 35 days, in slices; what proves a sale stays; a clock that leaps empties nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loyalty.wire import Problem, Verdict
from offline_queue import Keyring, MarkDamaged, Operation, RetryRow, SetJob, SettleRows, Transaction, first_broken
from offline_queue.retention import DeleteJobs, DeleteSettled, GiveBackPages, NoteDay

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
PROBLEM = Problem(type="about:blank", title="no", status=409, code="receipt_conflict", retryable=False)


def tidy(run: Running) -> int:
    """How many slices there were."""
    run.queue.submit(NoteDay()).result(WAIT)
    slices = 1
    while run.queue.submit(DeleteSettled()).result(WAIT):
        slices += 1
    while run.queue.submit(DeleteJobs()).result(WAIT):
        slices += 1
    run.queue.submit(GiveBackPages()).result(WAIT)
    return slices


def days_pass(run: Running, clock: FixedClock, days: int) -> None:
    for _ in range(days):
        clock.time += timedelta(days=1)
        tidy(run)


def first_row(run: Running) -> int:
    rows = run.reader.rows(1, 1)
    return rows[0].seq if rows else 0


@pytest.fixture
def settled(run: Running, clock: FixedClock) -> Running:
    """500 sales, 450 of them settled today."""
    run.sell(1, 500, "m-1")
    run.queue.submit(SettleRows("epoch-1", 450, (Verdict(7, "rejected", PROBLEM),))).result(WAIT)
    tidy(run)
    assert clock.now()
    return run


def test_settled_rows_go_after_35_days_and_nothing_else_does(
    settled: Running, clock: FixedClock, make_commit: Callable[..., object]
) -> None:
    run = settled
    days_pass(run, clock, 35)
    assert first_row(run) == 1
    days_pass(run, clock, 1)

    rows = run.reader.rows(1, 1000)
    assert [row.seq for row in rows] == [7, *range(451, 501)]  # the rejected one stays for a person
    assert all(row.kind == "sale" for row in rows)
    assert first_broken(rows[1:], "epoch-1", run.reader.hash_before(451)) is None
    depth = run.reader.depth()
    assert (depth.pending, depth.rejected, depth.last_seq) == (50, 1, 500)
    assert run.reader.rows(451, 2) == rows[1:3]
    for number in (1, 7, 450, 500):
        again = run.queue.submit(make_commit(number, "m-1")).result(WAIT)
        assert (again.created, again.seq, again.answer) == (False, number, b'{"earned":500}')
    assert run.reader.sale("sale-3").seq == 3
    run.sell(501, 502)
    assert first_broken(run.reader.rows(451, 100), "epoch-1", run.reader.hash_before(451)) is None
    assert run.reader.own_sales("m-1", 0)[0].receipt.number == "451"

    run.queue.submit(RetryRow(7)).result(WAIT)
    assert first_row(run) == 7


@dataclass(frozen=True)
class Together:
    """Operations that the writer happens to take in one group."""

    operations: tuple[Operation[Any], ...]

    def apply(self, transaction: Transaction) -> None:
        for each in self.operations:
            each.apply(transaction)


def test_damaged_rows_are_counted_off_also_when_a_sale_comes_in_the_same_moment(
    settled: Running, clock: FixedClock, make_commit: Callable[..., Operation[Any]]
) -> None:
    run = settled
    for seq in (3, 4, 5, 460):
        run.queue.submit(MarkDamaged(seq, "rot")).result(WAIT)
    days_pass(run, clock, 35)
    clock.time += timedelta(days=1)
    run.queue.submit(Together((NoteDay(), make_commit(501), DeleteSettled(), make_commit(502)))).result(WAIT)
    assert run.reader.rows(1, 1)[0].seq > 5
    depth = run.reader.depth()
    assert (depth.damaged, depth.last_seq) == (1, 502)


def test_it_goes_in_slices(settled: Running, clock: FixedClock) -> None:
    days_pass(settled, clock, 35)
    clock.time += timedelta(days=1)
    assert tidy(settled) >= 3


def test_a_leap_of_ten_years_deletes_nothing(settled: Running, clock: FixedClock) -> None:
    for years in (10, -20, 10):
        clock.time += timedelta(days=3650 * years // abs(years) * (abs(years) // 10))
        for _ in range(10):
            clock.time += timedelta(hours=12)
            tidy(settled)
        assert first_row(settled) == 1
    days_pass(settled, clock, 60)
    assert first_row(settled) == 7


def test_rows_settled_today_are_kept_however_old_the_sale_is(settled: Running, clock: FixedClock) -> None:
    days_pass(settled, clock, 40)
    settled.queue.submit(SettleRows("epoch-1", 500, ())).result(WAIT)
    days_pass(settled, clock, 34)
    assert [row.seq for row in settled.reader.rows(8, 1000)] == [*range(451, 501)]
    days_pass(settled, clock, 3)
    assert settled.reader.rows(8, 1000) == []
    settled.sell(600, 600)
    assert settled.reader.depth().last_seq == 501
    (row,) = settled.reader.pending(10)
    assert row.kind == "sale"


def test_a_queue_without_rows_can_be_opened_again(
    path: Path, clock: FixedClock, start: Callable[..., AbstractContextManager[Running]], keys: Keyring
) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 3)
        run.queue.submit(SetJob(1, "printed")).result(WAIT)
        run.queue.submit(SettleRows("epoch-1", 3, ())).result(WAIT)
        tidy(run)
        days_pass(run, clock, 37)
        assert run.reader.rows(1, 10) == []
        assert run.reader.job(1) is None
    with start(path, clock, "epoch-1", claim=False, keys=keys) as run:
        run.sell(4, 5)
        assert [row.seq for row in run.reader.rows(1, 10)] == [4, 5]
        assert [row.kind for row in run.reader.rows(1, 10)] == ["sale", "sale"]


def test_jobs_that_wait_are_kept(settled: Running, clock: FixedClock) -> None:
    days_pass(settled, clock, 40)
    assert len(settled.reader.jobs(["queued"])) == 500
