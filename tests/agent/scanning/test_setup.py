"""`tillmate scanner setup` as store IT runs it: a scanner on a pty, found by its code, written into the config."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivers.virtual import scanner
from drivers.virtual.control import call as control

if TYPE_CHECKING:
    from conftest import Threads

TILLMATE = Path(sys.executable).with_name("tillmate")
DRIVER = """
from functools import partial

from drivers.base import Candidate, Driver
from drivers.scanners import serial_port

PTY = {pty!r}


def candidates():
    yield Candidate("a scanner", {{"port": PTY}}, partial(serial_port.open_port, serial_port.Options(PTY)))


DRIVER = Driver("scanner", "desk", "On a pty", "BETA", (), serial_port.Options, serial_port.open_port, candidates=candidates)
"""
CONFIG = """# ours
[server]
url = "http://127.0.0.1:1"
[state]
folder = "{folder}"

[[till]]
id = "1"  # the only one
"""


@pytest.fixture
def gun(tmp_path: Path, threads: Threads) -> str:
    """A scanner, and a stranger's driver that finds it. Returns the address that pulls its trigger."""
    pty = str(tmp_path / "pty")
    (tmp_path / "desk_driver.py").write_text(DRIVER.format(pty=pty), encoding="utf-8")
    about = tmp_path / "desk-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: desk\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[tillmate.drivers]\nscanner.desk = desk_driver:DRIVER\n", encoding="utf-8")
    ready: queue.Queue[str] = queue.Queue()
    threads.start(lambda stop: scanner.run(scanner.Options(pty=pty), stop, ready.put))
    return ready.get(timeout=5).split("control=")[1]


@pytest.fixture
def setup(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    def start(*words: str) -> subprocess.Popen[str]:
        (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path / "state"), encoding="utf-8")
        wanted = ("--driver", "desk", "--language", "en", "--config", str(tmp_path / "config.toml"))
        return subprocess.Popen(
            [str(TILLMATE), "scanner", "setup", *wanted, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )

    return start


def pull(gun: str, code: str, **request: object) -> None:
    """The trigger, once the port has been open for a moment: opening throws away what came before."""
    end, tick = time.monotonic() + 20, threading.Event()
    while not control(gun, {"do": "state"})["connected"]:
        assert time.monotonic() < end
        tick.wait(0.05)
    tick.wait(0.3)
    control(gun, {"do": "scan", "code": code, **request})


def test_the_scanner_is_found_and_written(
    gun: str, setup: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    running = setup("--code", "4606203090785", "--name", "counter", "--write")
    assert running.stdout is not None
    assert running.stdout.readline() == "Scan the bar code with this below it, now: 4606203090785\n"
    pull(gun, "]E04606203090785")
    told, said = running.communicate(timeout=20)
    assert running.returncode == 0, said
    assert "AIM id (]E0): good" in said
    assert "without --code" in said
    assert 'driver = "desk"' in told
    assert "scanner 'counter' of till 1" in told
    written = (tmp_path / "config.toml").read_text(encoding="utf-8")
    table = tomllib.loads(written)
    assert table["scanner"] == [{"name": "counter", "driver": "desk", "options": {"port": str(tmp_path / "pty")}}]
    assert table["till"] == [{"id": "1", "scanners": ["counter"]}]
    assert written.startswith("# ours\n")
    assert '"1"  # the only one\n' in written


def test_the_code_on_the_screen_is_enough(gun: str, setup: Callable[..., subprocess.Popen[str]]) -> None:
    running = setup()
    assert running.stdout is not None
    shown = next(line for line in running.stdout if line.startswith("Scan this code now: "))
    pull(gun, shown.split(": ")[1].strip(), suffix="")
    told, said = running.communicate(timeout=20)
    assert running.returncode == 0, said
    assert "sends no AIM id" in said
    assert "Set the suffix CR" in said
    assert "without --code" not in said
    assert "run it again with --write" in told


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--seconds", "1"), 1, "The code has not come"),
        (("--code", "123"), 2, "6 or more characters"),
    ],
)
def test_what_cannot_be_found_is_said(
    gun: str, setup: Callable[..., subprocess.Popen[str]], words: tuple[str, ...], code: int, why: str
) -> None:
    assert gun
    running = setup(*words, "--seconds", "1")
    _, said = running.communicate(timeout=20)
    assert (running.returncode, why in said) == (code, True), said
