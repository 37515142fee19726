"""What scanners and printers on a serial port have in common: the line's settings, opening, reading, errors, closing.

pyserial's SerialException mixes up gone, busy and refused: the system's error number tells them apart. A pty has no modem
lines; 7 bits end in a bare termios.error with some kernels; in_waiting and out_waiting raise a bare OSError.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from drivers.base import DeviceBusy, DeviceError, DeviceGone, DeviceRefused

if TYPE_CHECKING:
    from serial import Serial

if sys.platform == "win32":
    FOREIGN: tuple[type[Exception], ...] = (OSError,)
else:
    import termios

    FOREIGN = (OSError, termios.error)
"""What pyserial raises, beside ValueError for settings."""

_CHUNK = 4096
_FASTEST = 4_000_000
_BUSY = {errno.EBUSY, errno.EAGAIN}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTTY, errno.EISDIR}
_RIGHTS = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class LineOptions:
    """The line settings."""

    port: str = field(metadata={"doc": "/dev/serial/by-id/..., /dev/ttyACM0 or COM3"})
    baudrate: int = 9600
    bytesize: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stopbits: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if not self.port:
            raise ValueError("port is empty")
        if not 0 < self.baudrate <= _FASTEST:
            raise ValueError(f"baudrate {self.baudrate}: 1 to {_FASTEST}")


class Readable(Protocol):
    """A port of pyserial, whatever is behind it."""

    timeout: float | None
    is_open: bool

    @property
    def in_waiting(self) -> int: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def close(self) -> None: ...


def open_line(options: LineOptions, node: str = "", *, xonxoff: bool = False, rtscts: bool = False) -> Serial:
    """Open the port, or `node`, for us alone. Raises what is in FOREIGN, and ValueError."""
    from serial import Serial

    return Serial(
        node or options.port,
        options.baudrate,
        options.bytesize,
        options.parity[0].upper(),
        options.stopbits,
        timeout=0,
        xonxoff=xonxoff,
        rtscts=rtscts,
        exclusive=True,
    )


def read_chunk(port: Readable, timeout: float, name: str) -> bytes:
    """Return what has arrived, waiting at most `timeout` seconds for the first byte. Raises DeviceGone."""
    chunk = b""
    try:
        if port.timeout != timeout:  # setting it costs system calls
            port.timeout = timeout
        chunk = port.read(1)
        while chunk and len(chunk) < _CHUNK and (waiting := port.in_waiting):
            chunk += port.read(min(waiting, _CHUNK - len(chunk)))
    except FOREIGN as error:
        if not chunk:  # else these bytes first; the next read fails again
            raise DeviceGone(f"{name}: {error}") from error
    return chunk


class Node:
    """The system's handle of an open port, read without the detours of pyserial, which sets the line anew with each timeout."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._poll = select.poll()
        self._poll.register(handle, select.POLLIN)

    def read(self, timeout: float, name: str) -> bytes:
        """As `read_chunk`. Raises DeviceGone."""
        try:
            if not self._poll.poll(timeout * 1000):
                return b""
            chunk = os.read(self._handle, _CHUNK)
        except OSError as error:
            raise DeviceGone(f"{name}: {error}") from error
        if not chunk:
            raise DeviceGone(f"{name}: it hung up")
        return chunk


def close_line(port: Readable) -> None:
    """Give the port back."""
    try:
        port.close()
    except FOREIGN:
        port.is_open = False  # it has gone already


def translated(port: str, error: Exception) -> DeviceError:
    """Our error for one out of opening a port."""
    number = _number(error)
    if number in _BUSY or (number is None and "PermissionError" in str(error)):  # so Windows says "in use"
        return DeviceBusy(f"{port}: another program has it open; close that program or give the device another port")
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
