"""The agent put together in this process: start and stop in order, failures while it is built and while it runs."""

from __future__ import annotations

import queue
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import app, config
from agent.api.server import PortInUse
from agent.app import App, StateFolderUnusable, build, exit_code
from agent.clock import SystemClock
from agent.config import Config, ConfigError
from agent.health import http_answers
from agent.identity import IdentityDamaged
from agent.threads import Worker
from offline_queue import Queue, QueueDamaged, QueueFull, QueueLocked, QueueMismatch

if TYPE_CHECKING:
    from conftest import Until

CLOCK = SystemClock()
SOURCE = """
language = "en"
[state]
folder = "{folder}"
[server]
url = "http://127.0.0.1:{nobody}"
[api]
port = {port}
[[till]]
id = "1"
printer = "receipt"
scanners = ["counter"]
[[till]]
id = "2"
[[scanner]]
name = "counter"
driver = "serial_port"
options = {{ port = "socket://127.0.0.1:{nobody}" }}
[[scanner]]
name = "spare"
driver = "serial_port"
options = {{ port = "socket://127.0.0.1:{nobody}" }}
[[printer]]
name = "receipt"
driver = "tcp"
options = {{ host = "127.0.0.1", port = {nobody} }}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        ports = {"port": one.getsockname()[1], "nobody": other.getsockname()[1]}
    path = tmp_path / "config.toml"
    path.write_text(SOURCE.format(folder=tmp_path / "state", **ports), encoding="utf-8")
    return config.load(path)


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


def test_a_queue_that_fails_ends_the_agent(settings: Config) -> None:
    agent = build(settings, CLOCK)
    running = Running(agent)
    running.ready.get(timeout=10)
    damage = QueueDamaged("queue.db: disk I/O error")
    (writer,) = agent.groups.queue
    writer.failed(damage)  # what its guard does
    running.thread.join(5)
    assert not running.thread.is_alive()
    assert agent.failure is damage
    assert exit_code(agent.failure) == 65


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
