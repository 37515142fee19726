"""The `sh` blocks of docs/pos.md and docs/server.md, run as they stand: with real processes, in a folder of their own."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Timer

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BIN = Path(sys.executable).parent
WITHIN = 20.0


def blocks(page: str) -> str:
    """All `sh` blocks of a page, as one script."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert len(found) > 3, page
    return "".join(found)


def bash(script: str, folder: Path, **environment: str) -> str:
    """What the script prints; it must not fail anywhere."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def until(condition: Callable[[], bool]) -> None:
    pause, end = Event(), time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.1)


@pytest.fixture
def demo(short_path: Path) -> Iterator[Path]:
    """The folder of a shop that `tillmate demo` has opened."""
    process = subprocess.Popen(
        [BIN / "tillmate", "demo", "--language", "en"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(short_path)},
        start_new_session=True,
    )
    watchdog = Timer(100, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        assert process.stdout is not None
        assert any("ready" in line for line in process.stdout)
        (folder,) = short_path.glob("tillmate-demo-*")
        yield folder
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WITHIN)
        watchdog.cancel()
    assert process.returncode == 0


@pytest.mark.timeout(180)
@pytest.mark.skipif(not shutil.which("curl") and not os.environ.get("CI"), reason="curl is not installed")
def test_the_register_of_the_docs_sells(demo: Path, tmp_path: Path) -> None:
    here = {"TILLMATE_CONFIG": str(demo / "till/config.toml")}

    def network() -> bool:
        parts = json.loads(bash("tillmate status --json", tmp_path, **here))["parts"]
        return ("network", "ok") in {(part["part"], part["state"]) for part in parts}

    until(network)
    address = bash("tillmate open --print", tmp_path, **here).split("/pair#")[0]
    said = bash(blocks("pos.md").replace("http://127.0.0.1:8737", address), tmp_path, **here)
    assert '"kind":"member_card"' in said
    assert re.search(r'"earned":1,"redeemed":150,.*"job":1,"token":null} 201', said)
    assert re.search(r'"url":"HTTP://127.0.0.1:\d+/E/\w{32}","job":2}', said)
    assert re.search(r"^event: status\ndata: \[", said, flags=re.MULTILINE)
    assert "urn:tillmate:problem" not in said

    def booked() -> set[tuple[str, str]]:
        bash(f"tillmate-server ledger --data {demo / 'server'} --csv ledger.csv", tmp_path)
        with (tmp_path / "ledger.csv").open(newline="", encoding="utf-8") as file:
            return {(row["kind"], row["points"]) for row in csv.DictReader(file) if row["number"] == "0001"}

    until(lambda: booked() != set())
    assert booked() == {("earn", "1"), ("redeem", "-150")}
    with closing(sqlite3.connect(f"file:{demo / 'server/server.db'}?mode=ro", uri=True)) as database:
        held = database.execute("SELECT points, over_at IS NOT NULL FROM holds").fetchall()
    assert held == [(150, 1)], "the server held the points until their sale came"


def test_the_server_of_the_docs_is_set_up(tmp_path: Path) -> None:
    said = bash(blocks("server.md"), tmp_path).splitlines()
    assert said[:2] == ["initialised data=data", "published revision=2"]
    assert re.fullmatch(r"(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}", said[2])
    assert said[-3:] == [
        "written lines=4 file=ledger.csv",
        "expired members=0 points=0 returns_without_sale=0",
        "verified differences=0 sales_asked_again=0",
    ]
