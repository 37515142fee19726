"""The agent put together in this process: start and stop in order, failures while it is built and while it runs."""

from __future__ import annotations

import importlib
import logging
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec
import pytest

from agent import app, config
from agent.api.admin_socket import call
from agent.api.schemas import StatusReport
from agent.api.server import PortInUse
from agent.app import App, build, exit_code
from agent.clock import SystemClock
from agent.config import Config, ConfigError
from agent.health import http_answers
from agent.identity import IdentityDamaged
from agent.state_folder import StateFolderUnusable
from agent.threads import Worker
from agent.watch import HANGS_AFTER
from offline_queue import Queue, QueueDamaged, QueueFull, QueueLocked, QueueMismatch

from .shop import CONFIG

if TYPE_CHECKING:
    from conftest import LeapingClock, Until

CLOCK = SystemClock()
HANGING_DRIVER = """
from dataclasses import dataclass
from threading import Event

from drivers.base import Driver

HANGING, RELEASE, OPEN_AGAIN = Event(), Event(), Event()


@dataclass(frozen=True)
class Options:
    port: str


class Scanner:
    def __init__(self, options):
        self.first = not HANGING.is_set()
        self.first or OPEN_AGAIN.wait()
        self.codes = [b"HELLO\\r"]

    def read(self, timeout):
        if self.first:
            HANGING.set()
            RELEASE.wait()
        Event().wait(timeout)
        return self.codes.pop() if self.codes else b""

    def close(self): ...


DRIVER = Driver("scanner", "hangs", "Hangs", "BETA", (), Options, Scanner)
"""


def load_settings(folder: Path, driver: str = "serial_port") -> Config:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        port, nobody = (probe.getsockname()[1] for probe in (one, other))
    ports = {"port": port, "nobody": nobody, "scanner": nobody, "printer": nobody}
    path = folder / "config.toml"
    second_till = '[[till]]\nid = "2"\n'
    source = CONFIG.format(language="en", folder=folder / "state", driver=driver, **ports) + second_till
    path.write_text(source, encoding="utf-8")
    return config.load(path)


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return load_settings(tmp_path)


@pytest.fixture
def hanging_driver(tmp_path: Path) -> Iterator[ModuleType]:
    """A stranger's package with a scanner driver called `hangs`, whose first device does."""
    (tmp_path / "hanging_driver.py").write_text(HANGING_DRIVER, encoding="utf-8")
    about = tmp_path / "hanging-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[tillmate.drivers]\nscanner.hangs = hanging_driver:DRIVER\n")
    sys.path.insert(0, str(tmp_path))
    module = importlib.import_module("hanging_driver")
    yield module
    module.RELEASE.set()
    module.OPEN_AGAIN.set()
    sys.path.remove(str(tmp_path))
    del sys.modules["hanging_driver"]


class Running:
    """An app in a thread."""

    def __init__(self, agent: App) -> None:
        self.agent = agent
        self.stop = threading.Event()
        self.ready: queue.Queue[int] = queue.Queue()
        self.hung: list[str] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.hung = self.agent.run(self.stop, self.ready.put)

    def end(self) -> float:
        begin = time.monotonic()
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return time.monotonic() - begin


def scanner_says(folder: Path) -> str:
    report = msgspec.convert(call(folder / "state" / "admin.sock", {"do": "status"})["status"], StatusReport)
    return next(part.text["en"] for part in report.parts if part.part == "scanner")


def test_it_runs_and_every_thread_ends_within_three_seconds(settings: Config) -> None:
    running = Running(build(settings, CLOCK))
    assert running.ready.get(timeout=10) == settings.api.port
    names = [worker.name for worker in running.agent.groups.starting()]
    assert names == [
        "queue", "printer-receipt", "till-1", "till-2", "feed", "drain", "scanner-counter", "api", "admin",
    ]  # fmt: skip
    assert running.end() <= 3.0
    assert running.hung == []
    assert [worker.name for worker in running.agent.groups.starting() if worker.alive] == []
    build_again = build(settings, CLOCK)  # port, socket and queue were given back
    Running(build_again).end()


def test_a_thread_that_hangs_is_named_and_does_not_hold_the_rest(settings: Config) -> None:
    agent = build(settings, CLOCK)
    release = threading.Event()
    agent.groups.printers.append(Worker("printer-hung", lambda _: release.wait() and None))
    running = Running(agent)
    running.ready.get(timeout=10)
    assert running.end() <= 3.2
    assert running.hung == ["printer-hung"]
    release.set()


@pytest.mark.parametrize("group", ["queue", "printers", "tills"])
def test_a_queue_that_is_damaged_ends_the_agent_whoever_meets_it(settings: Config, group: str) -> None:
    agent = build(settings, CLOCK)
    damage = QueueDamaged("queue.db: disk I/O error")
    worker: Worker = getattr(agent.groups, group)[0]
    run, at_once = worker.run, threading.Event()
    at_once.set()

    def fail(_: threading.Event) -> None:
        run(at_once)
        raise damage

    worker.run = fail
    running = Running(agent)
    running.thread.join(10)
    assert not running.thread.is_alive()
    assert agent.failure is damage


def test_a_driver_that_hangs_is_shown_and_replaced_while_the_agent_runs(
    tmp_path: Path,
    hanging_driver: ModuleType,
    leaping_clock: LeapingClock,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    running = Running(build(load_settings(tmp_path, "hangs"), leaping_clock))
    running.ready.get(timeout=10)
    assert hanging_driver.HANGING.wait(5)
    assert scanner_says(tmp_path) == "The scanner is ready."
    leaping_clock.ahead += HANGS_AFTER + 1
    until(lambda: "does not react" in scanner_says(tmp_path))
    hanging_driver.OPEN_AGAIN.set()
    until(lambda: scanner_says(tmp_path) == "The scanner is ready.")
    until(lambda: caplog.text.count("scanned=5") == 1)
    hanging_driver.RELEASE.set()
    until(lambda: [each.name for each in threading.enumerate()].count("scanner-counter") == 1)
    assert caplog.text.count("scanned=5") == 1  # what the first one reads now is nobody's scan
    running.end()
    assert running.hung == []


def test_what_was_opened_is_given_back_when_the_start_fails(settings: Config) -> None:
    with socket.create_server(("127.0.0.1", settings.api.port)), pytest.raises(PortInUse):
        build(settings, CLOCK)
    Queue.open(settings.folder / "queue.db", CLOCK).close()


def test_a_till_that_hangs_makes_the_agent_unhealthy(settings: Config, until: Until) -> None:
    agent = build(settings, CLOCK)
    release = threading.Event()
    agent.groups.tills[1].run = lambda _: release.wait() and None
    running = Running(agent)
    until(lambda: http_answers(agent.port, "/healthz"))
    until(lambda: not http_answers(agent.port, "/healthz"), within=15)
    release.set()
    running.end()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError(Path("c"), (), "en"), 78),
        (StateFolderUnusable("no"), 78),
        (PortInUse("taken"), 69),
        (QueueLocked("locked"), 75),
        (QueueDamaged("damaged"), 65),
        (QueueMismatch("other"), 65),
        (IdentityDamaged("damaged"), 65),
        (QueueFull("full"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_every_end_has_its_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_the_whole_stop_is_planned_to_fit() -> None:
    assert app.STOP_WITHIN < 3.0
