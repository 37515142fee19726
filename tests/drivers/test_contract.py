"""Every driver of the registry against the contract of drivers.base, each with a far end that speaks its transport.

A new driver is held to it from the moment its file exists: it needs an entry in FAR_ENDS, and says so until it has one.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import socket
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

import pytest

from drivers import registry
from drivers.base import AnyDriver, DeviceError, DeviceGone, DeviceRefused, Kind, Maturity, Printer
from drivers.printers.usb import open_printer
from drivers.scanners.hid_keyboard import open_keyboard
from drivers.scanners.hid_pos import END, open_scanner

from .printers.usb_device import Bus, UsbDevice
from .scanners.nodes import HidPosScanner, KeyboardScanner, Tree

if TYPE_CHECKING:
    from rig.cups import Cups

NAMES: list[tuple[Kind, str]] = [(kind, name) for kind in get_args(Kind) for name in registry.names(kind)]


class FarEnd(Protocol):
    """What is at the other end of the cable. It is there from the start."""

    options: dict[str, object]

    def send(self, data: bytes) -> None:
        """Send to the driver, which has the device open."""
        ...

    def receive(self, count: int) -> bytes:
        """Wait for that many bytes of the driver."""
        ...

    def vanish(self) -> None:
        """Be unplugged. May be said twice."""
        ...

    def appear(self) -> None:
        """Be plugged in again."""
        ...


class TcpEnd:
    """A device that listens on TCP."""

    def __init__(self, options: Callable[[int], dict[str, object]]) -> None:
        self._where = ("127.0.0.1", 0)
        self.appear()
        self._where = self._listener.getsockname()
        self.options = options(self._where[1])

    def send(self, data: bytes) -> None:
        self._caller().sendall(data)

    def receive(self, count: int) -> bytes:
        return self._caller().recv(count, socket.MSG_WAITALL)

    def vanish(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._listener.close()

    def appear(self) -> None:
        self._listener = socket.create_server(self._where)
        self._listener.settimeout(5)
        self._connection: socket.socket | None = None

    def _caller(self) -> socket.socket:
        if self._connection is None:
            self._connection, _ = self._listener.accept()
            self._connection.settimeout(5)
        return self._connection


class PtyEnd:
    """A device on a serial cable, or at another node that is read and written like one."""

    def __init__(self, link: Path, option: str = "port", **others: object) -> None:
        self._link = link
        self.options = {option: str(link), **others}
        self.appear()

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += os.read(self._master, count - len(data))
        return data

    def vanish(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            self._link.unlink()
        self._master = -1

    def appear(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self._link.symlink_to(os.ttyname(slave))
        os.close(slave)


class CallingEnd:
    """A scanner that calls us, again and again until it is let in."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._where = free.getsockname()
        self.options = {"listen": f"127.0.0.1:{self._where[1]}"}
        self.appear()

    def send(self, data: bytes) -> None:
        assert self._let_in.wait(5)
        self._connection.sendall(data)

    def vanish(self) -> None:
        self._gone.set()
        if self._let_in.is_set():
            with suppress(OSError):  # we have just hung up on it
                self._connection.shutdown(socket.SHUT_RDWR)
        self._caller.join(5)

    def appear(self) -> None:
        self._gone, self._let_in = threading.Event(), threading.Event()
        self._caller = threading.Thread(target=self._call, daemon=True)
        self._caller.start()

    def _call(self) -> None:
        while not self._gone.wait(0.01):
            with suppress(OSError), socket.create_connection(self._where) as self._connection:
                self._let_in.set()
                if not self._gone.is_set():
                    self._connection.recv(1)  # until it is hung up on
            self._let_in.clear()


class KeyboardEnd:
    """A scanner in keyboard mode: it has keys for ASCII and control characters."""

    alphabet = bytes(range(127))

    def __init__(self, folder: Path) -> None:
        self._scanner = KeyboardScanner(Tree(folder))
        self.options = {"vendor": "0c2e", "product": "0b61"}
        self.opener = partial(open_keyboard, system=self._scanner.system)
        self.vanish, self.appear = self._scanner.pull, self._scanner.plug

    def send(self, data: bytes) -> None:
        """More than the node can hold: it is read meanwhile."""
        threading.Thread(target=self._scanner.type, args=(data,), daemon=True).start()


