"""Scanners on the network, with real sockets on both sides."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from drivers.base import DeviceBusy, DeviceGone
from drivers.scanners.tcp import Options, TcpScanner, open_scanner, session

CODE = b"2900000000117\r\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def options() -> Options:
    return Options(listen=f"127.0.0.1:{free_port()}")


@pytest.fixture
def opener(options: Options) -> Iterator[Callable[[], TcpScanner]]:
    with session(options) as opens:
        yield opens


@pytest.fixture
def call(options: Options, opener: Callable[[], TcpScanner]) -> Iterator[Callable[[], socket.socket]]:
    """Call as a scanner does; the door is open."""
    calls: list[socket.socket] = []
    with pytest.raises(DeviceGone, match="no scanner has called"):
        opener()

    def begin() -> socket.socket:
        calls.append(socket.create_connection(_where(options), 5))
        return calls[-1]

    yield begin
    for each in calls:
        each.close()


def _where(options: Options) -> tuple[str, int]:
    address, port = options.door
    return str(address), port


def test_nothing_listens_before_it_is_opened(options: Options) -> None:
    with session(options), pytest.raises(ConnectionRefusedError):
        socket.create_connection(_where(options), 1)


def test_who_calls_between_two_lives_is_let_in_and_loses_nothing(
    call: Callable[[], socket.socket], opener: Callable[[], TcpScanner]
) -> None:
    first = call()
    with closing(opener()) as device:
        first.sendall(CODE)
        assert device.read(1.0) == CODE
        first.close()
        with pytest.raises(DeviceGone, match="hung up"):
            device.read(1.0)
    call().sendall(CODE * 2)  # nobody has the device open at this moment
    with closing(opener()) as device:
        assert device.read(1.0) == CODE * 2


def test_the_same_host_calling_again_takes_its_own_place(
    call: Callable[[], socket.socket], opener: Callable[[], TcpScanner]
) -> None:
    first = call()
    device = opener()
    first.sendall(CODE[:4])
    again = call()
    assert device.read(1.0) == CODE[:4], "what it sent before comes first"
    with pytest.raises(DeviceGone, match="called again"):
        device.read(1.0)
    device.close()
    with closing(opener()) as device:
        again.sendall(CODE)
        assert device.read(1.0) == CODE


def test_only_who_is_allowed_is_let_in(options: Options) -> None:
    chosen = Options(listen=options.listen, allow="127.0.0.8/31")
    with session(chosen) as opener:
        with pytest.raises(DeviceGone):
            opener()
        stranger = socket.create_connection(_where(options), 5)
        guest = socket.create_connection(_where(options), 5, source_address=("127.0.0.9", 0))
        with closing(opener()) as device:
            guest.sendall(CODE)
            assert device.read(1.0) == CODE
            assert stranger.recv(1) == b"", "it was not hung up on"
            other = socket.create_connection(_where(options), 5, source_address=("127.0.0.8", 0))
            assert device.read(0.2) == b"", "a second scanner took the place of the first"
            assert other.recv(1) == b""
            guest.sendall(CODE)
            assert device.read(1.0) == CODE
        for each in (stranger, guest, other):
            each.close()


def test_nothing_listens_afterwards(options: Options) -> None:
    with session(options) as opener, pytest.raises(DeviceGone):
        opener()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(_where(options), 1)


def test_a_port_in_use_is_busy(options: Options) -> None:
    with socket.create_server(_where(options)), pytest.raises(DeviceBusy, match="another port"):
        open_scanner(options)


def test_an_address_of_another_machine_is_waited_for() -> None:
    """The network may come up later than we do."""
    with pytest.raises(DeviceGone):
        open_scanner(Options(listen="192.0.2.1:8741", allow="192.0.2.0/24"))


def test_opening_does_not_wait_for_ever(opener: Callable[[], TcpScanner]) -> None:
    began = time.monotonic()
    with pytest.raises(DeviceGone):
        opener()
    assert time.monotonic() - began < 1.2


def test_the_system_asks_whether_the_scanner_is_still_there(
    call: Callable[[], socket.socket], opener: Callable[[], TcpScanner]
) -> None:
    call()
    with closing(opener()) as device:
        assert device._connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "either host"),
        ({"host": "a", "listen": "127.0.0.1:1"}, "either host"),
        ({"host": "a"}, "port 0"),
        ({"host": "a", "port": 70000}, "port 70000"),
        ({"listen": "0.0.0.0:8741"}, "one address of this machine"),
        ({"listen": "[::]:8741"}, "one address of this machine"),
        ({"listen": "127.0.0.1"}, "does not appear to be"),
        ({"listen": "127.0.0.1:0"}, "one address of this machine"),
        ({"listen": "till.example:8741"}, "does not appear to be"),
        ({"listen": "192.168.1.10:8741"}, "allow: who may call"),
        ({"listen": "192.168.1.10:8741", "allow": "192.168.1.5/24"}, "host bits set"),
        ({"host": "a", "port": 1, "connect_timeout": 0.0}, "connect_timeout"),
    ],
)
def test_wrong_options_are_refused_when_the_config_is_read(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Options(**fields)  # type: ignore[arg-type]
