"""A till goes on in a new epoch by itself, and what the old one had not delivered goes with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loyalty.wire import Origin, Problem, Verdict
from offline_queue import (
    BeginEpoch,
    CommitSale,
    Committed,
    Conflict,
    EpochAgreed,
    NewEpoch,
    Queue,
    QueueMismatch,
    QueueUnclaimed,
    ReserveTokens,
    RetryRow,
    SettleRows,
    UnknownRow,
    first_broken,
)
from offline_queue.reissue import ReissueRows

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
PROBLEM = Problem(type="about:blank", title="no", status=409, code="receipt_conflict", retryable=False)


def write_again(run: Running) -> None:
    while run.queue.submit(ReissueRows()).result(WAIT):
        pass


def test_a_new_epoch_counts_from_one_and_takes_along_what_is_not_settled(run: Running) -> None:
    run.sell(1, 130, "m-1")
    run.queue.submit(SettleRows("epoch-1", 10, ())).result(WAIT)
    old = run.reader.rows(11, 200)
    last_hash = run.reader.depth().last_hash

    epoch = run.queue.submit(NewEpoch("fork")).result(WAIT)
    handover = run.reader.handover()
    assert handover is not None
    assert (handover.reason, handover.old_epoch, handover.last_seq, handover.epoch) == ("fork", "epoch-1", 130, epoch)
    assert handover.last_hash == last_hash
    depth = run.reader.depth()
    assert (depth.last_seq, depth.pending, depth.undelivered, bool(depth.agreed)) == (0, 0, 120, False)
    run.sell(131, 131)  # nobody waits
    assert run.reader.depth().last_seq == 1
    write_again(run)

    rows = run.reader.rows(1, 500)
    assert [row.seq for row in rows] == [*range(1, 122)]
    assert first_broken(rows, epoch) is None
    assert [row.origin for row in rows[1:]] == [Origin("epoch-1", seq) for seq in range(11, 131)]
    assert [(row.id, row.body, row.kind) for row in rows[1:]] == [(row.id, row.body, row.kind) for row in old]
    assert (run.reader.depth().undelivered, run.reader.depth().pending) == (0, 121)
    assert run.reader.rows(122, 10) == []
    assert len(run.reader.own_sales("m-1", 0)) == 120  # each once: they followed their rows


def test_a_sale_is_known_in_every_epoch(run: Running, make_commit: Callable[..., CommitSale]) -> None:
    run.sell(1, 3)
    run.queue.submit(SettleRows("epoch-1", 1, ())).result(WAIT)
    run.queue.submit(NewEpoch("restored")).result(WAIT)
    write_again(run)

    settled = run.queue.submit(make_commit(1)).result(WAIT)
    again = run.queue.submit(make_commit(3)).result(WAIT)
    assert settled == Committed(b'{"earned":500}', 1, created=False, job_id=1)
    assert again == Committed(b'{"earned":500}', 2, created=False, job_id=3)
    assert run.reader.sale("sale-3").seq == 2
    assert run.reader.depth().last_seq == 2
    other = run.queue.submit(make_commit(4)).result(WAIT)
    assert (other.seq, other.created) == (3, True)


def test_an_agreed_epoch_may_be_sent(run: Running) -> None:
    run.sell(1, 2)
    epoch = run.queue.submit(NewEpoch("fork")).result(WAIT)
    write_again(run)
    run.queue.submit(EpochAgreed(epoch)).result(WAIT)

    assert run.reader.handover() is None
    assert run.reader.depth().agreed
    run.queue.submit(SettleRows(epoch, 2, ())).result(WAIT)
    assert run.reader.depth().pending == 0
    with pytest.raises(QueueMismatch):
        run.queue.submit(SettleRows("epoch-1", 2, ())).result(WAIT)


def test_another_name_hashes_the_rows_anew(run: Running) -> None:
    run.sell(1, 5)
    run.queue.submit(NewEpoch("fork")).result(WAIT)
    write_again(run)
    run.sell(6, 7)
    run.queue.submit(EpochAgreed("epoch-of-the-server", device="device-2")).result(WAIT)

    rows = run.reader.rows(1, 100)
    assert len(rows) == 7
    assert first_broken(rows, "epoch-of-the-server") is None
    depth = run.reader.depth()
    assert (depth.epoch, depth.device, depth.last_hash) == ("epoch-of-the-server", "device-2", rows[-1].hash)
    run.sell(8, 8)
    assert first_broken(run.reader.rows(1, 100), "epoch-of-the-server") is None


def test_two_new_epochs_lose_nothing_in_between(run: Running) -> None:
    run.sell(1, 120)
    first = run.queue.submit(NewEpoch("fork")).result(WAIT)
    assert run.queue.submit(ReissueRows()).result(WAIT)  # and no further
    assert run.queue.submit(NewEpoch("fork")).result(WAIT) == first  # it is not agreed to yet
    run.queue.submit(EpochAgreed(first)).result(WAIT)
    run.sell(121, 125)
    second = run.queue.submit(NewEpoch("restored")).result(WAIT)
    write_again(run)

    rows = run.reader.rows(1, 500)
    assert first_broken(rows, second) is None
    numbers = {number for number in range(1, 126) if f'"number":"{number}"'.encode() in b"".join(r.body for r in rows)}
    assert numbers == {*range(1, 126)}
    assert {row.origin.epoch for row in rows if row.origin} == {"epoch-1", first}


def test_pruned_takes_along_all_that_is_still_there(run: Running) -> None:
    run.sell(1, 6)
    run.queue.submit(SettleRows("epoch-1", 6, ())).result(WAIT)
    run.queue.submit(NewEpoch("pruned")).result(WAIT)
    write_again(run)
    assert [row.origin for row in run.reader.rows(1, 10)] == [Origin("epoch-1", seq) for seq in range(1, 7)]


def test_an_unclaimed_device_has_no_next_epoch(
    path: Path, clock: FixedClock, start: Callable[..., AbstractContextManager[Running]]
) -> None:
    with start(path, clock, claim=False) as run:
        for operation in (NewEpoch("fork"), EpochAgreed("e")):
            with pytest.raises(QueueUnclaimed):
                run.queue.submit(operation).result(WAIT)
        run.queue.submit(BeginEpoch("d", "e")).result(WAIT)


def test_tokens_do_not_begin_where_an_older_copy_would(run: Running) -> None:
    run.queue.submit(ReserveTokens(10)).result(WAIT)
    run.queue.submit(NewEpoch("restored")).result(WAIT)
    assert run.queue.submit(ReserveTokens(1)).result(WAIT) != 10  # 1 : 16 million


def test_the_file_knows_its_former_epochs(
    path: Path, clock: FixedClock, start: Callable[..., AbstractContextManager[Running]]
) -> None:
    with start(path, clock) as run:
        run.sell(1, 2)
        epoch = run.queue.submit(NewEpoch("fork")).result(WAIT)
    for known in ("epoch-1", epoch):
        Queue.open(path, clock, known).close()
    with pytest.raises(QueueMismatch):
        Queue.open(path, clock, "epoch-2")


def test_a_rejected_row_is_sent_again_as_one_that_corrects_it(
    run: Running, make_commit: Callable[..., CommitSale]
) -> None:
    run.sell(1, 3, "m-1")
    run.queue.submit(SettleRows("epoch-1", 3, (Verdict(2, "rejected", PROBLEM),))).result(WAIT)
    (rejected,) = run.reader.rejected(10)
    assert (rejected.number, rejected.row.seq, rejected.problem) == (2, 2, PROBLEM)

    assert run.queue.submit(RetryRow(2)).result(WAIT) == 4
    (again,) = run.reader.pending(10)
    assert (again.seq, again.corrects, again.body, again.origin) == (4, 2, rejected.row.body, None)
    assert again.id != rejected.row.id
    assert (run.reader.depth().rejected, run.reader.rejected(10)) == (0, [])
    assert len(run.reader.own_sales("m-1", 0)) == 3
    assert run.queue.submit(make_commit(2, "m-1")).result(WAIT) == Committed(b'{"earned":500}', 4, False, 2)
    assert isinstance(run.queue.submit(CommitSale(**{**vars(make_commit(2)), "sale_id": "x"})).result(WAIT), Conflict)
    for number in (2, 3, 77):
        with pytest.raises(UnknownRow):
            run.queue.submit(RetryRow(number)).result(WAIT)


def test_a_rejected_row_of_an_earlier_epoch_can_be_sent_again(run: Running) -> None:
    run.sell(1, 3)
    run.queue.submit(SettleRows("epoch-1", 3, (Verdict(2, "rejected", PROBLEM),))).result(WAIT)
    epoch = run.queue.submit(NewEpoch("fork")).result(WAIT)
    write_again(run)
    run.sell(4, 4)
    (rejected,) = run.reader.rejected(10)
    assert (rejected.number, rejected.row.seq) == (2, 2)
    run.queue.submit(RetryRow(2)).result(WAIT)
    rows = run.reader.rows(1, 10)
    assert first_broken(rows, epoch) is None
    assert (rows[-1].corrects, rows[-1].body) == (None, rejected.row.body)
