"""Any order of selling, selling again, settling, printing and starting anew leaves what a plain dict says."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from loyalty.wire import Problem, Verdict
from offline_queue import CommitSale, Committed, Conflict, SetJob, SettleRows, first_broken
from offline_queue.errors import JobNotNow

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
PROBLEM = Problem(type="about:blank", title="no", status=409, code="receipt_conflict", retryable=False)
NUMBERS = st.integers(1, 12)


class Till(RuleBasedStateMachine):
    start: ClassVar[Callable[..., AbstractContextManager[Running]]]
    make_commit: ClassVar[Callable[..., CommitSale]]
    clock: ClassVar[FixedClock]

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "queue.db"
        self.stack = ExitStack()
        self.run = self.stack.enter_context(self.start(self.path, self.clock))
        self.sold: dict[int, int] = {}
        self.rejected: set[int] = set()
        self.watermark = 0
        self.jobs: dict[int, str] = {}

    @rule(number=NUMBERS, member=st.sampled_from(["m-1", "m-2", None]))
    def sell(self, number: int, member: str | None) -> None:
        answer = self.run.queue.submit(self.make_commit(number, member)).result(WAIT)
        new = number not in self.sold
        seq = self.sold.setdefault(number, len(self.sold) + 1)
        assert answer == Committed(b'{"earned":500}', seq, created=new, job_id=seq)
        if new:
            self.jobs[seq] = "queued"

    @precondition(lambda self: self.sold)
    @rule(number=NUMBERS)
    def sell_the_receipt_under_another_id(self, number: int) -> None:
        if number in self.sold:
            other = dataclasses.replace(self.make_commit(number), sale_id="other")
            assert self.run.queue.submit(other).result(WAIT) == Conflict("receipt_conflict")

    @rule(steps=st.integers(0, 4), bad=st.integers(0, 3))
    def settle(self, steps: int, bad: int) -> None:
        first, last = self.watermark + 1, min(self.watermark + steps, len(self.sold))
        verdicts = tuple(
            Verdict(seq=seq, verdict="rejected", problem=PROBLEM)
            if seq % 4 == bad
            else Verdict(seq=seq, verdict="accepted")
            for seq in range(first, last + 1)
        )
        self.rejected |= {verdict.seq for verdict in verdicts if verdict.problem}
        self.run.queue.submit(SettleRows("epoch-1", last, verdicts)).result(WAIT)
        self.watermark = last

    @precondition(lambda self: self.jobs)
    @rule(job=st.integers(1, 12), state=st.sampled_from(["sending", "printed", "held"]))
    def print_one(self, job: int, state: str) -> None:
        if job not in self.jobs:
            return
        done = self.run.queue.submit(SetJob(job, state))
        if state == "sending" and self.jobs[job] not in ("queued", "held"):
            assert isinstance(done.exception(WAIT), JobNotNow)  # nothing is sent a second time
        else:
            done.result(WAIT)
            self.jobs[job] = state

    @rule()
    def start_anew(self) -> None:
        self.stack.close()
        self.run = self.stack.enter_context(self.start(self.path, self.clock, "epoch-1", claim=False))
        self.jobs = {job: "unknown" if state == "sending" else state for job, state in self.jobs.items()}

    @invariant()
    def the_file_says_the_same(self) -> None:
        reader = self.run.reader
        rows, depth = reader.rows(1, 100), reader.depth()
        assert [row.seq for row in rows] == [*range(1, len(self.sold) + 1)]
        assert first_broken(rows, "epoch-1") is None
        assert (depth.last_seq, depth.watermark) == (len(self.sold), self.watermark)
        assert (depth.pending, depth.rejected) == (len(self.sold) - self.watermark, len(self.rejected))
        assert {row.row.seq for row in reader.rejected(100)} == self.rejected
        assert {
            job.id: job.state for job in reader.jobs(["queued", "sending", "printed", "held", "unknown"])
        } == self.jobs
        own = {int(sale.receipt.number) for name in ("m-1", "m-2") for sale in reader.own_sales(name, 0)}
        assert {self.sold[number] for number in own}.isdisjoint(self.rejected)

    def teardown(self) -> None:
        self.stack.close()
        self.folder.cleanup()


@pytest.mark.timeout(900)  # with --full, on a busy machine
def test_the_queue_agrees_with_a_dict(
    start: Callable[..., AbstractContextManager[Running]],
    make_commit: Callable[..., CommitSale],
    clock: FixedClock,
    size: Callable[[int, int], int],
) -> None:
    bound = {"start": staticmethod(start), "make_commit": staticmethod(make_commit), "clock": clock}
    run_state_machine_as_test(
        type("Bound", (Till,), bound),
        settings=settings(
            max_examples=size(30, 200), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
