"""Scanners on RS-232, USB serial chips, USB COM (CDC-ACM) and TCP, through pyserial.

Device    whatever sends its codes as plain bytes; `port` is /dev/ttyUSB0, /dev/ttyACM0, COM3, a link under
          /dev/serial/by-id (it survives a change of the node's number) or socket://HOST:PORT.
Manual    pyserial 3.5; the scanner's own for "USB COM", "serial" or "TCP server" mode and its suffix (CR LF is best).
Quirks    Read in chunks: pyserial's readline() costs 28 ms a code on CDC-ACM, where a chunk costs 0.5.
          An open handle keeps the node's number busy after an unplug: close at the first error.
          A pty has no modem lines, and 7 bits end in a bare termios.error with some kernels; in_waiting raises a bare OSError.
          The lock is flock, so another program that does not ask for it is not kept out.
          Bytes sent while nobody had the port open are thrown away when it opens.
"""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from drivers.base import DeviceBusy, DeviceError, DeviceGone, DeviceRefused, Driver

if TYPE_CHECKING:
    from serial import Serial

    from drivers.scanners._socket_port import SocketPort

if sys.platform == "win32":
    _FOREIGN: tuple[type[Exception], ...] = (OSError,)
else:
    import termios

    _FOREIGN = (OSError, termios.error)

_CHUNK = 4096
_FASTEST = 4_000_000
_BUSY = {errno.EBUSY, errno.EAGAIN}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTTY, errno.EISDIR}
_RIGHTS = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Options:
    """The line settings; for TCP only `port` counts."""

    port: str = field(metadata={"doc": "/dev/serial/by-id/..., /dev/ttyACM0, COM3 or socket://HOST:PORT"})
    baudrate: int = 9600
    bytesize: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stopbits: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if not self.port:
            raise ValueError("port is empty")
        if not 0 < self.baudrate <= _FASTEST:
            raise ValueError(f"baudrate {self.baudrate}: 1 to {_FASTEST}")
        if "://" in self.port and not _is_socket(self.port):
            raise ValueError(f"port {self.port!r}: the only address form is socket://HOST:PORT")


class SerialScanner:
    """An open port."""

    def __init__(self, port: Serial | SocketPort, name: str) -> None:
        self._port = port
        self._name = name

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, waiting at most `timeout` seconds for the first byte. Raises DeviceGone."""
        chunk = b""
        try:
            if self._port.timeout != timeout:  # setting it costs system calls
                self._port.timeout = timeout
            chunk = self._port.read(1)
            while chunk and len(chunk) < _CHUNK and (waiting := self._port.in_waiting):
                chunk += self._port.read(min(waiting, _CHUNK - len(chunk)))
        except _FOREIGN as error:
            if not chunk:  # else these bytes first; the next read fails again
                raise DeviceGone(f"{self._name}: {error}") from error
        return chunk

    def close(self) -> None:
        """Give the port back."""
        try:
            self._port.close()
        except _FOREIGN:
            self._port.is_open = False  # it has gone already


def open_port(options: Options) -> SerialScanner:
    """Open the port for us alone. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    try:
        port = _connect(options.port) if _is_socket(options.port) else _open(options)
    except (*_FOREIGN, ValueError) as error:
        raise _translated(options.port, error) from error
    return SerialScanner(port, options.port)


def _connect(address: str) -> SocketPort:
    from drivers.scanners._socket_port import SocketPort

    return SocketPort(address)


def _open(options: Options) -> Serial:
    from serial import Serial

    parity = options.parity[0].upper()
    return Serial(options.port, options.baudrate, options.bytesize, parity, options.stopbits, timeout=0, exclusive=True)


def _is_socket(port: str) -> bool:
    address = urlsplit(port)
    try:
        return address.scheme == "socket" and bool(address.hostname and address.port)
    except ValueError:
        return False


def _translated(port: str, error: Exception) -> DeviceError:
    """pyserial's SerialException mixes up gone, busy and refused: the system's error number tells them apart."""
    number = _number(error)
    if number in _BUSY or (number is None and "PermissionError" in str(error)):  # so Windows says "in use"
        return DeviceBusy(f"{port}: another program has it open; close that program or give the scanner another port")
    if number in _RIGHTS:
        return DeviceRefused(f"{port}: no right to open it; put the service's user into its group (dialout)")
    if number in _REFUSED or not isinstance(error, OSError):
        return DeviceRefused(f"{port}: it is no serial port or does not take these settings: {error}")
    return DeviceGone(f"{port}: {error}")


def _number(error: BaseException) -> int | None:
    """The errno of the error or of the one behind it; termios.error keeps it in its first argument."""
    for each in (error, error.__context__):
        number = getattr(each, "errno", None) or (each.args[0] if each is not None and each.args else None)
        if isinstance(number, int):
            return number
    return None


DRIVER = Driver(
    kind="scanner",
    name="serial_port",
    title="Serial port, USB COM or TCP",
    maturity="BETA",
    tested_with=("Linux pty", "virtual scanner on TCP and pty"),
    options=Options,
    open=open_port,
)
