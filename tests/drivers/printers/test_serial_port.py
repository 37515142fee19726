"""The serial driver against the other end of a pty: one that reads, reads slowly, does not read, says XOFF, is pulled."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
from serial import Serial

from drivers.base import DeviceBusy, DeviceGone, DeviceRefused, DeviceStalled
from drivers.printers.serial_port import DRIVER, Options, SerialPrinter

XON, XOFF = b"\x11", b"\x13"
RECEIPT = bytes(range(0x20, 0xA0)) * 800  # 102,400 bytes: more than a pty keeps
Until = Callable[[Callable[[], bool]], None]


class Peer:
    """The printer's end of the cable."""

    def __init__(self) -> None:
        self._end, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        os.close(slave)
        self.got = b""
        self._readers: list[tuple[threading.Thread, threading.Event]] = []

    def send(self, data: bytes) -> None:
        os.write(self._end, data)

    def read(self, per_second: float = float("inf")) -> None:
        """Take what comes from now on, at most that many bytes a second."""
        stop = threading.Event()
        reader = threading.Thread(target=self._read, args=(per_second, stop), daemon=True)
        self._readers.append((reader, stop))
        reader.start()

    def pull(self) -> None:
        self.rest()
        if self._end >= 0:
            os.close(self._end)
        self._end = -1

    def rest(self) -> None:
        for reader, stop in self._readers:
            stop.set()
            reader.join(5)
        self._readers.clear()

    def _read(self, per_second: float, stop: threading.Event) -> None:
        portion = 4096 if per_second == float("inf") else max(int(per_second * 0.02), 1)
        while not stop.wait(0.0 if portion == 4096 else 0.02):
            if select.select([self._end], [], [], 0.02)[0]:
                with suppress(OSError):  # nobody has the port open
                    self.got += os.read(self._end, portion)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.pull()


@pytest.fixture
def printer(peer: Peer) -> Iterator[SerialPrinter]:
    with closing(DRIVER.open(Options(peer.port))) as printer:
        yield printer


def test_a_printer_that_reads_gets_everything_once(peer: Peer, printer: SerialPrinter, until: Until) -> None:
    peer.read()
    printer.write(RECEIPT, 1.0)
    until(lambda: len(peer.got) == len(RECEIPT))
    assert peer.got == RECEIPT


def test_a_slow_printer_is_waited_for_as_long_as_it_takes_something(
    peer: Peer, printer: SerialPrinter, until: Until
) -> None:
    peer.read(per_second=60_000)
    started = time.monotonic()
    printer.write(RECEIPT, 1.0)
    assert time.monotonic() - started > 1.2, "it took longer than the timeout"
    until(lambda: peer.got == RECEIPT)


def test_a_printer_that_does_not_read_stalls_and_goes_on_where_it_stopped(
    peer: Peer, printer: SerialPrinter, until: Until
) -> None:
    started = time.monotonic()
    with pytest.raises(DeviceStalled, match=f"{peer.port}: it takes nothing") as caught:
        printer.write(RECEIPT, 0.2)
    assert 0.2 <= time.monotonic() - started < 1
    assert 0 < caught.value.taken < len(RECEIPT)
    peer.read()
    printer.write(RECEIPT[caught.value.taken :], 1.0)
    until(lambda: len(peer.got) >= len(RECEIPT))
    assert peer.got == RECEIPT


def test_xoff_holds_the_receipt_and_xon_lets_it_go_on(peer: Peer, printer: SerialPrinter, until: Until) -> None:
    peer.read()
    peer.send(XOFF + b"\x12")
    assert printer.read(1.0) == b"\x12"  # so the XOFF has come
    with pytest.raises(DeviceStalled) as caught:
        printer.write(b"receipt", 0.2)
    assert caught.value.taken == 0
    assert peer.got == b""
    peer.send(XON)
    printer.write(b"receipt"[caught.value.taken :], 1.0)
    until(lambda: peer.got == b"receipt")


def test_a_write_waits_out_a_short_xoff(peer: Peer, printer: SerialPrinter, until: Until) -> None:
    peer.read()
    peer.send(XOFF + b"\x12")
    assert printer.read(1.0) == b"\x12"
    resume = threading.Timer(0.3, peer.send, [XON])
    resume.start()
    started = time.monotonic()
    printer.write(b"receipt", 5.0)
    assert time.monotonic() - started > 0.2
    until(lambda: peer.got == b"receipt")
    resume.join()


