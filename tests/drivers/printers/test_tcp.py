"""The TCP driver against plain sockets: the peer answers, hangs up, is not there, does not read."""

import socket
import time
from collections.abc import Iterator

import pytest

from drivers.base import DeviceGone, Printer
from drivers.printers.tcp import DRIVER, Options


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


@pytest.fixture
def pair(listener: socket.socket) -> Iterator[tuple[Printer, socket.socket]]:
    """Our driver's device and the peer's end."""
    device = DRIVER.open(Options("127.0.0.1", listener.getsockname()[1]))
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(5)
        yield device, peer
    device.close()


def test_bytes_go_and_replies_come(pair: tuple[Printer, socket.socket]) -> None:
    device, peer = pair
    device.write(b"\x10\x04\x01", 1)
    assert peer.recv(10) == b"\x10\x04\x01"
    peer.sendall(b"\x12")
    assert device.read(1) == b"\x12"


def test_silence_is_no_error_and_takes_no_longer_than_asked(pair: tuple[Printer, socket.socket]) -> None:
    device, _ = pair
    started = time.monotonic()
    assert device.read(0.05) == b""
    assert device.read(0) == b""
    assert time.monotonic() - started < 1


def test_a_printer_that_hangs_up_is_gone(pair: tuple[Printer, socket.socket]) -> None:
    device, peer = pair
    peer.close()
    with pytest.raises(DeviceGone, match="hung up"):
        device.read(1)


def test_a_printer_that_takes_nothing_is_gone_in_time(pair: tuple[Printer, socket.socket]) -> None:
    device, _ = pair
    started = time.monotonic()
    with pytest.raises(DeviceGone, match=r"timed out; \d+ bytes were taken"):
        device.write(bytes(30_000_000), 0.1)
    assert time.monotonic() - started < 3


def test_after_close_it_is_gone(pair: tuple[Printer, socket.socket]) -> None:
    device, _ = pair
    device.close()
    device.close()
    with pytest.raises(DeviceGone):
        device.write(b"a", 0.1)
    with pytest.raises(DeviceGone):
        device.read(0.1)


def test_a_printer_that_is_not_there(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(DeviceGone, match=f"127.0.0.1:{port}.*check power"):
        DRIVER.open(Options("127.0.0.1", port))


@pytest.mark.parametrize(
    ("host", "port", "timeout", "named"),
    [
        ("", 9100, 3.0, "host"),
        ("printer", 0, 3.0, "port"),
        ("printer", 65536, 3.0, "port"),
        ("printer", 9100, 0.0, "connect_timeout"),
        ("printer", 9100, 61.0, "connect_timeout"),
        ("printer", 9100, float("nan"), "connect_timeout"),
    ],
)
def test_senseless_options_are_refused(host: str, port: int, timeout: float, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}"):
        Options(host, port, timeout)