class HidPosEnd:
    """A scanner that knows itself where a code ends."""

    end = END

    def __init__(self, folder: Path) -> None:
        self._scanner = HidPosScanner(Tree(folder))
        self.options = {"vendor": "0c2e", "product": "0720"}
        self.opener = partial(open_scanner, system=self._scanner.system)
        self.send, self.vanish, self.appear = self._scanner.scan, self._scanner.pull, self._scanner.plug


class UsbEnd:
    """A printer on an emulated bus."""

    def __init__(self) -> None:
        self._device = UsbDevice()
        self.options = {"vendor": "04b8", "product": "0202"}
        self.opener = partial(open_printer, backend=Bus(self._device))

    def send(self, data: bytes) -> None:
        self._device.reply(data)

    def receive(self, count: int) -> bytes:
        with self._device.changed:
            assert self._device.wait(lambda: len(self._device.received) >= count, 5)
            return bytes(self._device.received)

    def vanish(self) -> None:
        self._device.unplug()

    def appear(self) -> None:
        self._device.plug()


class QueueEnd:
    """A printer behind a queue of the system."""

    def __init__(self, cups: Cups) -> None:
        self._queue = cups.queue("contract")
        self._old = len(self._queue.papers)
        self._there = True
        self.options = {"queue": self._queue.name}

    def receive(self, count: int) -> bytes:
        deadline, tick = time.monotonic() + 5, threading.Event()
        while len(paper := b"".join(self._queue.papers[self._old :])) < count and time.monotonic() < deadline:
            tick.wait(0.02)
        return paper

    def vanish(self) -> None:
        if self._there:
            self._queue.remove()
        self._there = False

    def appear(self) -> None:
        self._queue.add()
        self._there = True


# Each is made of a folder of its own, or of the fixture that FIXTURES names.
FAR_ENDS: dict[tuple[Kind, str], list[Callable[[Any], FarEnd]]] = {
    ("scanner", "hid_keyboard"): [KeyboardEnd],
    ("scanner", "hid_pos"): [HidPosEnd],
    ("scanner", "serial_port"): [
        lambda folder: PtyEnd(folder / "port"),
        lambda _: TcpEnd(lambda port: {"port": f"socket://127.0.0.1:{port}"}),
    ],
    ("scanner", "tcp"): [
        lambda _: TcpEnd(lambda port: {"host": "127.0.0.1", "port": port}),
        lambda _: CallingEnd(),
    ],
    ("printer", "os_queue"): [QueueEnd],
    ("printer", "serial_port"): [lambda folder: PtyEnd(folder / "port", flow="none")],
    ("printer", "tcp"): [lambda _: TcpEnd(lambda port: {"host": "127.0.0.1", "port": port})],
    ("printer", "usb"): [lambda _: UsbEnd()],
    ("printer", "usblp"): [lambda folder: PtyEnd(folder / "lp0", "path")],
}
FIXTURES = {"os_queue": "cups"}


class Bench:
    """A driver and its far end."""

    def __init__(self, driver: AnyDriver, far: FarEnd) -> None:
        self.driver = dataclasses.replace(driver, open=getattr(far, "opener", driver.open))
        self.far = far
        self.opened: list[Printer] = []

    def open(self) -> Printer:
        """Open the device; only a printer is written to."""
        self.opened.append(self.driver.open(self.driver.options(**self.far.options)))
        return self.opened[-1]

    def end(self) -> None:
        for device in self.opened:
            device.close()
        self.far.vanish()


