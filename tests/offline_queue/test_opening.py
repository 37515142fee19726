"""Whatever lies where the queue should be: the till sells on, nothing is deleted, and what can be read is taken over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from loyalty.quote import Basket, Line
from loyalty.wire import Origin
from offline_queue import (
    Care,
    Claimed,
    CommitSale,
    Committed,
    Keyring,
    NewEpoch,
    Queue,
    QueueDamaged,
    QueueFile,
    QueueSealed,
    QueueTooNew,
    Reader,
    SettleRows,
    first_broken,
    mark_suspect,
    open_queue,
)
from offline_queue.opening import damaged_files
from offline_queue.pages import find_rows

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running, Told

WAIT = 20.0
US = Claimed("device-1", "epoch-1")
Start = Callable[..., AbstractContextManager["Running"]]
Again = Callable[..., AbstractContextManager["Running"]]


@pytest.fixture
def filled(path: Path, clock: FixedClock, start: Start, keys: Keyring) -> Path:
    """A closed, sealed queue of some hundred pages: 100 sales that are settled, 200 that are not."""
    with start(path, clock, keys=keys) as run:
        run.sell(1, 300, "m-1")
        run.queue.submit(SettleRows("epoch-1", 100, ())).result(WAIT)
    return path


@pytest.fixture
def again(path: Path, clock: FixedClock, start: Start, keys: Keyring) -> Again:
    """Open whatever is there now, as the agent does."""

    @contextmanager
    def again(claimed: Claimed | None = US) -> Iterator[Running]:
        opened = open_queue(path, clock, claimed, keys=keys)
        with start(path, clock, claim=False, keys=keys, opened=opened) as run:
            yield run

    return again


def overwrite(path: Path, start: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * length)


def test_a_sound_file_is_simply_opened(filled: Path, again: Again) -> None:
    with again() as run:
        assert run.reader.handover() is None
        assert run.reader.depth().pending == 200
    assert damaged_files(filled) == []


@pytest.mark.parametrize(
    ("offset", "length", "least"),
    [(0, 100, 200), (0, 4096, 199), (120_000, 120_000, 60), (0, 65536, 150)],
    ids=["header", "first page", "middle", "first pages"],
)
def test_a_damaged_file_is_set_aside_and_what_can_be_read_is_taken_over(
    filled: Path,
    again: Again,
    look_after: Callable[..., None],
    keys: Keyring,
    told: Told,
    make_commit: Callable[..., CommitSale],
    offset: int,
    length: int,
    least: int,
) -> None:
    overwrite(filled, offset, length)
    mark_suspect(filled)
    damaged = filled.read_bytes()
    with again() as run:
        handover = run.reader.handover()
        assert handover is not None
        assert (handover.reason, handover.old_epoch) == ("damaged", "epoch-1")
        run.sell(1001, 1001)
        assert run.reader.depth().last_seq == 1
        look_after(run, keys)

        (aside,) = damaged_files(filled)
        assert aside.read_bytes() == damaged
        rows = run.reader.rows(1, 1000)
        assert first_broken(rows, run.reader.depth().epoch or "") is None
        saved = {row.origin.seq for row in rows if row.origin and row.kind == "sale"}
        lost = {row.origin.seq for row in rows if row.origin and row.kind == "damaged"}
        assert len(saved) >= least
        assert saved.isdisjoint(lost)
        assert saved | lost >= {*range(101, max(saved) + 1)}
        (*_, (_, seen, whole, standing)) = told.salvages
        assert (standing.stage, standing.rows, standing.lost, seen) == ("done", len(saved), len(lost), whole)
        number = next(iter(saved))
        known = run.queue.submit(make_commit(number, "m-1")).result(WAIT)
        assert isinstance(known, Committed)
        assert (known.created, known.answer) == (False, b'{"earned":500}')
    with again() as run:
        look_after(run, keys)
        assert run.reader.depth().last_seq == len(rows)  # once


def test_old_receipts_stay_known_after_a_salvage(
    filled: Path,
    again: Again,
    look_after: Callable[..., None],
    keys: Keyring,
    make_commit: Callable[..., CommitSale],
) -> None:
    overwrite(filled, 0, 100)
    with again() as run:
        look_after(run, keys)
        for number in (1, 50, 100, 101, 300):
            again_ = run.queue.submit(make_commit(number, "m-1")).result(WAIT)
            assert (again_.created, again_.answer) == (False, b'{"earned":500}')
        assert run.reader.depth().last_seq == 200


def test_how_far_the_old_file_had_come_is_told_when_it_can_be_read(
    filled: Path, again: Again, look_after: Callable[..., None], keys: Keyring
) -> None:
    with closing(Reader(filled)) as reader:
        before = reader.depth()
    place = filled.read_bytes().rindex(b"sale-150")
    overwrite(filled, place - place % 4096, 64)
    mark_suspect(filled)
    with again() as run:
        look_after(run, keys)
        handover = run.reader.handover()
        assert handover is not None
        assert (handover.last_seq, handover.last_hash) == (300, before.last_hash)


@pytest.mark.parametrize("content", [b"", b"hello " * 1000, b"\0" * 8192], ids=["empty", "text", "zeros"])
def test_what_is_no_database_is_replaced(filled: Path, again: Again, content: bytes) -> None:
    filled.write_bytes(content)
    with again() as run:
        assert run.reader.handover() is not None
        run.sell(1, 1)
        epoch = run.reader.depth().epoch
    assert [file.read_bytes() for file in damaged_files(filled)] == ([content] if content else [])
    with again() as run:
        assert (run.reader.depth().last_seq, run.reader.depth().epoch) == (1, epoch)


def test_a_missing_file_is_begun_anew_in_a_new_epoch(filled: Path, again: Again) -> None:
    filled.unlink()
    with again() as run:
        handover = run.reader.handover()
        assert handover is not None
        assert (handover.reason, handover.old_epoch, handover.last_seq) == ("lost", "epoch-1", None)
        assert run.reader.depth().epoch not in ("epoch-1", None)
        assert run.reader.depth().device == "device-1"
        run.sell(1, 1)


def test_a_file_of_another_program_is_set_aside(path: Path, again: Again) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE things (a)")
        other.commit()
    with again() as run:
        run.sell(1, 1)
    assert len(damaged_files(path)) == 1


def test_the_queue_of_another_device_is_set_aside_and_not_sent(
    filled: Path, again: Again, look_after: Callable[..., None], keys: Keyring
) -> None:
    with again(Claimed("device-2", "epoch-2")) as run:
        look_after(run, keys)
        assert run.reader.depth().last_seq == 0
        assert run.reader.depth().device == "device-2"
    assert damaged_files(filled) == []
    assert len([*filled.parent.glob("queue.db.foreign-*")]) == 1


@pytest.mark.usefixtures("filled")
def test_an_old_copy_of_the_same_device_is_set_aside_and_salvaged(
    again: Again, look_after: Callable[..., None], keys: Keyring
) -> None:
    with again(Claimed("device-1", "epoch-7")) as run:
        look_after(run, keys)
        rows = run.reader.rows(1, 500)
        assert [row.origin for row in rows] == [Origin("epoch-1", seq) for seq in range(101, 301)]


def test_a_file_that_was_not_claimed_yet_becomes_the_queue_of_the_claim(
    path: Path, clock: FixedClock, again: Again
) -> None:
    Queue.open(path, clock).close()
    with again() as run:
        assert run.reader.depth().device == "device-1"
        assert run.reader.handover() is not None
    assert damaged_files(path) == []


def test_a_lost_log_leaves_a_sound_queue(
    path: Path, clock: FixedClock, start: Start, again: Again, keys: Keyring
) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 50)
        copy = path.read_bytes()
        run.sell(51, 60)
    path.write_bytes(copy)  # as it was before the log was moved into it, and the log is gone
    with again() as run:
        depth = run.reader.depth()
        assert first_broken(run.reader.rows(1, 100), "epoch-1") is None
        assert depth.last_seq <= 60
        run.sell(200, 200)


def test_a_newer_file_is_refused_and_left_alone(filled: Path, clock: FixedClock, keys: Keyring) -> None:
    with closing(sqlite3.connect(filled)) as newer:
        newer.execute("PRAGMA user_version = 99")
    before = filled.read_bytes()
    with pytest.raises(QueueTooNew):
        open_queue(filled, clock, US, keys=keys)
    assert filled.read_bytes() == before
    with closing(sqlite3.connect(filled)) as newer:
        newer.execute("PRAGMA user_version = 2")
    open_queue(filled, clock, US, keys=keys).close()  # the lock was given back


def test_a_file_that_cannot_be_set_aside_is_damaged(filled: Path, clock: FixedClock, keys: Keyring) -> None:
    filled.unlink()
    filled.mkdir()
    aside = filled.with_name(f"queue.db.damaged-{clock.now():%Y%m%dT%H%M%SZ}")
    (filled / "inside").touch()
    aside.symlink_to(aside.parent / "nowhere" / "at" / "all")
    with pytest.raises(QueueDamaged):
        open_queue(filled, clock, US, keys=keys)


def test_a_lost_key_sets_the_file_aside_until_it_is_found(
    filled: Path, clock: FixedClock, start: Start, look_after: Callable[..., None], told: Told
) -> None:
    other = Keyring([b"x" * 32])
    with pytest.raises(QueueSealed):
        Queue.open(filled, clock, keys=other)
    opened = open_queue(filled, clock, US, keys=other)
    with start(filled, clock, claim=False, keys=other, opened=opened) as run:
        run.sell(1001, 1002)
        look_after(run, other)
        (aside,) = damaged_files(filled)
        assert told.refused == [(aside.name, "queue_sealed")]
        assert run.reader.depth().last_seq == 2

    both = Keyring([b"k" * 32, b"x" * 32])  # the old key has been found
    opened = open_queue(filled, clock, US, keys=both)
    with start(filled, clock, claim=False, keys=both, opened=opened) as run:
        look_after(run, both)
        assert run.reader.depth().last_seq == 202
        assert run.reader.sale("sale-7").answer == b'{"earned":500}'
        assert len(run.reader.own_sales("m-1", 0)) == 200


@pytest.mark.parametrize("left", ["", "-wal", "-shm"])
def test_a_power_cut_while_a_file_is_set_aside_loses_nothing(
    filled: Path,
    clock: FixedClock,
    start: Start,
    again: Again,
    look_after: Callable[..., None],
    keys: Keyring,
    left: str,
) -> None:
    connection = sqlite3.connect(filled)  # so that the log stays
    connection.execute("SELECT * FROM queue_state").fetchall()
    with start(filled, clock, claim=False, keys=keys) as run:
        run.sell(301, 330)
    aside = filled.with_name("queue.db.damaged-20261212T080000Z")
    filled.rename(aside)
    for side in {"-wal", "-shm"} - {left}:
        filled.with_name(filled.name + side).rename(aside.with_name(aside.name + side))
    with again() as run:
        look_after(run, keys)
        saved = {row.origin.seq for row in run.reader.rows(1, 1000) if row.origin and row.kind == "sale"}
        assert saved == {*range(101, 331)}
    connection.close()


def test_rows_of_several_epochs_are_told_apart_in_a_damaged_file(
    filled: Path, clock: FixedClock, start: Start, again: Again, look_after: Callable[..., None], keys: Keyring
) -> None:
    with start(filled, clock, claim=False, keys=keys) as run:
        second = run.queue.submit(NewEpoch("fork")).result(WAIT)
        run.sell(301, 303)
    overwrite(filled, 0, 100)
    with again() as run:
        look_after(run, keys)
        origins = [row.origin for row in run.reader.rows(1, 1000) if row.origin and row.kind == "sale"]
        assert len(origins) == 203
        assert {origin.epoch for origin in origins} == {"epoch-1", second}


def test_the_first_row_of_a_later_epoch_is_taken_over_like_any_other(
    filled: Path, clock: FixedClock, start: Start, again: Again, look_after: Callable[..., None], keys: Keyring
) -> None:
    with start(filled, clock, claim=False, keys=keys) as run:
        run.queue.submit(NewEpoch("fork")).result(WAIT)
        look_after(run, keys)
        run.sell(301, 303)
    overwrite(filled, 0, 100)
    with again() as run:
        look_after(run, keys)
        kinds = [row.kind for row in run.reader.rows(1, 1000)]
        assert kinds == ["sale"] * 203


def test_what_is_left_in_the_log_from_its_last_round_does_not_count_against_the_file(
    path: Path, clock: FixedClock, start: Start, keys: Keyring
) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 20)
        for number in range(1, 11):
            run.queue.submit(SettleRows("epoch-1", number, ())).result(WAIT)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0
        run.queue.submit(SettleRows("epoch-1", 20, ())).result(WAIT)
        epoch = run.queue.submit(NewEpoch("fork")).result(WAIT)
        found = find_rows(path)
    assert found.state is not None
    assert (found.state.epoch, found.state.watermark, found.state.base) == (epoch, 20, 20)


def test_a_kill_in_the_middle_of_a_salvage_goes_on_with_it(
    filled: Path, clock: FixedClock, again: Again, look_after: Callable[..., None], keys: Keyring, told: Told
) -> None:
    overwrite(filled, 0, 100)
    with again() as run:
        for _ in range(3):
            care = Care(run.queue, QueueFile(run.path, keys), clock, told)
            assert [care.step(), care.step()] == [True, True]
    with again() as run:
        look_after(run, keys)
        origins = [row.origin for row in run.reader.rows(1, 1000)]
        assert len(origins) == len(set(origins)) == 200


def test_long_rows_are_found_in_the_pages_too(
    path: Path,
    clock: FixedClock,
    start: Start,
    again: Again,
    look_after: Callable[..., None],
    keys: Keyring,
    make_commit: Callable[..., CommitSale],
) -> None:
    names = ["К" * length for length in (1500, 1900, 2100, 5000, 60_000)]
    with start(path, clock, keys=keys) as run:
        for number, name in enumerate(names, 1):
            sale = make_commit(number)
            basket = Basket(lines=(Line(sku="1", name=name, sum=50000),))
            run.queue.submit(replace(sale, body=structs.replace(sale.body, basket=basket))).result(WAIT)
    overwrite(path, 0, 100)
    with again() as run:
        look_after(run, keys)
        bodies = [row.body.decode() for row in run.reader.rows(1, 10)]
        assert [name in body for name, body in zip(names, bodies, strict=True)] == [True] * len(names)
