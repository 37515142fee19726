"""kill -9 at any moment, with real processes: no receipt is lost, none comes out twice, and "printed" is on the paper."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from offline_queue import Reader
from offline_queue.print_jobs import Job, JobState

from .till_process import WIDTH, numbered

if TYPE_CHECKING:
    from tests.agent.conftest import VirtualPrinter

TILL = Path(__file__).with_name("till_process.py")
LAST_WITHIN = 60.0


class Till:
    """One queue and one printer, and a process for them that is killed again and again."""

    def __init__(self, queue: Path, printer: VirtualPrinter, profile: str) -> None:
        self.queue, self.printer, self.profile = queue, printer, profile
        self.ordered: set[int] = set()

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", TILL, self.queue, str(self.printer.port), self.profile, *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def live_and_die(self, after: float) -> None:
        """Let it print; kill it so many seconds behind the first order that it takes."""
        with self.start() as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            threading.Event().wait(after)
            process.kill()
            said = first + process.stdout.read()
        complete = said[: said.rfind("\n") + 1].split()
        assert not self.ordered & set(map(int, complete))
        self.ordered |= set(map(int, complete))

    def finish(self) -> None:
        """Let it print what is left, undisturbed."""
        with self.start("last") as process:
            assert process.wait(LAST_WITHIN) == 0

    def jobs(self) -> list[Job]:
        with closing(Reader(self.queue)) as reader:
            return reader.jobs(get_args(JobState))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", ["default", "TM-T88V"], ids=["a fence", "a number"])
def test_killed_at_any_moment(
    tmp_path: Path,
    start_printer: Callable[..., VirtualPrinter],
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
    profile: str,
) -> None:
    till = Till(tmp_path / "queue.db", start_printer(baud=115200), profile)
    chance = random.Random(profile)  # noqa: S311 - repeatable, no secret
    kills = size(10, 100)
    for _ in range(kills):
        till.live_and_die(chance.uniform(0.0, 0.3))
    till.finish()

    jobs = till.jobs()
    assert till.ordered <= {job.id for job in jobs}
    till.printer.do("tear")  # a receipt that was cut off in the middle
    pieces = till.printer.papers
    size_of_paper = load_profile(profile).size(WIDTH)
    for job in jobs:
        whole = draw(encode(numbered(job.id), load_profile(profile), WIDTH), size_of_paper.dots).text.strip()
        copies = sum(piece.count(whole) for piece in pieces)
        assert (job.state, copies) in {("printed", 1), ("unknown", 0), ("unknown", 1)}, (job.id, job.note, pieces)
    states = Counter(job.state for job in jobs)
    assert states["unknown"] > 0
    assert states["printed"] > 0
    told = f"{states['printed']} receipts printed, {states['unknown']} shown as unknown, 0 lost, 0 doubled"
    proof(f"kill -9 of the printing agent, {profile}: {kills} kills, {told}")
