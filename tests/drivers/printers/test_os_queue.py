"""The queue driver against a real cupsd of our own: whole jobs, refusals, a job that is kept, a server that is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivers.base import DeviceGone, DeviceRefused
from drivers.printers.os_queue import DRIVER, Options, QueuePrinter

if TYPE_CHECKING:
    from rig.cups import Cups, CupsQueue

Until = Callable[[Callable[[], bool]], None]
JOB = b"\x1b@" + bytes(range(256)) * 40 + b"\x1dV\x00"


@pytest.fixture
def spooler(cups: Cups, request: pytest.FixtureRequest) -> Iterator[CupsQueue]:
    made = cups.queue(f"q{abs(hash(request.node.name))}")
    yield made
    made.remove()


@pytest.fixture
def printer(spooler: CupsQueue) -> Iterator[QueuePrinter]:
    with closing(DRIVER.open(Options(spooler.name))) as printer:
        yield printer


def test_each_write_is_a_job_of_exactly_these_bytes(spooler: CupsQueue, printer: QueuePrinter, until: Until) -> None:
    printer.write(JOB, 5.0)
    printer.write(b"another", 5.0)
    until(lambda: spooler.papers == [JOB, b"another"])


def test_it_says_that_it_never_answers(printer: QueuePrinter) -> None:
    assert not DRIVER.answers
    started = time.monotonic()
    assert printer.read(0.1) == b""
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize(
    ("refuse", "take", "why"),
    [("cupsreject", "cupsaccept", "accepts no jobs"), ("cupsdisable", "cupsenable", "it is stopped")],
)
def test_a_queue_that_refuses_has_nothing_of_the_job_and_may_get_it_again(
    spooler: CupsQueue, printer: QueuePrinter, until: Until, refuse: str, take: str, why: str
) -> None:
    spooler.do(refuse)
    with pytest.raises(DeviceRefused, match=f"{spooler.name}: .*{why}.*{take}"):
        printer.write(JOB, 5.0)
    with pytest.raises(DeviceRefused, match=why):
        DRIVER.open(Options(spooler.name))
    assert spooler.waiting == 0
    spooler.do(take)
    printer.write(JOB, 5.0)
    until(lambda: spooler.papers == [JOB])


def test_one_that_refuses_only_when_it_is_asked_to_print_has_nothing_either(
    spooler: CupsQueue, printer: QueuePrinter, until: Until
) -> None:
    """It closes behind the check."""
    spooler.do("cupsreject")
    with pytest.raises(DeviceRefused, match="did not take the job"):
        printer._spooler.hand_over(JOB, 5.0)
    spooler.do("cupsaccept")
    printer.write(JOB, 5.0)
    until(lambda: spooler.papers == [JOB])


def test_what_the_queue_has_taken_it_prints_once_when_its_printer_is_back(
    spooler: CupsQueue, printer: QueuePrinter, until: Until
) -> None:
    spooler.fail(broken=True)
    printer.write(JOB, 5.0)
    until(lambda: spooler.waiting == 1)
    spooler.fail(broken=False)
    spooler.retry()
    until(lambda: spooler.papers == [JOB])
    until(lambda: spooler.waiting == 0)


def test_a_server_that_is_away_has_nothing_of_the_job(
    cups: Cups, spooler: CupsQueue, printer: QueuePrinter, until: Until
) -> None:
    cups.stop()
    try:
        with pytest.raises(DeviceRefused, match="check its name"):
            printer.write(JOB, 5.0)
        with pytest.raises(DeviceGone, match="that cups runs"):
            DRIVER.open(Options(spooler.name))
    finally:
        cups.start()
    printer.write(JOB, 5.0)
    until(lambda: spooler.papers == [JOB])


@pytest.fixture
def fake_lp(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """A program `lp` before the system's, that does as the test says."""
    before = os.environ["PATH"]

    def make(script: str) -> None:
        program = tmp_path / "lp"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        os.environ["PATH"] = f"{tmp_path}:{before}"

    yield make
    os.environ["PATH"] = before


def test_when_nobody_knows_whether_it_was_taken_it_is_gone(
    spooler: CupsQueue, printer: QueuePrinter, until: Until, fake_lp: Callable[[str], None]
) -> None:
    """lp ends badly although the queue has the job: the answer got lost."""
    fake_lp('/usr/bin/lp "$@" >/dev/null; exit 1')
    with pytest.raises(DeviceGone, match="there is a new job"):
        printer.write(JOB, 5.0)
    until(lambda: spooler.papers == [JOB])


def test_an_lp_that_hangs_is_ended_in_time(spooler: CupsQueue, fake_lp: Callable[[str], None]) -> None:
    printer = DRIVER.open(Options(spooler.name, take_within=0.3))
    fake_lp("exec sleep 60")
    started = time.monotonic()
    with pytest.raises(DeviceGone, match="lp has not ended"):
        printer.write(JOB, 0.1)
    assert time.monotonic() - started < 3


def test_two_queues_may_be_opened_at_once(cups: Cups, spooler: CupsQueue) -> None:
    failed: list[Exception] = []

    def open_one() -> None:
        try:
            DRIVER.open(Options(spooler.name)).close()
        except Exception as error:  # noqa: BLE001 - shown below
            failed.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert cups.port


def test_importing_the_connectors_leaves_nothing_behind(spooler: CupsQueue, tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from drivers.printers.os_queue import DRIVER, Options\n"
        "assert 'escpos' not in sys.modules, 'only when such a printer is opened'\n"
        "DRIVER.open(Options(sys.argv[1])).close()\n"
        "assert 'escpos' in sys.modules\n"
        "import tempfile\n"
        "assert tempfile.mkdtemp().startswith(os.environ['TMPDIR']), 'others make theirs where they always did'\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, spooler.name], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True
    )
    (own,) = tmp_path.iterdir()
    assert list(own.iterdir()) == []


def test_without_the_extra_the_cure_is_named(spooler: CupsQueue) -> None:
    program = (
        "import sys\n"
        "sys.modules['escpos'] = None\n"  # so Python does as if it were not installed
        "from drivers.base import DeviceRefused\n"
        "from drivers.printers.os_queue import DRIVER, Options\n"
        "try: DRIVER.open(Options(sys.argv[1]))\n"
        "except DeviceRefused as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", program, spooler.name], capture_output=True, text=True, check=True)
    assert "tillmate[os-queue]" in told.stdout


@pytest.mark.parametrize("name", ["", "-a"])
def test_a_queue_needs_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="needs the name"):
        Options(name)
