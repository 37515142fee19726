import os
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest

from drivers.base import DeviceBusy, DeviceGone, DeviceRefused
from drivers.scanners.serial_port import Options, SerialScanner, candidates, open_port
from drivers.serial_line import translated

CODE = b"2900000000018\r\n"
Until = Callable[[Callable[[], bool]], None]


class Scanner(Protocol):
    """A running virtual scanner, see conftest."""

    device: str

    def do(self, what: str, **request: object) -> dict[str, object]: ...
    def scan(self, code: str, **request: object) -> None: ...
    def state(self, name: str) -> object: ...


def read(scanner: SerialScanner, count: int) -> bytes:
    data, deadline = b"", time.monotonic() + 5
    while len(data) < count and time.monotonic() < deadline:
        data += scanner.read(0.2)
    return data


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def cable() -> Iterator[tuple[int, str]]:
    """The scanner's end of a serial cable and the name of the other end."""
    master, slave = os.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.close(slave)
    yield master, name
    os.close(master)


@contextmanager
def connection() -> Iterator[tuple[socket.socket, SerialScanner]]:
    """The scanner's end of a TCP connection and our driver at the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scanner = open_port(Options(f"socket://127.0.0.1:{listener.getsockname()[1]}"))
        far, _ = listener.accept()
        with far, closing(scanner):
            yield far, scanner


def test_a_code_comes_whole_from_the_virtual_scanner(virtual_scanner: Scanner, until: Until) -> None:
    with closing(open_port(Options(virtual_scanner.device))) as scanner:
        until(lambda: virtual_scanner.state("connected") is True)
        virtual_scanner.scan("2900000000018")
        assert read(scanner, len(CODE)) == CODE
        virtual_scanner.scan("5901234123457", gap_ms=2)
        assert read(scanner, 15) == b"5901234123457\r\n"


def test_a_whole_frame_is_one_chunk(cable: tuple[int, str]) -> None:
    with closing(open_port(Options(cable[1]))) as scanner:
        os.write(cable[0], CODE * 20)
        assert scanner.read(1.0) == CODE * 20
    with connection() as (far, scanner):
        far.sendall(CODE * 20)
        assert scanner.read(1.0) == CODE * 20


def test_nothing_comes_after_just_the_timeout(cable: tuple[int, str]) -> None:
    with closing(open_port(Options(cable[1]))) as scanner:
        for timeout in (0.05, 0.2, 0.0):
            started = time.monotonic()
            assert scanner.read(timeout) == b""
            assert timeout <= time.monotonic() - started < timeout + 0.1


def test_more_than_a_chunk_comes_in_several() -> None:
    with connection() as (far, scanner):
        far.sendall(b"9" * 10_000)
        chunks = []
        while sum(map(len, chunks)) < 10_000:
            chunks.append(scanner.read(1.0))
        assert max(map(len, chunks)) <= 4096


def test_control_characters_reach_us_as_they_were_sent(cable: tuple[int, str]) -> None:
    every = bytes(range(256))
    with closing(open_port(Options(cable[1]))) as scanner:
        os.write(cable[0], every)
        assert read(scanner, 256) == every


def test_unplugged_is_gone_and_stays_gone(virtual_scanner: Scanner, until: Until) -> None:
    with closing(open_port(Options(virtual_scanner.device))) as scanner:
        until(lambda: virtual_scanner.state("connected") is True)
        virtual_scanner.do("unplug")
        for _ in range(2):
            with pytest.raises(DeviceGone, match=str(virtual_scanner.device)):
                read(scanner, 1)
    with pytest.raises(DeviceGone):
        open_port(Options(virtual_scanner.device))
    virtual_scanner.do("plug")
    with closing(open_port(Options(virtual_scanner.device))) as scanner:
        until(lambda: virtual_scanner.state("connected") is True)
        virtual_scanner.scan("2900000000018")
        assert read(scanner, len(CODE)) == CODE


def test_what_came_before_the_hang_up_is_not_lost() -> None:
    with connection() as (far, scanner):
        far.sendall(b"29000")
        far.close()
        assert scanner.read(1.0) == b"29000"
        with pytest.raises(DeviceGone):
            scanner.read(1.0)


def test_it_wakes_up_when_it_is_unplugged(virtual_scanner: Scanner, until: Until) -> None:
    with closing(open_port(Options(virtual_scanner.device))) as scanner:
        until(lambda: virtual_scanner.state("connected") is True)
        puller = threading.Timer(0.05, virtual_scanner.do, ["unplug"])
        puller.start()
        started = time.monotonic()
        with pytest.raises(DeviceGone):
            scanner.read(5.0)
        assert time.monotonic() - started < 1
        puller.join()


def test_a_reset_connection_is_gone_and_closes_quietly() -> None:
    before = descriptors()
    with connection() as (far, scanner):
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        with pytest.raises(DeviceGone):
            read(scanner, 1)
        scanner.close()
        scanner.close()
    assert descriptors() == before


def test_closing_is_quick_and_gives_every_descriptor_back(virtual_scanner: Scanner) -> None:
    open_port(Options(virtual_scanner.device)).close()
    before = descriptors()
    started = time.monotonic()
    for _ in range(20):
        scanner = open_port(Options(virtual_scanner.device))
        scanner.close()
        scanner.close()
    assert time.monotonic() - started < 2
    end, tick = started + 5, threading.Event()
    while descriptors() > before:  # the scanner's own end is closed a moment later
        assert time.monotonic() < end
        tick.wait(0.01)


def test_what_came_while_it_was_opening_is_kept() -> None:
    with connection() as (far, scanner):
        far.sendall(CODE)
        assert select.select([scanner._port], [], [], 5)[0]
        scanner._port.reset_input_buffer()  # pyserial does this in opening
        assert read(scanner, len(CODE)) == CODE


def test_a_scanner_that_loses_its_power_is_noticed() -> None:
    with connection() as (_, scanner):
        assert scanner._port._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_a_port_that_is_taken_is_busy(cable: tuple[int, str]) -> None:
    with closing(open_port(Options(cable[1]))), pytest.raises(DeviceBusy, match="another program"):
        open_port(Options(cable[1]))
    open_port(Options(cable[1])).close()


def test_a_port_without_rights_is_refused(cable: tuple[int, str]) -> None:
    program = (
        "import os, sys, serial; from drivers.base import DeviceError;"
        "from drivers.scanners.serial_port import Options, open_port\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: open_port(Options(sys.argv[1]))\n"
        "except DeviceError as error: print(error.code, error)\n"
    )
    Path(cable[1]).chmod(0)
    told = subprocess.run(
        [sys.executable, "-c", program, cable[1]], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.startswith(f"device_refused {cable[1]}: no right to open it")


def test_seven_bits_work_or_are_refused_in_our_words(cable: tuple[int, str]) -> None:
    """A pty takes them with some kernels; with others the C library finds out and says so by a bare termios.error."""
    before = descriptors()
    with suppress(DeviceRefused):
        open_port(Options(cable[1], bytesize=7, parity="even")).close()
    assert descriptors() == before


def test_a_bare_termios_error_is_a_refusal(cable: tuple[int, str]) -> None:
    with Path("/dev/null").open("rb") as null, pytest.raises(termios.error) as caught:
        termios.tcsetattr(null.fileno(), termios.TCSANOW, termios.tcgetattr(cable[0]))
    assert isinstance(translated("/dev/ttyS0", caught.value), DeviceRefused)


@pytest.mark.parametrize("baudrate", [115200, 250000])
def test_other_rates_are_taken(cable: tuple[int, str], baudrate: int) -> None:
    open_port(Options(cable[1], baudrate=baudrate)).close()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_something_else_than_a_port_is_refused(tmp_path: Path, what: str) -> None:
    place = tmp_path / "port"
    place.touch() if what == "file" else place.mkdir()
    with pytest.raises(DeviceRefused, match="no serial port"):
        open_port(Options(str(place)))


def test_a_port_that_is_not_there_is_gone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    for port in (str(tmp_path / "nothing"), f"socket://127.0.0.1:{closed}", "socket://nowhere.invalid:5000"):
        with pytest.raises(DeviceGone, match=port) as caught:
            open_port(Options(port))
        assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"port": ""}, "port is empty"),
        ({"port": "/dev/ttyS0", "baudrate": 0}, "baudrate 0"),
        ({"port": "/dev/ttyS0", "baudrate": 2**31}, "baudrate 2147483648"),
        ({"port": "socket://scanner"}, "socket://HOST:PORT"),
        ({"port": "socket://scanner:99999"}, "socket://HOST:PORT"),
        ({"port": "spy:///dev/ttyS0"}, "socket://HOST:PORT"),
    ],
)
def test_wrong_options_are_refused_when_the_config_is_read(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Options(**fields)


class Port:
    """What pyserial tells of a port."""

    def __init__(self, device: str, serial: str | None, location: str | None, vid: int | None = 0x0C2E) -> None:
        self.device, self.serial_number, self.location = device, serial, location
        self.description, self.vid, self.pid = "scanner", vid, 0x0720


def test_it_is_found_by_what_usb_calls_it_at_any_node(cable: tuple[int, str]) -> None:
    name = cable[1]
    others = [Port("/dev/ttyS0", None, None, vid=None), Port("/dev/ttyACM7", "B2", "1-3:1.0")]
    for options in (
        Options(vendor="0c2e", product="0720", serial="A1"),
        Options(serial="A1"),
        Options(vendor="0C2E", port="1-2.1"),
        Options(port="1-2.1"),
    ):
        with closing(open_port(options, [*others, Port(name, "A1", "1-2.1:1.0")])) as scanner:
            os.write(cable[0], CODE)
            assert read(scanner, len(CODE)) == CODE


def test_one_that_is_not_plugged_in_is_gone_and_one_of_two_is_not_guessed() -> None:
    options = Options(vendor="0c2e", product="0720")
    with pytest.raises(DeviceGone, match="vendor=0c2e product=0720") as caught:
        open_port(options, [Port("/dev/ttyS0", None, None, vid=None)])
    assert caught.value.__cause__ is not None
    twins = [Port("/dev/ttyACM0", "", "1-2:1.0"), Port("/dev/ttyACM1", "", "1-3:1.0")]
    with pytest.raises(DeviceRefused, match="/dev/ttyACM0, /dev/ttyACM1 fit"):
        open_port(options, twins)


def test_of_two_ports_of_one_device_the_first_is_taken(cable: tuple[int, str]) -> None:
    ports = [Port(f"{cable[1]}-none", "A1", "1-2:1.2"), Port(cable[1], "A1", "1-2:1.0")]
    open_port(Options(vendor="0c2e"), ports).close()


def test_what_is_not_on_usb_has_no_numbers_to_fit() -> None:
    with pytest.raises(DeviceGone):
        open_port(Options(port="1-2"), [Port("/dev/ttyS0", None, None, vid=None)])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"vendor": "0c2e", "port": "/dev/ttyACM0"}, "where it is plugged in"),
        ({"vendor": "xyz"}, "vendor 'xyz'"),
        ({"product": "0720"}, "it needs its vendor"),
        ({"vendor": "0c2e", "baudrate": 0}, "baudrate 0"),
    ],
)
def test_wrong_names_are_refused_when_the_config_is_read(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Options(**fields)  # type: ignore[arg-type]


def test_candidates_are_called_as_config_toml_calls_them() -> None:
    ports = [
        Port("/dev/ttyACM0", "A1", "1-2:1.0"),
        Port("/dev/ttyACM1", "A1", "1-3:1.0"),
        Port("/dev/ttyACM2", "B2", "1-4:1.0"),
        Port("/dev/ttyS0", None, None, vid=None),
        Port("/dev/ttyUSB0", None, "1-5", vid=0x0403),
    ]
    found = list(candidates(ports))
    named = {"vendor": "0c2e", "product": "0720"}
    assert [each.options for each in found] == [
        {**named, "port": "1-2"},
        {**named, "port": "1-3"},
        {**named, "serial": "B2"},
        {"port": "/dev/ttyS0"},
        {"vendor": "0403", "product": "0720"},
    ]
    assert all(Options(**each.options) for each in found)  # type: ignore[arg-type]


def test_a_candidate_that_sends_nonsense_is_tried_at_other_speeds() -> None:
    (found,) = candidates([Port("/dev/ttyS0", None, None, vid=None)])
    speeds = [found.options.get("baudrate", 9600)]
    while found.instead is not None and len(speeds) < 7:
        found = found.instead()
        speeds.append(found.options.get("baudrate", 9600))
    assert speeds == [9600, 115200, 19200, 38400, 57600, 4800, 9600]


def test_a_port_that_a_program_has_open_is_not_listened_to(cable: tuple[int, str]) -> None:
    (found,) = candidates([Port(cable[1], None, None, vid=None)])
    with Path(cable[1]).open("rb"), pytest.raises(DeviceBusy, match=f"process {os.getpid()} has it open"):
        found.listen()
    found.listen().close()
