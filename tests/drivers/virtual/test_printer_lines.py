"""The virtual printer on slow lines and with small buffers: what a host with flow control keeps, and one without loses."""

import os
import select
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import pytest

from drivers.printers.escpos.status import FENCE
from drivers.virtual.printer import Options

Until = Callable[[Callable[[], bool]], None]


class VirtualPrinter(Protocol):
    """A running virtual printer, see conftest."""

    device: str
    control: str
    stop: threading.Event
    thread: threading.Thread

    def do(self, what: str, **request: object) -> dict[str, object]: ...
    def state(self, name: str) -> object: ...
    def receipts(self) -> list[dict[str, Any]]: ...


Start = Callable[[Options], VirtualPrinter]
RECEIPT = b"0123456789012345678901234567890\n" * 40 + b"\x1dV\x00"


@contextmanager
def raw_line(link: Path, *, xoff: bool = False) -> Iterator[FileIO]:
    """The host's end of a pty; with `xoff` its kernel stops sending when it gets XOFF."""
    with link.open("r+b", buffering=0) as line:
        tty.setraw(line)
        modes = termios.tcgetattr(line)
        modes[0] |= termios.IXON if xoff else 0
        termios.tcsetattr(line, termios.TCSANOW, modes)
        yield line


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as line:
        yield line


@pytest.mark.parametrize("on", ["tcp", "pty"])
def test_a_job_takes_as_long_as_the_line_is_slow(start_printer: Start, tmp_path: Path, on: str) -> None:
    """960 bytes at 19 200 baud are half a second on the line."""
    link = tmp_path / "printer"
    printer = start_printer(Options(baud=19200, pty=str(link) if on == "pty" else ""))
    with raw_line(link) if on == "pty" else connected(printer.device) as line:
        for _ in range(2):
            begun = time.monotonic()
            os.write(line.fileno(), b"x" * 20 + b"\n" * 937 + FENCE)
            assert os.read(line.fileno(), 1) == b"\x00"
            assert 0.49 <= time.monotonic() - begun < 1.0


def test_a_full_buffer_makes_the_host_wait(start_printer: Start, until: Until) -> None:
    printer = start_printer(Options(buffer=4096))
    printer.do("paper_out")
    with connected(printer.device) as line:
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            line.sendall(b"x" * 30_000_000)
        until(lambda: printer.state("held") == printer.state("bytes") != 0)
        assert printer.state("bytes") < 4096 + 16384  # type: ignore[operator]


def test_without_flow_control_a_slow_printer_loses_bytes(start_printer: Start, tmp_path: Path, until: Until) -> None:
    """As a TM-T88III with its small buffer on a line without handshake."""
    printer = start_printer(Options(pty=str(tmp_path / "printer"), buffer=45, flow="none", speed=150))
    with raw_line(tmp_path / "printer") as line:
        os.write(line.fileno(), RECEIPT)
        until(lambda: printer.state("bytes") == len(RECEIPT))
        assert printer.state("dropped") != 0


def test_with_xon_and_xoff_nothing_is_lost(start_printer: Start, tmp_path: Path, until: Until) -> None:
    printer = start_printer(Options(pty=str(tmp_path / "printer"), buffer=45, flow="xonxoff", speed=800))
    with raw_line(tmp_path / "printer", xoff=True) as line:
        os.write(line.fileno(), RECEIPT)
        until(lambda: printer.state("receipts") == 1)
        assert printer.state("dropped") == 0
    assert printer.receipts()[0]["text"].encode() + b"\x1dV\x00" == RECEIPT


def test_xoff_is_sent_and_bytes_of_a_host_that_goes_on_are_lost(
    start_printer: Start, tmp_path: Path, until: Until
) -> None:
    printer = start_printer(Options(pty=str(tmp_path / "printer"), buffer=300, flow="xonxoff"))
    printer.do("cover_open")
    with raw_line(tmp_path / "printer") as line:
        os.write(line.fileno(), b"x" * 171)
        until(lambda: printer.state("held") == 171)
        assert printer.state("ready")
        os.write(line.fileno(), b"x")
        assert os.read(line.fileno(), 1) == b"\x13"
        assert not printer.state("ready")
        os.write(line.fileno(), b"x" * 150)
        until(lambda: printer.state("dropped") == 22)
        printer.do("cover_close")
        assert os.read(line.fileno(), 1) == b"\x11"


def test_a_line_with_dtr_says_through_the_control_port_when_to_pause(
    start_printer: Start, tmp_path: Path, until: Until
) -> None:
    printer = start_printer(Options(pty=str(tmp_path / "printer"), buffer=4096, flow="dtr"))
    printer.do("paper_out")
    with raw_line(tmp_path / "printer") as line:
        os.write(line.fileno(), b"x" * 3967)
        until(lambda: printer.state("held") == 3967)
        assert printer.state("ready")
        os.write(line.fileno(), b"x")
        until(lambda: not printer.state("ready"))
        printer.do("paper_in")
        assert printer.state("ready")
        assert select.select([line], [], [], 0.05)[0] == []
