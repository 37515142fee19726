"""The power goes after any call to the disk: every promise is kept by whatever is on the disk then.

An unmodified process (scene.py) works with a queue under strace (recording.py). From its calls come the states that the
disk may be in after a cut (disk.py); the real queue opens each of them, and what it then has is held against what had
been promised until the cut (explorer.py). Not seen: what is written through mmap, which is the -shm file only, and
SQLite makes that anew.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .explorer import Explorer
from .recording import needs_strace

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock

RAM = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there


@pytest.fixture
def explorer(tmp_path: Path, clock: FixedClock) -> Iterator[Explorer]:
    """Works in memory: the disk is what is modelled here, not what is waited for."""
    needs_strace()
    folder = Path(tempfile.mkdtemp(prefix="power-loss-", dir=RAM if RAM.is_dir() else tmp_path))
    yield Explorer(folder, clock)
    shutil.rmtree(folder)


@pytest.mark.timeout(900)  # with --full, on a busy machine
@pytest.mark.parametrize("scene", ["sell", "drain", "upgrade", "retention", "long_day"])
def test_nothing_is_lost(
    explorer: Explorer, scene: str, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    findings = explorer.explore(explorer.recorded(scene), size(60, 600))
    proof(f"power loss, {scene}: {findings.states} states, {len(findings.broken)} broken")
    assert findings.broken == []
    assert findings.states >= size(60, 400)


def test_the_explorer_finds_what_a_sloppy_queue_loses(explorer: Explorer, proof: Callable[[str], None]) -> None:
    sloppy = explorer.explore(explorer.recorded("sell", "NORMAL"), 60)
    proof(f"power loss, control, synchronous=NORMAL: {len(sloppy.broken)} of {sloppy.states} states lose")
    assert any("acknowledged sales lost" in complaint for complaint in sloppy.broken)


@pytest.mark.parametrize("file", [".", "queue.db", "queue.db-wal"])
def test_every_sync_is_needed(explorer: Explorer, file: str, proof: Callable[[str], None]) -> None:
    careless = explorer.explore(explorer.recorded("sell").without_syncs(file), 60)
    proof(f"power loss, control, {file} never synced: {len(careless.broken)} of {careless.states} states lose")
    assert careless.broken