def test_flow_control_does_not_get_into_the_replies(peer: Peer, printer: SerialPrinter) -> None:
    peer.send(b"\x12" + XOFF + XON + b"\x16" + XOFF + b"\x1e" + XON)
    replies, deadline = b"", time.monotonic() + 5
    while len(replies) < 3 and time.monotonic() < deadline:
        replies += printer.read(0.2)
    assert replies == b"\x12\x16\x1e"


@pytest.mark.parametrize("flow", ["none", "rtscts"])
def test_without_xonxoff_those_bytes_are_bytes(peer: Peer, flow: str) -> None:
    with closing(DRIVER.open(Options(peer.port, flow=flow))) as printer:
        peer.send(XOFF + XON)
        assert printer.read(1.0) + printer.read(0.1) == XOFF + XON
        printer.write(b"x", 0.5)


def test_it_is_closed_at_once_also_in_the_middle(printer: SerialPrinter) -> None:
    with pytest.raises(DeviceStalled):
        printer.write(RECEIPT, 0.1)
    started = time.monotonic()
    printer.close()
    printer.close()
    assert time.monotonic() - started < 0.5
    for use in (lambda: printer.write(b"x", 0.1), lambda: printer.read(0.1)):
        with pytest.raises(DeviceGone):
            use()


def test_pulled_while_it_stalls_is_gone_at_once(peer: Peer, printer: SerialPrinter) -> None:
    puller = threading.Timer(0.1, peer.pull)
    puller.start()
    started = time.monotonic()
    with pytest.raises(DeviceGone) as caught:
        printer.write(RECEIPT, 10.0)
    assert not isinstance(caught.value, DeviceStalled)
    assert time.monotonic() - started < 2
    puller.join()


class Wired(Serial):
    """A port with a line that a pty does not have."""

    ready = True

    @property
    def dsr(self) -> bool:
        return self.ready


def test_dsr_is_obeyed_before_each_portion(peer: Peer, until: Until) -> None:
    port = Wired(peer.port, timeout=0, exclusive=True)
    with closing(SerialPrinter(port, peer.port, asks_dsr=True)) as printer:
        peer.read()
        printer.write(b"one", 1.0)
        port.ready = False
        with pytest.raises(DeviceStalled) as caught:
            printer.write(b"two", 0.1)
        assert caught.value.taken == 0
        ready = threading.Timer(0.2, setattr, [port, "ready", True])
        ready.start()
        printer.write(b"two", 5.0)
        until(lambda: peer.got == b"onetwo")
        ready.join()


def test_a_port_without_that_line_is_refused_and_given_back(peer: Peer) -> None:
    with pytest.raises(DeviceRefused, match="does not take these settings"):
        DRIVER.open(Options(peer.port, flow="dsrdtr"))
    DRIVER.open(Options(peer.port)).close()


def test_seven_bits_work_or_are_refused_in_our_words(peer: Peer) -> None:
    with suppress(DeviceRefused):
        DRIVER.open(Options(peer.port, bytesize=7, parity="even")).close()
    DRIVER.open(Options(peer.port)).close()


def test_a_predecessor_that_hangs_keeps_the_port_busy(peer: Peer, printer: SerialPrinter) -> None:
    with pytest.raises(DeviceBusy, match="another program"):
        DRIVER.open(Options(peer.port))
    printer.close()
    DRIVER.open(Options(peer.port)).close()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"port": ""}, "port is empty"),
        ({"port": "/dev/ttyS0", "baudrate": 0}, "baudrate 0"),
        ({"port": "socket://printer:9100"}, "driver tcp"),
    ],
)
def test_wrong_options_are_refused_when_the_config_is_read(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Options(**fields)


class Buffered(Serial):
    """A port whose kernel still has bytes to send; a pty never has."""

    unsent = 0

    @property
    def out_waiting(self) -> int:
        self.unsent = max(self.unsent - 10, 0) if self.unsent < 1000 else self.unsent
        return self.unsent


def test_a_write_ends_when_the_last_byte_is_on_the_line(peer: Peer) -> None:
    port = Buffered(peer.port, timeout=0, exclusive=True)
    with closing(SerialPrinter(port, peer.port, asks_dsr=False)) as printer:
        port.unsent = 500
        printer.write(b"receipt", 0.1)
        assert port.unsent == 0
        port.unsent = 4096
        with pytest.raises(DeviceStalled, match="4096 bytes are on the way") as caught:
            printer.write(b"receipt", 0.1)
        assert caught.value.taken == 7, "the kernel has them all"
        port.unsent = 500
        printer.write(b"", 0.1)
        assert port.unsent == 0