CASES = [(kind, name, number) for kind, name in NAMES for number in range(len(FAR_ENDS.get((kind, name), [])))]
PRINTERS = pytest.mark.parametrize("bench", [case for case in CASES if case[0] == "printer"], indirect=True)
ANSWERING = pytest.mark.parametrize(
    "bench", [case for case in CASES if registry.find(case[0], case[1]).answers], indirect=True
)


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind, name, number = request.param
    made_of = request.getfixturevalue(FIXTURES.get(name, "tmp_path"))
    bench = Bench(registry.find(kind, name), FAR_ENDS[kind, name][number](made_of))
    yield bench
    bench.end()


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_it_is_tried_here(kind: Kind, name: str) -> None:
    assert FAR_ENDS.get((kind, name)), f"{kind} driver {name} has no far end in {Path(__file__).name}"


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_it_declares_itself(kind: Kind, name: str) -> None:
    driver = registry.find(kind, name)
    module = sys.modules[driver.open.__module__]
    assert len((module.__doc__ or "").splitlines()) > 1, "the docstring says which device, whose manual, what quirks"
    assert driver.title
    assert driver.maturity in get_args(Maturity)
    assert driver.tested_with, "say what it was tested with"


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_its_options_are_a_frozen_dataclass_of_plain_values(kind: Kind, name: str) -> None:
    options = registry.find(kind, name).options
    assert dataclasses.is_dataclass(options)
    assert options.__dataclass_params__.frozen
    for hint in inspect.get_annotations(options, eval_str=True).values():
        assert all(isinstance(value, str | int) for value in get_args(hint) or [""]) or hint in (str, int, float, bool)


def test_an_absent_device_is_gone_and_is_named(bench: Bench) -> None:
    bench.far.vanish()
    started = time.monotonic()
    with pytest.raises(DeviceGone) as caught:
        bench.open()
    assert time.monotonic() - started < 5
    assert str(next(iter(bench.far.options.values()))) in str(caught.value)
    assert caught.value.__cause__ is not None


def test_silence_is_an_empty_read_in_time(bench: Bench) -> None:
    device = bench.open()
    for timeout in (0.1, 0.0):
        started = time.monotonic()
        assert device.read(timeout) == b""
        assert time.monotonic() - started < timeout + 0.2


@ANSWERING
def test_what_the_device_sends_is_read(bench: Bench) -> None:
    device = bench.open()
    every = getattr(bench.far, "alphabet", bytes(range(256)))
    sent = every + getattr(bench.far, "end", b"")
    bench.far.send(every)
    data, deadline = b"", time.monotonic() + 5
    while len(data) < len(sent) and time.monotonic() < deadline:
        data += device.read(0.2)
    assert data == sent


@PRINTERS
def test_what_is_written_arrives(bench: Bench) -> None:
    device = bench.open()
    device.write(bytes(range(256)), 1.0)
    assert bench.far.receive(256) == bytes(range(256))


@ANSWERING
def test_unplugged_is_gone_for_good_and_closes_in_peace(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    for _ in range(2):
        with pytest.raises(DeviceGone):
            device.read(1.0)
    device.close()
    device.close()


@ANSWERING
def test_it_opens_again_after_a_replug(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    device.close()
    bench.far.appear()
    again = bench.open()
    bench.far.send(b"x")
    assert again.read(5.0).startswith(b"x")


@PRINTERS
def test_a_printer_that_is_gone_cannot_be_written_to(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    with pytest.raises(DeviceGone if bench.driver.answers else DeviceRefused):
        device.write(bytes(50_000_000), 1.0)  # more than the system takes on its own account
    device.close()
    device.close()


@PRINTERS
def test_it_prints_again_after_a_replug(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    device.close()
    bench.far.appear()
    bench.open().write(b"x", 5.0)
    assert bench.far.receive(1) == b"x"


def test_every_descriptor_is_given_back(bench: Bench) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    bench.open().close()
    before, deadline, tick = descriptors(), time.monotonic() + 2, threading.Event()
    for _ in range(5):
        bench.open().close()
    while descriptors() > before and time.monotonic() < deadline:
        tick.wait(0.01)  # a far end that we have hung up on may have one more for a moment
    assert descriptors() <= before


def test_the_errors_have_codes_of_their_own() -> None:
    codes = [error.code for error in (DeviceError, *DeviceError.__subclasses__())]
    assert len(set(codes)) == len(codes)
