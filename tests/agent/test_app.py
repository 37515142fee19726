"""The agent put together in this process: start and stop in order, failures while it is built and while it runs."""

from __future__ import annotations

import http.client
import importlib
import json
import logging
import queue
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

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
from agent.identity import IdentityDamaged, data_keys
from agent.situation import Situation
from agent.state_folder import StateFolderUnusable
from agent.threads import Worker
from agent.watch import HANGS_AFTER
from agent.wiring import Base, make_report
from loyalty.codes import ident
from loyalty.quote import MemberState
from loyalty.wire import ChangesPage, Included, MemberChange, Programmes
from offline_queue import Keyring, Queue, QueueDamaged, QueueFull, QueueLocked, QueueMismatch, Replica

from .shop import CONFIG
from .sync.central import Central, programme, serving

if TYPE_CHECKING:
    from conftest import LeapingClock, Until

CLOCK = SystemClock()
CARD = "2900000000117"
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


def load_settings(folder: Path, driver: str = "serial_port", url: str = "") -> Config:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        port, nobody = (probe.getsockname()[1] for probe in (one, other))
    ports = {"port": port, "nobody": nobody, "scanner": nobody, "printer": nobody}
    path = folder / "config.toml"
    second_till = '[[till]]\nid = "2"\n'
    source = CONFIG.format(language="en", folder=folder / "state", driver=driver, **ports) + second_till
    if url:
        source = re.sub(r'url = ".*"', f'url = "{url}"\nclaim_code = "CODE"\nsync_seconds = 0.1', source)
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
        "queue", "printer-receipt", "till-1", "till-2", "feed", "drain", "hold", "search", "care", "scanner-counter", "api", "admin",
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


def test_the_members_feed_may_meet_a_damaged_replica_and_goes_on(settings: Config, until: Until) -> None:
    agent = build(settings, CLOCK)
    feed = agent.groups.sync[0]
    run = feed.run

    def fail_once(_: threading.Event) -> None:
        feed.run = run
        raise QueueDamaged("members.db: database disk image is malformed")

    feed.run = fail_once
    running = Running(agent)
    until(lambda: feed.restarts == 1)
    running.end()
    assert agent.failure is None


def test_a_queue_that_cannot_be_read_is_no_reason_to_say_nothing(settings: Config, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"not what it was" * 1000)
    settings.folder.mkdir()
    queue, replica = Queue.open(settings.folder / "queue.db", CLOCK), Replica(tmp_path / "members.db")
    base = Base(settings, CLOCK, queue, damaged, replica, Situation(replica, None))
    base.status.set("scanner", "counter", "ok", "status.scanner_ok")
    report = make_report(base)
    assert (report.queue, [part.name for part in report.parts]) == (None, ["counter"])
    queue.close()


class Register:
    """A cash register that is paired with till 1."""

    def __init__(self, settings: Config) -> None:
        self.port = settings.api.port
        code = call(settings.folder / "admin.sock", {"do": "pairing_code", "till": "1", "for": "pos"})["code"]
        self.token = ""
        self.token = self.post("/v1/pairing", {"code": code})["token"]

    def post(self, path: str, body: object) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path, json.dumps(body), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def identify(self, code: str) -> str:
        """What the screen shows then."""
        return str(self.post("/v1/tills/1/identify", {"code": code}).get("view", {}).get("state"))


def test_members_that_arrive_repaint_the_screen(tmp_path: Path, until: Until) -> None:
    central = Central(programmes=Programmes(programme(1)))
    nobody = ChangesPage(changes=(), next="a", complete=True, includes=Included(epoch=central.epoch, seq=0))
    central.pages = {"": nobody, "a": nobody}
    with serving(central) as url:
        settings = load_settings(tmp_path, url=url)
        running = Running(build(settings, CLOCK))
        running.ready.get(timeout=10)
        register = Register(settings)
        until(lambda: register.identify(CARD) == "card_only")
        member = MemberChange(member="m1", idents=(ident(b"i" * 32, CARD),), state=MemberState(balance=300))
        central.pages["a"] = msgspec.structs.replace(nobody, changes=(member,))
        until(lambda: register.identify("no card") == "member")
        running.end()


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
    Queue.open(settings.folder / "queue.db", CLOCK, keys=Keyring(data_keys(settings.folder))).close()


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
