"""One sale is one transaction: repeatable, never twice, chained, and told only when it is on the disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loyalty.wire import Enrolment, Problem, Sale, Verdict
from offline_queue import (
    BeginEpoch,
    CommitSale,
    Committed,
    Conflict,
    NewJob,
    QueueEnrolment,
    QueueMismatch,
    QueueUnclaimed,
    ReserveTokens,
    SetJob,
    SettleRows,
    UnknownJob,
    first_broken,
)
from offline_queue.errors import JobNotNow
from offline_queue.print_jobs import DropJob, JobState

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
PROBLEM = Problem(type="about:blank", title="no", status=409, code="receipt_conflict", retryable=False)


def test_a_sale_writes_row_and_print_job_together(
    run: Running, make_commit: Callable[..., CommitSale], make_sale: Callable[..., Sale]
) -> None:
    answer = run.queue.submit(make_commit(1, "m-1")).result(WAIT)

    assert answer == Committed(b'{"earned":500}', 1, created=True, job_id=1)
    (row,) = run.reader.pending(10)
    assert (row.seq, row.kind, row.schema) == (1, "sale", 1)
    assert run.reader.own_sales("m-1", 0) == [make_sale(1, "m-1")]
    assert run.reader.job(1).document == b'{"elements":[]}'
    assert run.reader.job(1).state == "queued"
    assert run.reader.sale("sale-1").seq == 1


def test_the_same_commit_again_gets_the_stored_answer(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    first = run.queue.submit(make_commit(1)).result(WAIT)
    again = dataclasses.replace(make_commit(1), answer=b"another answer")

    assert run.queue.submit(again).result(WAIT) == dataclasses.replace(first, created=False)
    assert run.reader.depth().last_seq == 1
    assert len(run.reader.jobs(["queued"])) == 1


def test_another_body_under_the_same_sale_is_a_conflict(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    run.queue.submit(make_commit(1)).result(WAIT)
    other = dataclasses.replace(make_commit(1), request_hash="other")

    assert run.queue.submit(other).result(WAIT) == Conflict("sale_conflict")
    assert run.reader.depth().last_seq == 1


def test_the_same_receipt_under_another_sale_is_a_conflict(
    run: Running, make_commit: Callable[..., CommitSale]
) -> None:
    run.queue.submit(make_commit(1)).result(WAIT)
    other = dataclasses.replace(make_commit(1), sale_id="sale-other")

    assert run.queue.submit(other).result(WAIT) == Conflict("receipt_conflict")
    assert run.reader.depth().last_seq == 1
    assert run.reader.sale("sale-other") is None


def test_rows_are_numbered_without_a_hole_and_chained(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    for number in range(1, 6):
        run.queue.submit(make_commit(number)).result(WAIT)
    run.queue.submit(make_commit(3)).result(WAIT)
    run.queue.submit(
        QueueEnrolment(datetime.fromisoformat("2026-12-12T12:00:00+03:00"), Enrolment(till="1", token="T"))
    ).result(WAIT)

    rows = run.reader.rows(1, 100)
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1].at == "2026-12-12T12:00:00+03:00"
    assert first_broken(rows, "epoch-1") is None
    assert first_broken(rows, "epoch-2") == 1
    assert first_broken(rows[2:], "epoch-1", run.reader.hash_before(3)) is None
    assert run.reader.hash_before(1) == bytes(32)
    assert run.reader.depth().last_hash == rows[-1].hash
    spoiled = rows[3]._replace(body=rows[3].body.replace(b"500", b"501"))
    assert first_broken([*rows[:3], spoiled, *rows[4:]], "epoch-1") == 4


def test_a_time_without_a_zone_is_refused_and_nothing_is_kept(run: Running) -> None:
    operation = QueueEnrolment(datetime(2026, 12, 12), Enrolment(till="1", token="T"))  # noqa: DTZ001 - the fault itself

    with pytest.raises(ValueError, match="zone"):
        run.queue.submit(operation).result(WAIT)
    assert run.reader.depth().last_seq == 0


def test_the_depth_needs_no_counting(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    assert run.reader.depth().oldest_at is None
    for number in range(1, 4):
        run.queue.submit(make_commit(number)).result(WAIT)
    verdicts = (Verdict(seq=1, verdict="accepted"), Verdict(seq=2, verdict="rejected", problem=PROBLEM))
    run.queue.submit(SettleRows("epoch-1", 2, verdicts)).result(WAIT)

    depth = run.reader.depth()
    assert (depth.pending, depth.rejected, depth.last_seq, depth.watermark) == (1, 1, 3, 2)
    assert depth.oldest_at == datetime.fromisoformat("2026-12-12T09:00:00+00:00")
    assert (depth.device, depth.epoch) == ("device-1", "epoch-1")
    assert [row.seq for row in run.reader.pending(10)] == [3]


def test_a_rejected_row_is_kept_with_its_reason_once(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    run.queue.submit(make_commit(1, "m-1")).result(WAIT)
    verdicts = (Verdict(seq=1, verdict="rejected", problem=PROBLEM),)
    for _ in range(2):
        run.queue.submit(SettleRows("epoch-1", 1, verdicts)).result(WAIT)

    (rejected,) = run.reader.rejected(10)
    assert (rejected.row.seq, rejected.problem) == (1, PROBLEM)
    assert run.reader.depth().rejected == 1
    assert run.reader.own_sales("m-1", 0) == []


def test_the_watermark_never_goes_back(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    for number in (1, 2):
        run.queue.submit(make_commit(number)).result(WAIT)
    run.queue.submit(SettleRows("epoch-1", 2, ())).result(WAIT)
    run.queue.submit(SettleRows("epoch-1", 1, ())).result(WAIT)

    assert run.reader.depth().watermark == 2


@pytest.mark.parametrize(("epoch", "watermark"), [("epoch-2", 1), ("epoch-1", 2)])
def test_verdicts_that_do_not_fit_this_queue_are_refused(
    run: Running, make_commit: Callable[..., CommitSale], epoch: str, watermark: int
) -> None:
    run.queue.submit(make_commit(1)).result(WAIT)

    with pytest.raises(QueueMismatch):
        run.queue.submit(SettleRows(epoch, watermark, ())).result(WAIT)
    assert run.reader.depth().pending == 1


def test_own_sales_are_those_of_the_member_behind_a_row(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    for number, member in ((1, "m-1"), (2, "m-2"), (3, None), (4, "m-1")):
        run.queue.submit(make_commit(number, member)).result(WAIT)

    assert [own.receipt.number for own in run.reader.own_sales("m-1", 0)] == ["1", "4"]
    assert [own.receipt.number for own in run.reader.own_sales("m-1", 1)] == ["4"]


def test_an_unclaimed_device_queues_nothing(
    path: Path,
    clock: FixedClock,
    start: Callable[..., AbstractContextManager[Running]],
    make_commit: Callable[..., CommitSale],
) -> None:
    with start(path, clock, claim=False) as run:
        with pytest.raises(QueueUnclaimed):
            run.queue.submit(make_commit(1)).result(WAIT)
        assert run.reader.depth().epoch is None
        assert run.reader.jobs(["queued"]) == []


def test_an_epoch_begins_once(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    run.queue.submit(BeginEpoch("device-1", "epoch-1")).result(WAIT)
    run.queue.submit(make_commit(1)).result(WAIT)
    run.queue.submit(BeginEpoch("device-1", "epoch-1")).result(WAIT)
    with pytest.raises(QueueMismatch):
        run.queue.submit(BeginEpoch("device-2", "epoch-2")).result(WAIT)

    assert run.reader.depth().epoch == "epoch-1"


def test_an_empty_queue_may_change_its_epoch(run: Running) -> None:
    run.queue.submit(BeginEpoch("device-2", "epoch-2")).result(WAIT)

    assert (run.reader.depth().device, run.reader.depth().epoch) == ("device-2", "epoch-2")


def test_print_jobs_go_through_their_states(run: Running, clock: FixedClock) -> None:
    at, body = clock.now(), Enrolment(till="1", token="T")
    first = run.queue.submit(QueueEnrolment(at, body, NewJob("receipt", b"a"))).result(WAIT)
    second = run.queue.submit(QueueEnrolment(at, body, NewJob("kitchen", b"b"))).result(WAIT)
    run.queue.submit(SetJob(first, "held", "paper_out")).result(WAIT)

    assert [job.id for job in run.reader.jobs(["queued", "held"])] == [first, second]
    assert [job.id for job in run.reader.jobs(["queued", "held"], "kitchen")] == [second]
    held = run.reader.job(first)
    assert (held.state, held.note, held.changed_at) == ("held", "paper_out", clock.now().isoformat())

    assert run.reader.last_tried("receipt") is None
    for job in (first, second):
        run.queue.submit(SetJob(job, "unknown")).result(WAIT)
    third = run.queue.submit(QueueEnrolment(at, body, NewJob("receipt", b"c"))).result(WAIT)
    assert run.reader.last_tried("receipt").id == first
    run.queue.submit(SetJob(third, "printed")).result(WAIT)
    assert (run.reader.last_tried("receipt").state, run.reader.last_tried("kitchen").state) == ("printed", "unknown")


@pytest.mark.parametrize("state", ["sending", "held"])
def test_a_dropped_job_neither_goes_out_nor_waits_again(run: Running, clock: FixedClock, state: JobState) -> None:
    body = Enrolment(till="1", token="T")
    job = run.queue.submit(QueueEnrolment(clock.now(), body, NewJob("receipt", b"a"))).result(WAIT)
    run.queue.submit(DropJob(job)).result(WAIT)
    with pytest.raises(JobNotNow):
        run.queue.submit(SetJob(job, state, "paper_out")).result(WAIT)
    dropped = run.reader.job(job)
    assert (dropped.state, dropped.note) == ("failed", "dropped")


def test_a_dropped_job_does_not_hide_the_one_that_was_tried_before(run: Running, clock: FixedClock) -> None:
    body = Enrolment(till="1", token="T")
    tried, dropped = (
        run.queue.submit(QueueEnrolment(clock.now(), body, NewJob("receipt", b"a"))).result(WAIT) for _ in range(2)
    )
    run.queue.submit(SetJob(tried, "unknown", "connection_lost")).result(WAIT)
    run.queue.submit(DropJob(dropped)).result(WAIT)
    assert run.reader.last_tried("receipt").id == tried


def test_a_job_that_does_not_exist_is_said_so(run: Running) -> None:
    with pytest.raises(UnknownJob):
        run.queue.submit(SetJob(99, "printed")).result(WAIT)
    assert run.reader.job(99) is None


def test_an_enrolment_writes_row_and_slip_together(run: Running, clock: FixedClock) -> None:
    body = Enrolment(till="1", token="T")
    job = run.queue.submit(QueueEnrolment(clock.now(), body, NewJob("receipt", b"slip"))).result(WAIT)
    nothing_printed = run.queue.submit(QueueEnrolment(clock.now(), body)).result(WAIT)

    assert run.reader.job(job).document == b"slip"
    assert nothing_printed is None
    assert [row.kind for row in run.reader.rows(1, 10)] == ["enrolment", "enrolment"]


def test_token_counters_are_never_handed_out_twice(run: Running) -> None:
    assert [run.queue.submit(ReserveTokens(100)).result(WAIT) for _ in range(3)] == [0, 100, 200]
    run.queue.submit(ReserveTokens((1 << 24) - 300)).result(WAIT)
    assert run.queue.submit(ReserveTokens(1)).result(WAIT) == 0
