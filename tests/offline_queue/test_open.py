"""Opening: one owner, a sound file, the right claim, or a clear refusal that leaves the file as it was."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offline_queue import CommitSale, Queue, QueueDamaged, QueueLocked, QueueMismatch, Reader, SetJob, mark_suspect

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
Start = Callable[..., AbstractContextManager["Running"]]

OPEN_IT = """
import sys, datetime
from pathlib import Path
from offline_queue import Queue, QueueLocked
class Clock:
    def now(self): return datetime.datetime.now(datetime.UTC)
try:
    Queue.open(Path(sys.argv[1]), Clock())
except QueueLocked as error:
    print(error.code)
    sys.exit(75)
"""


def test_a_second_opener_is_refused(run: Running, clock: FixedClock) -> None:
    with pytest.raises(QueueLocked):
        Queue.open(run.path, clock)


def test_a_second_process_is_refused_and_changes_nothing(path: Path, clock: FixedClock) -> None:
    queue = Queue.open(path, clock)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    other = subprocess.run(
        [sys.executable, "-P", "-c", OPEN_IT, path], capture_output=True, text=True, timeout=WAIT, check=False
    )

    assert (other.returncode, other.stdout) == (75, "queue_locked\n"), other.stderr
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
    queue.close()


def test_a_closed_queue_can_be_opened_again(
    path: Path, clock: FixedClock, start: Start, make_commit: Callable[..., CommitSale]
) -> None:
    with start(path, clock) as run:
        run.queue.submit(make_commit(1)).result(WAIT)
    with start(path, clock, "epoch-1", claim=False) as run:
        assert run.reader.depth().last_seq == 1
    assert not path.with_name("queue.db-wal").exists()


def test_the_promises_are_read_back(run: Running) -> None:
    connection = run.queue._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_file_is_its_owners_alone(run: Running) -> None:
    rights = {file.name: file.stat().st_mode & 0o777 for file in run.path.parent.iterdir()}
    assert rights["queue.db"] == rights["queue.db-wal"] == rights["queue.db.lock"] == 0o600


def test_a_reader_changes_nothing(run: Running) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        run.reader._connection.execute("DELETE FROM outbox")


def test_jobs_that_were_being_sent_are_unknown_after_a_start(
    path: Path, clock: FixedClock, start: Start, make_commit: Callable[..., CommitSale]
) -> None:
    with start(path, clock) as run:
        for number, state in ((1, "sending"), (2, "held"), (3, "printed")):
            run.queue.submit(make_commit(number)).result(WAIT)
            run.queue.submit(SetJob(number, state)).result(WAIT)
        run.queue.submit(make_commit(4)).result(WAIT)
    with start(path, clock) as run:
        assert [run.reader.job(number).state for number in (1, 2, 3, 4)] == ["unknown", "held", "printed", "queued"]
        assert run.reader.job(1).note == "agent_died"


@pytest.fixture
def filled(path: Path, clock: FixedClock, start: Start, make_commit: Callable[..., CommitSale]) -> Path:
    """A closed queue of some hundred pages."""
    with start(path, clock) as run:
        commits = [run.queue.submit(make_commit(number)) for number in range(300)]
        for commit in commits:
            commit.result(WAIT)
    assert path.stat().st_size > 300_000
    return path


def overwrite(path: Path, start: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * length)


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 100), (100, 4096), (120_000, 120_000)], ids=["header", "first page", "middle"]
)
def test_a_damaged_file_is_refused_and_left_alone(filled: Path, clock: FixedClock, offset: int, length: int) -> None:
    overwrite(filled, offset, length)
    mark_suspect(filled)
    before = filled.read_bytes()

    with pytest.raises(QueueDamaged) as refusal:
        Queue.open(filled, clock)
    assert refusal.value.code == "queue_damaged"
    assert filled.read_bytes() == before
    with pytest.raises(QueueDamaged):
        Queue.open(filled, clock)  # not QueueLocked: a refusal gives the lock back


def test_a_damaged_page_that_only_one_sale_lies_on_is_found(filled: Path, clock: FixedClock) -> None:
    place = filled.read_bytes().index(b'"number":"150"')
    overwrite(filled, place - place % 4096, 64)
    Queue.open(filled, clock).close()  # a glance does not see it
    mark_suspect(filled)

    with pytest.raises(QueueDamaged):
        Queue.open(filled, clock)


def test_half_a_file_is_refused(filled: Path, clock: FixedClock) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[: len(content) // 2])

    with pytest.raises(QueueDamaged):
        Queue.open(filled, clock)


def test_a_file_that_is_no_database_is_refused(path: Path, clock: FixedClock) -> None:
    path.write_text("hello " * 1000)

    with pytest.raises(QueueDamaged):
        Queue.open(path, clock)


def test_a_damaged_file_is_said_so_by_a_reader(filled: Path) -> None:
    overwrite(filled, 0, 4096)
    with closing(Reader(filled)) as reader, pytest.raises(QueueDamaged):
        reader.depth()


def test_a_claimed_device_does_not_begin_with_a_fresh_queue(path: Path, clock: FixedClock) -> None:
    with pytest.raises(QueueMismatch, match="restore it, or claim"):
        Queue.open(path, clock, "epoch-1")
    assert not path.exists()


def test_the_queue_of_another_claim_is_refused(filled: Path, clock: FixedClock) -> None:
    with pytest.raises(QueueMismatch, match="restore it, or claim") as refusal:
        Queue.open(filled, clock, "epoch-2")
    assert isinstance(refusal.value, QueueDamaged)
    Queue.open(filled, clock, "epoch-1").close()


def test_a_queue_that_was_never_claimed_is_not_the_queue_of_a_claimed_device(path: Path, clock: FixedClock) -> None:
    Queue.open(path, clock).close()
    with pytest.raises(QueueMismatch):
        Queue.open(path, clock, "epoch-1")
