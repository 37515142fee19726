"""The disk fails at any call of one sale and one drain: a loud answer, never a false one, and a file that goes on.

strace lets a call fail in the real process, as the kernel would (EIO, ENOSPC; once, or from then on). It cannot make a write
short: it could only claim so, and the bytes would be missing. There the kernel does it itself: a write that crosses the
process's limit for the size of a file is cut short at the limit, and the next one fails. A tmpfs of 8 MiB fills up for real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loyalty.wire import Verdict
from offline_queue import (
    BeginEpoch,
    CommitSale,
    Committed,
    Queue,
    QueueFull,
    Reader,
    ReserveTokens,
    SettleRows,
    first_broken,
)

from .recording import needs_strace

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock

SCENE = Path(__file__).with_name("fault_scene.py")
EPOCH, BEFORE, WAIT = "epoch-1", 4, 30.0
BASE, STEP = 120, 1000
MIB = 1 << 20

Answers = dict[tuple[str, int], str]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each run begins with."""
    folder = tmp_path_factory.mktemp("faults")
    run([sys.executable, str(SCENE), str(folder), "short", "1"])
    return folder / "before"


def play(folder: Path, call: str, base: int, numbers: list[int], inject: str = "") -> dict[int, Answers]:
    """What was answered in each run, by the number of the call that failed in it."""
    command = [sys.executable, str(SCENE), str(folder), call, str(base)]
    fault = [f"--trace={call}", f"--inject={call}:{inject}"]
    tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-o", os.devnull, *fault] if inject else []
    run([*tracer, *command, *map(str, numbers)])
    return {number: answers(folder / str(number)) for number in numbers}


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def answers(folder: Path) -> Answers:
    said: list[dict[str, Any]] = [json.loads(line) for line in (folder / "said").read_text().splitlines()]
    return {(what, line[what]): line["answer"] for line in said for what in ("sale", "settle") if what in line}


def check(folder: Path, said: Answers, clock: FixedClock, make_commit: Callable[..., CommitSale]) -> None:
    """What was acknowledged is there, what was refused is not, and the queue works."""
    asked = [("sale", number) for number in range(1, BEFORE + 3)] + [("settle", BEFORE)]
    assert set(said) == set(asked), "a question without an answer"
    queue = Queue.open(folder / "queue.db", clock, EPOCH)
    stop = threading.Event()
    sold = queue.submit(make_commit(1000))
    stop.set()
    queue.run(stop)
    assert isinstance(sold.result(0), Committed)
    with closing(Reader(folder / "queue.db")) as reader:
        rows, depth = reader.rows(1, 100), reader.depth()
        assert first_broken(rows, EPOCH) is None
        assert [row.seq for row in rows] == [*range(1, depth.last_seq + 1)]
        for (what, number), answer in said.items():
            there = depth.watermark >= number if what == "settle" else reader.sale(f"sale-{number}") is not None
            assert there or answer != "ok", f"{what} {number} was acknowledged and is lost"
            assert not there or answer not in ("queue_full", "queue_closed"), (
                f"{what} {number} was refused and is there"
            )


@pytest.mark.parametrize(
    ("call", "inject", "most"),
    [
        ("pwrite64", "error=EIO", 48),
        ("pwrite64", "error=ENOSPC", 48),
        ("fdatasync", "error=EIO:when={}+", 6),
        pytest.param("pwrite64", "error=ENOSPC:when={}+", 48, marks=pytest.mark.full),
        pytest.param("fdatasync", "error=EIO", 6, marks=pytest.mark.full),
        pytest.param("fdatasync", "error=ENOSPC", 6, marks=pytest.mark.full),
        pytest.param("ftruncate", "error=EIO", 3, marks=pytest.mark.full),
    ],
)
def test_a_call_that_fails(
    tmp_path: Path,
    before: Path,
    clock: FixedClock,
    make_commit: Callable[..., CommitSale],
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
    call: str,
    inject: str,
    most: int,
) -> None:
    needs_strace()
    numbers = [*range(1, most, size(4 if most > 10 else 1, 1)), most]
    fault = inject.format(BASE) if "when" in inject else f"{inject}:when={BASE}"
    (tmp_path / "before").symlink_to(before)
    found = play(tmp_path, call, BASE, numbers, fault)
    for number, said in found.items():
        check(tmp_path / str(number), said, clock, make_commit)
    told = sum(any(answer != "ok" for answer in said.values()) for said in found.values())
    proof(f"faults, {call} {inject.format('n')}: {len(numbers)} calls, {told} refusals, 0 lost, 0 false")
    assert told or call == "ftruncate"
    assert set(found[most].values()) == {"ok"}, "there is a later call"


