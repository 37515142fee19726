"""Peers of the drivers: the virtual scanner and the virtual printer in threads."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from drivers.virtual import printer, scanner
from drivers.virtual.control import call

Until = Callable[[Callable[[], bool]], None]
V = TypeVar("V", bound="Virtual")


@pytest.fixture
def until() -> Until:
    """Wait for a condition, at most 5 s."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline, tick = time.monotonic() + 5, threading.Event()
        while not condition():
            assert time.monotonic() < deadline, "it did not happen within 5 s"
            tick.wait(0.005)

    return wait


@dataclass
class Virtual:
    """Where a running virtual device can be reached."""

    device: str
    control: str
    thread: threading.Thread
    stop: threading.Event

    def do(self, what: str, **request: object) -> dict[str, object]:
        return call(self.control, {"do": what, **request})

    def state(self, name: str) -> object:
        return self.do("state")[name]


class VirtualScanner(Virtual):
    def scan(self, code: str, **request: object) -> None:
        self.do("scan", code=code, **request)


class VirtualPrinter(Virtual):
    def receipts(self) -> list[dict[str, object]]:
        found = self.do("receipts")["receipts"]
        assert isinstance(found, list)
        return found


@contextmanager
def started(run: Callable[..., None], kind: type[V]) -> Iterator[Callable[[object], V]]:
    """Start virtual devices in threads; all are stopped at the end, and must stop at once."""
    running: list[V] = []

    def start(options: object) -> V:
        lines: queue.Queue[str] = queue.Queue()
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(options, stop, lines.put), daemon=True)
        thread.start()
        _, device, control = lines.get(timeout=5).split(" ")
        running.append(kind(device.removeprefix("device="), control.removeprefix("control="), thread, stop))
        return running[-1]

    yield start
    for each in running:
        each.stop.set()
        each.thread.join(1)
        assert not each.thread.is_alive()


@pytest.fixture
def start_scanner() -> Iterator[Callable[[scanner.Options], VirtualScanner]]:
    with started(scanner.run, VirtualScanner) as start:
        yield start


@pytest.fixture(params=["tcp", "pty"])
def virtual_scanner(
    request: pytest.FixtureRequest, start_scanner: Callable[[scanner.Options], VirtualScanner], tmp_path: Path
) -> VirtualScanner:
    """A running virtual scanner, once on TCP and once on a pty."""
    return start_scanner(scanner.Options(pty=str(tmp_path / "scanner") if request.param == "pty" else ""))


@pytest.fixture
def start_printer() -> Iterator[Callable[[printer.Options], VirtualPrinter]]:
    with started(printer.run, VirtualPrinter) as start:
        yield start


@pytest.fixture
def virtual_printer(start_printer: Callable[[printer.Options], VirtualPrinter], tmp_path: Path) -> VirtualPrinter:
    """A running virtual printer on TCP that writes into `tmp_path/paper`."""
    return start_printer(printer.Options(out=str(tmp_path / "paper")))
