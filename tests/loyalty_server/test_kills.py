"""kill -9 of the server and of PostgreSQL under load: the ledger is what was acknowledged, and tills repeat what stayed unclear."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loyalty_server.folder import DataFolder
from tests.rig.postgresql import PostgreSql, programs

from .fleet import Servers, at_work, hire, judge
from .shell import Shell
from .storages import PostgreSqlStorage

if TYPE_CHECKING:
    from conftest import Till

TILLS = 4
LONGEST = 1.0
"""Seconds of work between two kills, at most."""


@pytest.fixture
def postgresql_of_ours(postgresql: PostgreSql) -> Iterator[PostgreSql]:
    """One that no other test works with."""
    del postgresql  # skips where there is none
    folder = programs()
    assert folder is not None
    server = PostgreSql(folder)
    yield server
    server.stop()


@pytest.fixture
def shop(tmp_path: Path, postgresql_of_ours: PostgreSql) -> Shell:
    shell = Shell(tmp_path / "data", PostgreSqlStorage(postgresql_of_ours))
    shell.init()
    return shell


@pytest.fixture
def servers(shop: Shell) -> Iterator[Servers]:
    with closing(Servers()) as made:
        for _ in range(2):
            made.start(shop.folder)
        yield made


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("whom", ["server", "postgresql"])
def test_what_was_acknowledged_is_booked_whoever_is_killed(
    shop: Shell,
    servers: Servers,
    postgresql_of_ours: PostgreSql,
    till_at: Callable[[str], Till],
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
    whom: str,
) -> None:
    members = [shop("member", "add", "--card", f"29{number:011}").strip() for number in range(3)]
    codes = [shop("device", "new-code", "--store", "S1").strip() for _ in range(TILLS)]
    sellers = hire(till_at, servers.urls, members, codes)
    chance, kills = random.Random(whom), size(2, 60)  # noqa: S311 - no secret
    with at_work(sellers):
        for _ in range(kills):
            threading.Event().wait(chance.uniform(0.1, LONGEST))
            if whom == "server":
                servers.kill()
                servers.start(shop.folder)
            else:
                postgresql_of_ours.kill()
                postgresql_of_ours.start()
        threading.Event().wait(LONGEST)
    proof(f"kill -9 of {whom} on PostgreSQL: {kills} kills, {judge(DataFolder(shop.folder), sellers)}")
