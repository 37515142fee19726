"""Receipt printers on the network: raw bytes over TCP, port 9100, status on the way back.

Most of them serve one client at a time and refuse the next until the first hangs up, and a printer that loses its power
says nothing at all: keep-alive notices that within half a minute, a write notices it by its timeout.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from drivers.base import DeviceGone, DeviceRefused, DeviceStalled, Driver

_CHUNK = 4096
_KEEP_ALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))  # where the system has them


@dataclass(frozen=True)
class Options:
    """Where the printer is."""

    host: str
    port: int = 9100
    connect_timeout: float = 3.0

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError("host is empty")
        if not 0 < self.port < 65536:
            raise ValueError(f"port must be 1 to 65535, not {self.port}")
        if not 0 < self.connect_timeout <= 60:
            raise ValueError(f"connect_timeout must be more than 0 and at most 60 seconds, not {self.connect_timeout}")


class TcpPrinter:
    """One connection; see drivers.base.Printer."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._connection, self._name = connection, name

    def write(self, payload: bytes, timeout: float) -> None:
        rest = memoryview(payload)
        try:
            self._connection.settimeout(timeout)
            while rest:
                rest = rest[self._connection.send(rest) :]
        except TimeoutError as error:
            taken = len(payload) - len(rest)
            raise DeviceStalled(f"printer {self._name}: {error}; {taken} bytes were taken", taken) from error
        except OSError as error:
            raise DeviceGone(f"printer {self._name}: {error}; {len(payload) - len(rest)} bytes were taken") from error

    def read(self, timeout: float) -> bytes:
        try:
            self._connection.settimeout(timeout)  # 0: what is there already
            chunk = self._connection.recv(_CHUNK)
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError as error:
            raise DeviceGone(f"printer {self._name}: {error}") from error
        if not chunk:
            raise DeviceGone(f"printer {self._name}: it hung up")
        return chunk

    def close(self) -> None:
        self._connection.close()


def _open(options: Options) -> TcpPrinter:
    name = f"{options.host}:{options.port}"
    try:
        connection = socket.create_connection((options.host, options.port), options.connect_timeout)
    except PermissionError as error:
        raise DeviceRefused(f"printer {name}: {error}; check the firewall of this computer") from error
    except OSError as error:
        raise DeviceGone(f"printer {name}: {error}; check power, cable and address") from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in _KEEP_ALIVE:
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    return TcpPrinter(connection, name)


DRIVER = Driver(
    kind="printer",
    name="tcp",
    title="Network printer, raw TCP (port 9100)",
    maturity="BETA",
    tested_with=("Tillmate's virtual printer",),
    options=Options,
    open=_open,
)
