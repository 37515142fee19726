"""Scanners on RS-232, USB serial chips, USB COM (CDC-ACM) and TCP, through pyserial.

Device    whatever sends its codes as plain bytes; `port` is /dev/ttyUSB0, /dev/ttyACM0, COM3, a link under
          /dev/serial/by-id (it survives a change of the node's number) or socket://HOST:PORT.
Manual    pyserial 3.5; the scanner's own for "USB COM", "serial" or "TCP server" mode and its suffix (CR LF is best).
Quirks    Read in chunks: pyserial's readline() costs 28 ms a code on CDC-ACM, where a chunk costs 0.5.
          An open handle keeps the node's number busy after an unplug: close at the first error.
          The lock is flock, so another program that does not ask for it is not kept out.
          Bytes sent while nobody had the port open are thrown away when it opens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drivers.base import Driver
from drivers.serial_line import FOREIGN, LineOptions, close_line, open_line, read_chunk, translated

if TYPE_CHECKING:
    from serial import Serial

    from drivers.scanners._socket_port import SocketPort


@dataclass(frozen=True)
class Options(LineOptions):
    """The line settings; for TCP only `port` counts."""

    port: str = field(metadata={"doc": "/dev/serial/by-id/..., /dev/ttyACM0, COM3 or socket://HOST:PORT"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if "://" in self.port and not _is_socket(self.port):
            raise ValueError(f"port {self.port!r}: the only address form is socket://HOST:PORT")


class SerialScanner:
    """An open port."""

    def __init__(self, port: Serial | SocketPort, name: str) -> None:
        self._port = port
        self._name = name

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, waiting at most `timeout` seconds for the first byte. Raises DeviceGone."""
        return read_chunk(self._port, timeout, self._name)

    def close(self) -> None:
        """Give the port back."""
        close_line(self._port)


def open_port(options: Options) -> SerialScanner:
    """Open the port for us alone. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    try:
        port = _connect(options.port) if _is_socket(options.port) else open_line(options)
    except (*FOREIGN, ValueError) as error:
        raise translated(options.port, error) from error
    return SerialScanner(port, options.port)


def _connect(address: str) -> SocketPort:
    from drivers.scanners._socket_port import SocketPort

    return SocketPort(address)


def _is_socket(port: str) -> bool:
    address = urlsplit(port)
    try:
        return address.scheme == "socket" and bool(address.hostname and address.port)
    except ValueError:
        return False


DRIVER = Driver(
    kind="scanner",
    name="serial_port",
    title="Serial port, USB COM or TCP",
    maturity="BETA",
    tested_with=("Linux pty", "virtual scanner on TCP and pty"),
    options=Options,
    open=open_port,
)
