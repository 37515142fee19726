"""What systemd hears, over a real datagram socket; and a watchdog that keeps silent when something vital is ill."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.health import BEAT_WITHIN, Health, Ping, Watchdog, http_answers
from agent.service import notify, watchdog_seconds
from agent.threads import Worker
from offline_queue.outcome import Outcome

if TYPE_CHECKING:
    from conftest import Store, Threads, Until


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(2)
        yield listener


def test_a_message_reaches_the_service_manager(manager: socket.socket) -> None:
    assert notify("READY=1", {"NOTIFY_SOCKET": str(manager.getsockname())})
    assert manager.recv(100) == b"READY=1"


def test_abstract_sockets_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"tillmate-test-{os.getpid()}"
        listener.bind(f"\0{name}")
        listener.settimeout(2)
        assert notify("STOPPING=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert listener.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_service_manager_nothing_happens(environment: dict[str, str]) -> None:
    assert not notify("READY=1", environment)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_watchdog_is_for_the_process_that_is_named(environment: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environment) == seconds


@dataclass
class Beat:
    beat: float


def test_what_fails_is_named(store: Store) -> None:
    clock = SystemClock()
    ended = Worker("queue", lambda _: None)
    now = clock.monotonic()
    health = Health({"1": Beat(now), "2": Beat(now - BEAT_WITHIN - 1)}, [ended], store.queue, clock)
    assert health.failing() == ["queue", "till-2"]
    assert health.queue_answers()


class Silent:
    """A writer that never answers."""

    def submit(self, operation: Ping, /) -> Outcome[None]:
        assert isinstance(operation, Ping)
        future = Outcome[None]()
        future.fail(TimeoutError())
        return future


def test_a_queue_that_does_not_answer_is_noticed() -> None:
    assert not Health({}, [], Silent(), SystemClock()).queue_answers()


def test_nobody_listens_on_that_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert not http_answers(free.getsockname()[1], "/healthz", 0.5)


class Page(BaseHTTPRequestHandler):
    """/healthz of an agent; its server's `ill` says which answer."""

    def do_GET(self) -> None:
        self.send_response(503 if self.server.ill else 200)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_the_watchdog_beats_while_all_is_well_and_keeps_silent_when_not(
    store: Store, threads: Threads, until: Until
) -> None:
    beats: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        server.ill = False  # type: ignore[attr-defined]
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        health = Health({}, [], store.queue, SystemClock())
        stop = threads.start(Watchdog(health, server.server_port, 0.06, beats.append).run)
        until(lambda: len(beats) >= 2)
        server.ill = True  # type: ignore[attr-defined]
        asked = len(beats) + 1  # one may be on its way
        threading.Event().wait(0.3)
        threads.end(stop)
        server.shutdown()
        serving.join(2)
    assert set(beats) == {"WATCHDOG=1"}
    assert len(beats) <= asked