def test_a_write_that_is_cut_short(
    tmp_path: Path,
    before: Path,
    clock: FixedClock,
    make_commit: Callable[..., CommitSale],
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
) -> None:
    most = 100
    numbers = [*range(1, most, size(9, 1)), most]
    (tmp_path / "before").symlink_to(before)
    found = play(tmp_path, "short", STEP, numbers)
    for number, said in found.items():
        check(tmp_path / str(number), said, clock, make_commit)
    told = sum(any(answer != "ok" for answer in said.values()) for said in found.values())
    proof(f"faults, writes cut short: {len(numbers)} places, {told} refusals, 0 lost, 0 false")
    assert told
    assert set(found[most].values()) == {"ok"}, "there is a later write"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("needs root, to mount a tmpfs")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        assert not os.environ.get("CI"), f"a tmpfs cannot be mounted: {mounted.stderr}"
        pytest.skip("may not mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write to the very last byte of the disk."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


class FullDisk:
    """A till on that disk."""

    def __init__(
        self, folder: Path, clock: FixedClock, make_commit: Callable[..., CommitSale], ballast: int = 2 * MIB
    ) -> None:
        self.path, self._make_commit = folder / "queue.db", make_commit
        self.queue = Queue.open(self.path, clock, ballast=ballast)
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self.queue.run, args=(self._stop,))
        self._writer.start()
        self.queue.submit(BeginEpoch("device-1", EPOCH)).result(WAIT)
        self.sold = 0

    def sell(self) -> None:
        """Raises QueueFull."""
        self.queue.submit(self._make_commit(self.sold + 1)).result(WAIT)
        self.sold += 1

    def sell_until_refused(self, most: int) -> bool:
        for _ in range(most):
            try:
                self.sell()
            except QueueFull:
                return True
        return False

    def drain(self, batch: int) -> None:
        for watermark in range(batch, self.sold + batch, batch):
            rows = range(max(1, watermark - batch + 1), min(watermark, self.sold) + 1)
            verdicts = tuple(Verdict(seq=seq, verdict="accepted") for seq in rows)
            self.queue.submit(SettleRows(EPOCH, min(watermark, self.sold), verdicts)).result(WAIT)

    def turn_until(self, holds: Callable[[], bool]) -> None:
        """Keep the writer busy."""
        for _ in range(1000):
            if holds():
                return
            self.queue.submit(ReserveTokens(0)).result(WAIT)
        raise AssertionError("no room again")

    def close(self) -> None:
        self._stop.set()
        self._writer.join(WAIT)


@pytest.mark.parametrize("by", ["others", "sales"])
def test_a_disk_filled_to_the_last_byte(
    small_disk: Path, clock: FixedClock, make_commit: Callable[..., CommitSale], proof: Callable[[str], None], by: str
) -> None:
    till = FullDisk(small_disk, clock, make_commit)
    try:
        if by == "others":
            assert not till.sell_until_refused(100)
            fill(small_disk / "filler")
        assert till.sell_until_refused(20_000)
        assert till.queue.room().level == "full"
        refused_from = till.sold
        till.drain(batch=100)
        assert till.sell_until_refused(1), "the room of the ballast is for what is stored"
        with closing(Reader(till.path)) as reader:
            depth, rows = reader.depth(), reader.rows(1, 100_000)
            assert (depth.pending, depth.last_seq, len(rows)) == (0, refused_from, refused_from)
            assert first_broken(rows, EPOCH) is None
        if by == "others":
            (small_disk / "filler").unlink()
            till.turn_until(lambda: till.queue.room().level != "full")
            till.sell()
        proof(f"a disk of 8 MiB, filled by {by}: {refused_from} sales, then refused; all delivered")
    finally:
        till.close()
    Queue.open(till.path, clock, EPOCH).close()


def test_a_full_disk_without_a_ballast_refuses_sales_until_there_is_room(
    small_disk: Path, clock: FixedClock, make_commit: Callable[..., CommitSale]
) -> None:
    till = FullDisk(small_disk, clock, make_commit, ballast=0)
    try:
        assert not till.sell_until_refused(400)
        fill(small_disk / "filler")
        assert till.sell_until_refused(1000)
        threading.Event().wait(0.5)  # the log would be moved into the file now, and does not fit
        assert till.sell_until_refused(1000)
        (small_disk / "filler").unlink()
        till.sell()
        with closing(Reader(till.path)) as reader:
            assert reader.depth().last_seq == till.sold
    finally:
        till.close()
