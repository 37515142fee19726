"""Scanners, cradles and phone apps on the network that send their codes over TCP, whoever of the two calls the other.

Device    `host` and `port`: the scanner listens, we call it. `listen`: we listen, it calls us; nothing listens unless this
          says so, only at that address of this machine, and on a network only for whom `allow` names.
Manual    the scanner's own for "TCP server" (host, port) or "TCP client" (listen) and its suffix.
Quirks    One scanner at a time. A second caller is hung up on; the same host calling again takes its own place, because
          a scanner that lost its power knows nothing of its old connection.
          The door stays open between two connections: who calls in the meantime waits, and what it sends is kept.
          A peer without power is noticed after about 20 s. There is no password: let it be a network of the store's own.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from drivers.base import DeviceBusy, DeviceError, DeviceGone, DeviceRefused, Driver

_CHUNK = 4096
_PATIENCE = 1.0
_WAITING = 4
_BUSY = {errno.EADDRINUSE}
_REFUSED = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Options:
    """Either host and port, or listen."""

    host: str = field(default="", metadata={"doc": "192.168.1.60, of a scanner that listens"})
    port: int = field(default=0, metadata={"doc": "its port, often 9100 or 10001"})
    listen: str = field(
        default="", metadata={"doc": "192.168.1.10:8741, an address of this machine, for one that calls"}
    )
    allow: str = field(default="", metadata={"doc": "who may call: 192.168.1.60 or 192.168.1.0/24"})
    connect_timeout: float = 3.0

    def __post_init__(self) -> None:
        if bool(self.host) == bool(self.listen):
            raise ValueError("either host and port of a scanner that listens, or listen for one that calls")
        if self.host and not 0 < self.port < 65536:
            raise ValueError(f"port {self.port}: 1 to 65535")
        if not 0 < self.connect_timeout <= 10:
            raise ValueError(f"connect_timeout {self.connect_timeout}: more than 0, up to 10 s")
        if self.listen and not self.door[0].is_loopback and not self.allow:
            raise ValueError("allow: who may call, since this is no address of this machine alone")
        if self.allow:
            ipaddress.ip_network(self.allow)

    @property
    def door(self) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
        """Where to listen. Raises ValueError."""
        host, _, port = self.listen.rpartition(":")
        address = ipaddress.ip_address(host.strip("[]"))
        if address.is_unspecified or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"listen {self.listen!r}: one address of this machine and a port, as 192.168.1.10:8741")
        return address, int(port)

    def allows(self, host: str) -> bool:
        """Whether that one may call."""
        return not self.allow or ipaddress.ip_address(host) in ipaddress.ip_network(self.allow)


class TcpScanner:
    """A connection; see drivers.base.Scanner."""

    def __init__(self, connection: socket.socket, name: str, host: str = "", door: Door | None = None) -> None:
        keep_alive(connection)
        connection.setblocking(False)
        self._connection, self._name, self._host, self._door = connection, name, host, door

    def read(self, timeout: float) -> bytes:
        if self._connection.fileno() < 0:
            raise DeviceGone(f"scanner {self._name}: it was closed")
        listeners = self._door.listeners if self._door is not None else []
        ready = select.select([self._connection, *listeners], [], [], timeout)[0]
        if self._connection in ready:
            return self._received()
        if ready and self._door is not None and self._door.has_called_again(self._host):
            raise DeviceGone(f"scanner {self._name}: it has called again")
        return b""

    def close(self) -> None:
        self._connection.close()
        if self._door is not None and self._door.own:
            self._door.close()

    def _received(self) -> bytes:
        try:
            chunk = self._connection.recv(_CHUNK)
        except OSError as error:
            raise DeviceGone(f"scanner {self._name}: {error}") from error
        if not chunk:
            raise DeviceGone(f"scanner {self._name}: it hung up")
        return chunk


class Door:
    """Where scanners call. `own`: it belongs to one connection and is closed with that."""

    def __init__(self, options: Options, *, own: bool = False) -> None:
        self._options = options
        self.own = own
        self.listeners: list[socket.socket] = []
        self._next: tuple[socket.socket, str] | None = None

    def open(self) -> TcpScanner:
        """The scanner that calls within a second. Raises DeviceGone, DeviceBusy or DeviceRefused."""
        name = self._options.listen
        try:
            self._listen()
            caller, self._next = self._next or self._caller(_PATIENCE), None
            if caller is None:
                raise TimeoutError(errno.ETIMEDOUT, "no scanner has called")
            return TcpScanner(caller[0], name, caller[1], self)
        except OSError as error:
            if self.own:
                self.close()
            raise _translated(name, error) from error

    def close(self) -> None:
        """Let nobody in any more."""
        for each in self.listeners:
            each.close()
        self.listeners = []
        self._forget()

    def has_called_again(self, host: str) -> bool:
        """Look who is at the door: whether it is that host, whose call is taken next. Any other is hung up on."""
        caller = self._caller(0)
        if caller is None:
            return False
        self._forget()
        if caller[1] != host:
            caller[0].close()
            return False
        self._next = caller
        return True

    def _forget(self) -> None:
        if self._next is not None:
            self._next[0].close()
        self._next = None

    def _listen(self) -> None:
        if not self.listeners:
            address, port = self._options.door
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            listener = socket.create_server((str(address), port), family=family, backlog=_WAITING)
            listener.setblocking(False)
            self.listeners.append(listener)

    def _caller(self, timeout: float) -> tuple[socket.socket, str] | None:
        """The first that calls in that time and may."""
        end = time.monotonic() + timeout
        while ready := select.select(self.listeners, [], [], max(end - time.monotonic(), 0))[0]:
            with contextlib.suppress(BlockingIOError, ConnectionError):  # it has gone again
                caller, address = ready[0].accept()
                if self._options.allows(address[0]):
                    return caller, str(address[0])
                caller.close()
        return None


def open_scanner(options: Options) -> TcpScanner:
    """Call the scanner, or wait a second for its call. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    return _called(options) if options.host else Door(options, own=True).open()


@contextmanager
def session(options: Options) -> Iterator[Callable[[], TcpScanner]]:
    """What opens it, with the door open all the while."""
    if options.host:
        yield partial(_called, options)
        return
    door = Door(options)
    try:
        yield door.open
    finally:
        door.close()


def keep_alive(connection: socket.socket) -> None:
    """Have the system ask after about 20 s of silence whether the scanner is still there."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _called(options: Options) -> TcpScanner:
    name = f"{options.host}:{options.port}"
    try:
        return TcpScanner(socket.create_connection((options.host, options.port), options.connect_timeout), name)
    except OSError as error:
        raise _translated(name, error) from error


def _translated(name: str, error: OSError) -> DeviceError:
    if error.errno in _BUSY:
        return DeviceBusy(f"scanner {name}: another program listens there; choose another port")
    if error.errno in _REFUSED:
        return DeviceRefused(f"scanner {name}: {error}; ports below 1024 are the system's")
    return DeviceGone(f"scanner {name}: {error}; check that it is switched on and in this network")


DRIVER = Driver(
    kind="scanner",
    name="tcp",
    title="Scanner on the network",
    maturity="BETA",
    tested_with=("virtual scanner on TCP",),
    options=Options,
    open=open_scanner,
    session=session,
)
