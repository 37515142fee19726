"""kill -9 at any moment: every sale that was acknowledged is there, once, and the chain holds."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offline_queue import first_broken

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

SELLER = Path(__file__).with_name("seller.py")


def sell_until_killed(path: Path, sales: int) -> list[tuple[int, int]]:
    """Let the seller run until it has acknowledged `sales`, kill it, and return all that it acknowledged."""
    with subprocess.Popen([sys.executable, "-P", SELLER, path], stdout=subprocess.PIPE, text=True) as seller:
        assert seller.stdout is not None
        lines = [seller.stdout.readline() for _ in range(sales)]
        seller.kill()
        rest = seller.stdout.read()
    complete = "".join(lines) + rest[: rest.rfind("\n") + 1]
    acknowledged = [line.split() for line in complete.splitlines()]
    return [(int(seq), int(number)) for seq, number in acknowledged]


@pytest.mark.timeout(900)  # with --full, on a busy machine
def test_every_acknowledged_sale_survives(
    path: Path,
    clock: FixedClock,
    start: Callable[..., AbstractContextManager[Running]],
    size: Callable[[int, int], int],
) -> None:
    kills = size(6, 60)
    chance = random.Random(7)  # noqa: S311 - repeatable, no secret
    acknowledged: dict[int, int] = {}
    for _ in range(kills):
        for seq, number in sell_until_killed(path, chance.randint(1, 40)):
            assert seq not in acknowledged
            acknowledged[seq] = number

    with start(path, clock, "epoch-1", claim=False) as run:
        rows = run.reader.rows(1, 100_000)
        assert first_broken(rows, "epoch-1") is None
        assert [row.seq for row in rows] == [*range(1, len(rows) + 1)]
        assert set(acknowledged) <= {row.seq for row in rows}
        for seq, number in acknowledged.items():
            sale = run.reader.sale(f"sale-{number}")
            assert sale is not None
            assert (sale.seq, sale.answer) == (seq, str(number).encode())
        assert len(run.reader.jobs(["queued"])) == len(rows)
        assert len(rows) - len(acknowledged) <= kills  # at most the one in flight each time
