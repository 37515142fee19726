"""Scanners on RS-232, USB serial chips, USB COM (CDC-ACM) and TCP, through pyserial.

Device    whatever sends its codes as plain bytes. `port` is /dev/ttyUSB0, /dev/ttyACM0, COM3, a link under
          /dev/serial/by-id or socket://HOST:PORT. A USB one is better named by vendor and product, with its serial
          number or its port (1-2.3) where there are two: it is then found again at each opening, at any node.
Manual    pyserial 3.5; the scanner's own for "USB COM", "serial" or "TCP server" mode and its suffix (CR LF is best).
Quirks    Read in chunks: pyserial's readline() costs 28 ms a code on CDC-ACM, where a chunk costs 0.5.
          An open handle keeps the node's number busy after an unplug: close at the first error.
          The lock is flock, so another program that does not ask for it is not kept out.
          Bytes sent while nobody had the port open are thrown away when it opens.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from drivers.base import Candidate, DeviceBusy, DeviceGone, DeviceRefused, Driver
from drivers.serial_line import FOREIGN, LineOptions, Node, close_line, open_line, read_chunk, translated
from drivers.usb_names import UsbNames

if TYPE_CHECKING:
    from serial import Serial

    from drivers.scanners._socket_port import SocketPort

_SPEEDS = (9600, 115200, 19200, 38400, 57600, 4800)
_PLACE = re.compile(r"\d+-\d+(\.\d+)*")


@dataclass(frozen=True)
class Options(LineOptions):
    """The line settings; for TCP only `port` counts."""

    port: str = field(
        default="", metadata={"doc": "/dev/ttyACM0, COM3 or socket://HOST:PORT; with vendor the port on USB, as 1-2.3"}
    )
    vendor: str = field(default="", metadata={"doc": "as lsusb shows it in ID vendor:product: 0c2e"})
    product: str = field(default="", metadata={"doc": "0720"})
    serial: str = field(default="", metadata={"doc": "serial number, where there are two of one model"})

    def __post_init__(self) -> None:
        if self.names.names:
            if self.port and not _PLACE.fullmatch(self.port):
                raise ValueError(f"port {self.port!r}: with vendor or serial it is where it is plugged in, as 1-2.3")
            LineOptions(self.port or "USB", self.baudrate)  # checks the rest
            return
        super().__post_init__()
        if "://" in self.port and not _is_socket(self.port):
            raise ValueError(f"port {self.port!r}: the only address form is socket://HOST:PORT")

    @property
    def names(self) -> UsbNames:
        """What it is called on USB; nothing where `port` says it all."""
        place = self.port if self.vendor or self.product or self.serial or _PLACE.fullmatch(self.port) else ""
        return UsbNames(self.vendor, self.product, self.serial, place)


class SerialScanner:
    """An open port."""

    def __init__(self, port: Serial | SocketPort, name: str) -> None:
        self._port = port
        self._name = name
        self._node = None if sys.platform == "win32" else Node(port.fileno())

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, waiting at most `timeout` seconds for the first byte. Raises DeviceGone."""
        if self._node is None:
            return read_chunk(self._port, timeout, self._name)
        return self._node.read(timeout, self._name)

    def close(self) -> None:
        """Give the port back."""
        self._node = None  # its number may soon be another device's; what is closed says so to pyserial
        close_line(self._port)


class Port(Protocol):
    """What pyserial's list_ports says of one; a number that is None is not on USB."""

    device: str
    description: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    location: str | None


def list_ports() -> list[Port]:
    """The serial ports of this machine. Raises DeviceGone when one is being unplugged this moment."""
    from serial.tools.list_ports import comports

    try:
        return list(comports())
    except (OSError, TypeError, ValueError) as error:  # a number of it could not be read any more
        raise DeviceGone(f"serial ports: {error}") from error


def open_port(options: Options, ports: Iterable[Port] | None = None) -> SerialScanner:
    """Open the port for us alone. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    device = _found(options.names, list_ports() if ports is None else ports) if options.names.names else options.port
    try:
        port = _connect(device) if _is_socket(device) else open_line(options, device)
    except (*FOREIGN, ValueError) as error:
        raise translated(device, error) from error
    return SerialScanner(port, device)


def candidates(ports: Iterable[Port] | None = None) -> Iterator[Candidate]:
    """Each port, at the usual speed first."""
    found = sorted(list_ports() if ports is None else ports, key=lambda port: port.device)
    for port in found:
        yield _candidate(port, _called(port, found), 0)


def _candidate(port: Port, named: dict[str, object], speed: int) -> Candidate:
    baudrate = _SPEEDS[speed % len(_SPEEDS)]
    options = {**named, "baudrate": baudrate} if baudrate != LineOptions.baudrate else named
    listen = partial(_open_unused, Options(port.device, baudrate))
    return Candidate(f"{port.device} {port.description}", options, listen, partial(_candidate, port, named, speed + 1))


def _open_unused(options: Options) -> SerialScanner:
    """Not even for a moment where another program has it open, perhaps for a fiscal printer: it would lose bytes to us."""
    device = Path(options.port).resolve()
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # ended, or another user's
            if handle.readlink() == device:
                raise DeviceBusy(f"{options.port}: process {handle.parts[2]} has it open")
    return open_port(options)


def _found(names: UsbNames, ports: Iterable[Port]) -> str:
    """The node of the one device that is meant; of its nodes the first. Raises DeviceGone or DeviceRefused."""
    fits = [port for port in ports if names.fits(*_numbers(port))]
    places = {_numbers(port)[3] for port in fits}
    if not fits:
        raise DeviceGone(f"scanner {names}: no such device is plugged in") from LookupError(str(names))
    if len(places) > 1:
        raise DeviceRefused(
            f"scanner {names}: {', '.join(port.device for port in fits)} fit; name one by its serial number or port"
        )
    return min(fits, key=lambda port: (len(port.device), port.device)).device


def _called(port: Port, ports: Iterable[Port]) -> dict[str, object]:
    """What config.toml calls it: by numbers where it is on USB, else by its node."""
    vendor, product, serial, place = _numbers(port)
    if port.vid is None:
        return {"port": port.device}
    names: dict[str, object] = {"vendor": vendor, "product": product}
    twins = {_numbers(each)[2:] for each in ports if (each.vid, each.pid) == (port.vid, port.pid)}
    if len(twins) < 2:
        return names
    alone = serial and [other for other, _ in twins].count(serial) == 1
    return {**names, "serial": serial} if alone else {**names, "port": place}


def _numbers(port: Port) -> tuple[str, str, str, str]:
    """As UsbNames has them; a port that is not on USB has none."""
    if port.vid is None or port.pid is None:
        return "", "", "", ""
    place = (port.location or "").split(":", 1)[0]  # of the device, not of one of its interfaces
    return f"{port.vid:04x}", f"{port.pid:04x}", port.serial_number or "", place


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
    tested_with=("Linux pty", "virtual scanner on TCP and pty", "an emulated USB COM scanner under Linux 6.1"),
    options=Options,
    open=open_port,
    candidates=candidates,
)
