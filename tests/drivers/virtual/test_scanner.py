"""The virtual scanner against a plain reader: sockets and file descriptors, not our own driver."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from drivers.virtual.control import ControlError, call
from drivers.virtual.scanner import Options

CODE = "2900000000018"
Until = Callable[[Callable[[], bool]], None]


class Scanner(Protocol):
    """A running virtual scanner, see conftest."""

    device: str
    stop: threading.Event
    thread: threading.Thread

    def do(self, what: str, **request: object) -> dict[str, object]: ...
    def scan(self, code: str, **request: object) -> None: ...
    def state(self, name: str) -> object: ...


Start = Callable[[Options], Scanner]


class Reader:
    """Has the port open and collects bytes; `gone` after a hang-up."""

    def __init__(self, device: str) -> None:
        if device.startswith("socket://"):
            host, _, port = device.removeprefix("socket://").rpartition(":")
            self.socket: socket.socket | None = socket.create_connection((host, int(port)), 5)
            self.fd = self.socket.fileno()
        else:
            self.socket = None
            self.fd = os.open(device, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.fd)

    def read(self, count: int) -> bytes:
        """Read that many bytes, or what there is before the port is gone."""
        data, deadline = b"", time.monotonic() + 5
        while len(data) < count:
            assert select.select([self.fd], [], [], deadline - time.monotonic())[0], f"only {data!r} came"
            try:
                chunk = os.read(self.fd, count - len(data))
            except OSError:
                chunk = b""
            if not chunk:
                break
            data += chunk
        return data

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        else:
            os.close(self.fd)


@contextmanager
def reading(scanner: Scanner, until: Until) -> Iterator[Reader]:
    with closing(Reader(scanner.device)) as reader:
        until(lambda: scanner.state("connected") is True)
        yield reader


def test_a_code_is_typed_with_its_suffix(virtual_scanner: Scanner, until: Until) -> None:
    with reading(virtual_scanner, until) as reader:
        virtual_scanner.scan(CODE)
        assert reader.read(15) == CODE.encode() + b"\r\n"
        virtual_scanner.scan("Карта\x1d", suffix="\t")
        assert reader.read(12) == "Карта\x1d\t".encode()
        until(lambda: virtual_scanner.state("queued") == 0)
        assert (virtual_scanner.state("codes"), virtual_scanner.state("bytes")) == (2, 27)


def test_with_a_gap_it_types_byte_by_byte(virtual_scanner: Scanner, until: Until) -> None:
    with reading(virtual_scanner, until) as reader:
        started = time.monotonic()
        virtual_scanner.scan(CODE, gap_ms=10)
        assert reader.read(15) == CODE.encode() + b"\r\n"
        assert time.monotonic() - started >= 0.14


def test_unplugging_ends_the_code_in_the_middle_and_forgets_the_others(virtual_scanner: Scanner, until: Until) -> None:
    with reading(virtual_scanner, until) as reader:
        virtual_scanner.scan("9" * 1000, gap_ms=5)
        virtual_scanner.scan(CODE)
        started = reader.read(3)
        virtual_scanner.do("unplug")
        assert len(started + reader.read(1002)) < 500
        assert virtual_scanner.state("queued") == 0
    with pytest.raises(ControlError, match="unplugged"):
        virtual_scanner.scan(CODE)
    with pytest.raises(OSError, match=r"refused|No such file"):
        Reader(virtual_scanner.device)
    virtual_scanner.do("plug")
    with reading(virtual_scanner, until) as reader:
        virtual_scanner.scan(CODE)
        assert reader.read(15) == CODE.encode() + b"\r\n"


def test_without_a_host_a_scan_is_refused(virtual_scanner: Scanner, until: Until) -> None:
    with pytest.raises(ControlError, match="no host"):
        virtual_scanner.scan(CODE)
    with reading(virtual_scanner, until):
        pass
    until(lambda: virtual_scanner.state("connected") is False)
    with pytest.raises(ControlError, match="no host"):
        virtual_scanner.scan(CODE)


def test_codes_that_nobody_types_away_are_bounded(virtual_scanner: Scanner, until: Until) -> None:
    with reading(virtual_scanner, until):
        virtual_scanner.scan(CODE, gap_ms=1000)
        until(lambda: virtual_scanner.state("bytes") == 1)
        for _ in range(256):
            virtual_scanner.scan(CODE)
        with pytest.raises(ControlError, match="256 codes are waiting"):
            virtual_scanner.scan(CODE)


@pytest.mark.parametrize("request_", [{"code": "1", "gap_ms": 1001}, {"code": "", "suffix": ""}])
def test_a_senseless_scan_is_refused(start_scanner: Start, request_: dict[str, object]) -> None:
    with pytest.raises(ControlError, match="nothing to type, or a gap"):
        start_scanner(Options()).do("scan", **request_)


def test_a_host_that_does_not_read_holds_nothing_up(start_scanner: Start, tmp_path: Path, until: Until) -> None:
    scanner = start_scanner(Options(pty=str(tmp_path / "scanner")))
    with reading(scanner, until):
        for _ in range(20):
            scanner.scan("9" * 3000)
        until(lambda: scanner.state("queued") == 0)
        assert scanner.state("codes") < 20


def test_a_second_host_on_tcp_is_hung_up_on(start_scanner: Start, until: Until) -> None:
    scanner = start_scanner(Options())
    with reading(scanner, until) as first, closing(Reader(scanner.device)) as second:
        assert second.read(1) == b""
        scanner.scan(CODE)
        assert first.read(15) == CODE.encode() + b"\r\n"


def test_plug_and_unplug_may_be_said_twice(virtual_scanner: Scanner) -> None:
    for what, plugged in [("plug", True), ("unplug", False), ("unplug", False), ("plug", True)]:
        virtual_scanner.do(what)
        assert virtual_scanner.state("plugged") is plugged


def test_another_program_on_its_port_is_said(start_scanner: Start) -> None:
    scanner = start_scanner(Options())
    scanner.do("unplug")
    host, _, port = scanner.device.removeprefix("socket://").rpartition(":")
    with socket.create_server((host, int(port))), pytest.raises(ControlError, match="in use"):
        scanner.do("plug")


def test_a_link_that_a_crash_left_behind_is_replaced(start_scanner: Start, tmp_path: Path) -> None:
    link = tmp_path / "scanner"
    link.symlink_to("/dev/pts/99999")
    scanner = start_scanner(Options(pty=str(link)))
    assert link.exists()
    scanner.stop.set()
    scanner.thread.join(1)
    assert not link.is_symlink()


def test_as_a_process_it_says_when_it_is_ready_and_ends_on_a_signal() -> None:
    program = (
        "import signal, threading; from drivers.virtual.scanner import Options, run; stop = threading.Event();"
        "signal.signal(signal.SIGTERM, lambda *_: stop.set()); run(Options(), stop)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = re.fullmatch(
            r"ready device=(socket://127\.0\.0\.1:\d+) control=(127\.0\.0\.1:\d+)\n", process.stdout.readline()
        )
        assert ready
        with closing(Reader(ready[1])):
            assert call(ready[2], {"do": "scan", "code": CODE})["ok"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 0
