"""Bit rot: whatever single bit the disk turns, no spoiled row is sent, its neighbours are, and the till sells on."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loyalty.wire import Problem
from offline_queue import (
    Claimed,
    CommitSale,
    Keyring,
    MarkDamaged,
    NewEpoch,
    Quarantine,
    QueueDamaged,
    QueueFile,
    Reader,
    StoredRow,
    UnknownRow,
    first_broken,
    open_queue,
)
from offline_queue.sealing import NO_KEYS

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running, Told

WAIT = 20.0
US = Claimed("device-1", "epoch-1")
Start = Callable[..., AbstractContextManager["Running"]]


@pytest.fixture(params=["plain", "sealed"])
def ring(request: pytest.FixtureRequest, keys: Keyring) -> Keyring:
    return keys if request.param == "sealed" else NO_KEYS


@pytest.fixture
def filled(path: Path, clock: FixedClock, start: Start, ring: Keyring) -> Path:
    with start(path, clock, keys=ring) as run:
        run.sell(1, 60)
    return path


def flip(path: Path, place: int, bit: int = 3) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))


def rows_of(path: Path, ring: Keyring) -> list[StoredRow]:
    with closing(Reader(QueueFile(path, ring))) as reader:
        return reader.rows(1, 100)


def place_of(path: Path, content: bytes) -> int:
    found = path.read_bytes()
    assert found.count(content) == 1
    return found.index(content)


def body_of(path: Path, number: int) -> bytes:
    with closing(Reader(path)) as reader:
        found: bytes = reader._connection.execute("SELECT body FROM outbox WHERE seq = ?", (number,)).fetchone()[0]
        return found


def test_a_spoiled_body_is_told_as_damaged_and_its_neighbours_are_not(filled: Path, ring: Keyring) -> None:
    good = rows_of(filled, ring)
    flip(filled, place_of(filled, body_of(filled, 30)) + 40)
    rows = rows_of(filled, ring)
    assert [row.seq for row in rows if row.kind == "damaged"] == [30]
    assert (rows[29].body, rows[29].hash, rows[29].id) == (b"{}", good[29].hash, good[29].id)
    assert [*rows[:29], *rows[30:]] == [*good[:29], *good[30:]]
    assert first_broken(rows, "epoch-1") is None


@pytest.mark.parametrize("number", [1, 30, 60])
def test_a_spoiled_hash_is_put_right(filled: Path, ring: Keyring, number: int) -> None:
    good = rows_of(filled, ring)
    content = filled.read_bytes()
    places = [place for place in range(len(content)) if content.startswith(good[number - 1].hash, place)]
    for place in places[: 1 if number < 60 else 2]:
        flip(filled, place + 7)
        assert rows_of(filled, ring) == good
        with closing(Reader(QueueFile(filled, ring))) as reader:
            assert reader.rows(number, 1) == [good[number - 1]]
            assert reader.rows(number + 1, 2) == good[number : number + 2]
        flip(filled, place + 7)


@pytest.mark.parametrize("number", [1, 3, 30, 60])
def test_a_spoiled_number_is_put_right(
    filled: Path, ring: Keyring, number: int, clock: FixedClock, start: Start, look_after: Callable[..., None]
) -> None:
    """The row stands where it was written, under a number that it never had, and hides or doubles others."""
    good = rows_of(filled, ring)
    content, name = filled.read_bytes(), good[number - 1].id.encode()
    place = (
        content.rindex(b"\x00\x55", 0, content.index(name)) - 2
    )  # before the record's header: no seq, 36 letters of id
    assert content[place] == number
    for bit in range(7):
        flip(filled, place, bit)
        assert rows_of(filled, ring) == good
        with closing(Reader(QueueFile(filled, ring))) as reader:
            for first in range(1, 61):
                assert reader.rows(first, 2) == good[first - 1 : first + 1], f"bit {bit}, rows from {first} on"
        flip(filled, place, bit)
    flip(filled, place, 6)
    spoilt = filled.read_bytes()
    if number < 60:
        with start(filled, clock, claim=False, keys=ring) as run:
            run.queue.submit(NewEpoch("damaged")).result(WAIT)
            look_after(run, ring)
            assert content_of(run.reader.rows(1, 100)) == content_of(good), "written again"
    for name in ("queue.db", "queue.db-wal", "queue.db-shm"):
        filled.with_name(name).unlink(missing_ok=True)
    filled.with_name("queue.db.damaged-20261212T080000Z").write_bytes(spoilt)
    with start(filled, clock, claim=False, keys=ring, opened=open_queue(filled, clock, US, keys=ring)) as run:
        look_after(run, ring)
        assert content_of(run.reader.rows(1, 100)) == content_of(good), "taken over"


def content_of(rows: list[StoredRow]) -> list[tuple[str, str, bytes]]:
    return [(row.id, row.kind, row.body) for row in rows]


def test_every_flip_inside_a_row_is_found_and_nothing_spoiled_is_sent(
    filled: Path,
    ring: Keyring,
    clock: FixedClock,
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
) -> None:
    """Single bits all over the file: what is read is either what was written, or told as damaged, or a damaged file."""
    good = {row.seq: (row.id, row.kind, row.at, row.body, row.schema) for row in rows_of(filled, ring)}
    whole = filled.read_bytes()
    chance = random.Random(11)  # noqa: S311 - repeatable, no secret
    bodies = [(whole.index(body_of(filled, number)), len(body_of(filled, number))) for number in good]
    flips, found, refused = size(150, 500), 0, 0
    for turn in range(flips):
        place, length = chance.choice(bodies) if turn % 2 else (0, len(whole))
        at = place + chance.randrange(length)
        flip(filled, at, chance.randrange(8))
        try:
            rows = rows_of(filled, ring)
        except QueueDamaged:
            refused += 1
            rows = []
        for row in rows:
            assert (
                row.kind == "damaged"
                or (row.id, row.kind, row.at, row.body, row.schema) == good[row.seq]
                or (ring is NO_KEYS and (row.kind, row.at, row.body) == good[row.seq][1:4])
            )
        if turn % 2:
            assert sum(row.kind == "damaged" for row in rows) == 1
            found += 1
        opened = open_queue(filled, clock, US, keys=ring)
        assert opened.epoch
        opened.close()
        for file in filled.parent.glob("queue.db*"):
            file.unlink()
        filled.write_bytes(whole)
    proof(f"bit flips: {flips}, inside of bodies {found}, all found, none sent; file refused {refused} times")


def test_the_daily_look_notes_what_it_finds(
    filled: Path, clock: FixedClock, start: Start, ring: Keyring, look_after: Callable[..., None], told: Told
) -> None:
    flip(filled, place_of(filled, body_of(filled, 12)) + 40)
    with start(filled, clock, claim=False, keys=ring) as run:
        look_after(run, ring)
        assert run.reader.depth().damaged == 1
        assert told.rotten == 1
        assert run.queue.submit(MarkDamaged(12, "again")).result(WAIT) is False
        with pytest.raises(UnknownRow):
            run.queue.submit(MarkDamaged(99, "x")).result(WAIT)


def test_a_row_that_the_server_cannot_even_record_travels_without_its_content(run: Running) -> None:
    run.sell(1, 3)
    problem = Problem(type="about:blank", title="no", status=400, code="malformed", retryable=False)
    for _ in range(2):
        run.queue.submit(Quarantine(2, problem)).result(WAIT)
    rows = run.reader.rows(1, 10)
    assert [row.kind for row in rows] == ["sale", "damaged", "sale"]
    assert first_broken(rows, "epoch-1") is None
    (rejected,) = run.reader.rejected(10)
    assert (rejected.problem, rejected.row.kind) == (problem, "sale")  # here it is still whole
    assert (run.reader.depth().rejected, run.reader.depth().damaged) == (1, 1)


def test_a_spoiled_answer_is_said_so(
    path: Path, clock: FixedClock, start: Start, keys: Keyring, make_commit: Callable[..., CommitSale]
) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 1)
        (answer,) = run.reader._connection.execute("SELECT answer FROM sales").fetchone()
    flip(path, place_of(path, answer) + 15)
    with start(path, clock, claim=False, keys=keys) as run:
        assert run.reader.sale("sale-1") is None
        assert run.queue.submit(make_commit(1)).exception(WAIT).code == "row_spoiled"
        assert run.reader.depth().last_seq == 1
