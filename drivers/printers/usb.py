"""Receipt printers on USB through libusb, without a driver of the system's (pyusb).

Device    USB printers (class 7), and those that only speak their maker's own class when vendor and product name them.
Manual    Universal Serial Bus Device Class Definition for Printing Devices 1.1; pyusb 1.3. `lsusb -v` shows the numbers.
Quirks    End points and packet size differ between clones: they come from the descriptor.
          usblp has the printer at first: it is detached, and attached again on close, so that CUPS finds its node again.
          One owner at a time: EBUSY. After a replug the old handle answers ENODEV for ever; a new one is had some moments
          after the kernel's node is there, because libusb hears of it later.
          A stalled end point stays so (EPIPE) until it is cleared. Bytes go one packet at a time: a packet is taken whole or
          not at all, so after a stall or a timeout it is known how many were taken, and nothing comes twice.
          Some printers answer "nothing to say" at once, again and again: hence the pause.
          The device is never reset: that would throw away what it holds.
          Without AF_NETLINK (a service's sandbox) or libusb there is "no backend". On Windows libusb needs the WinUSB
          driver for the printer; not tried there, the driver os_queue is the usual way.
"""

from __future__ import annotations

import contextlib
import errno
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from drivers.base import DeviceBusy, DeviceError, DeviceGone, DeviceRefused, DeviceStalled, Driver
from drivers.progress import Progress, pause
from drivers.usb_names import UsbNames

if TYPE_CHECKING:
    from usb.backend import IBackend


class _Endpoint(Protocol):
    bEndpointAddress: int
    bmAttributes: int
    wMaxPacketSize: int


class _Interface(Protocol):
    bInterfaceNumber: int
    bAlternateSetting: int
    bInterfaceClass: int
    bInterfaceProtocol: int

    def __iter__(self) -> Iterator[_Endpoint]: ...


class _Device(Protocol):
    """What this file needs of usb.core.Device."""

    idVendor: int
    idProduct: int
    bNumConfigurations: int
    bus: int
    port_numbers: Sequence[int] | None
    serial_number: str | None

    def __getitem__(self, configuration: int, /) -> Iterable[_Interface]: ...
    def is_kernel_driver_active(self, interface: int, /) -> bool: ...
    def detach_kernel_driver(self, interface: int, /) -> None: ...
    def attach_kernel_driver(self, interface: int, /) -> None: ...
    def get_active_configuration(self) -> object: ...
    def set_configuration(self) -> None: ...
    def set_interface_altsetting(self, interface: int, setting: int, /) -> None: ...
    def write(self, endpoint: int, data: bytes, timeout: int, /) -> int: ...
    def read(self, endpoint: int, size: int, timeout: int, /) -> Iterable[int]: ...
    def clear_halt(self, endpoint: int, /) -> None: ...


_PRINTER = 7
_BOTH_WAYS, _ONE_WAY, _PACKETS_1284 = 2, 1, 3
_PROTOCOLS = (_BOTH_WAYS, _ONE_WAY, _PACKETS_1284)  # the best first; 4 is IPP, which takes no receipts
_BULK, _IN = 2, 0x80
_TURN = 0.01


@dataclass(frozen=True)
class Options(UsbNames):
    """Which printer. Nothing at all: the only one there is."""


@dataclass(frozen=True)
class _Way:
    """The interface of a device that takes receipts."""

    device: _Device
    interface: _Interface
    out: _Endpoint
    back: _Endpoint | None


class UsbPrinter:
    """A claimed interface; see drivers.base.Printer."""

    def __init__(self, way: _Way, name: str) -> None:
        self._way, self._name = way, name
        self._open = True

    def write(self, payload: bytes, timeout: float) -> None:
        progress, taken, cleared = Progress(timeout), 0, False
        while taken < len(payload):
            try:
                taken += self._put(payload[taken : taken + self._way.out.wMaxPacketSize], progress.left)
            except OSError as error:
                if error.errno == errno.ETIMEDOUT:
                    raise self._stalled(taken) from error
                self._end_stall(self._way.out.bEndpointAddress, error, again=cleared)
                cleared = True
            else:
                progress.made()
                cleared = False

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        while True:
            chunk = self._receive(max(end - time.monotonic(), 0.0))
            left = end - time.monotonic()
            if chunk or left <= 0:
                return chunk
            pause(min(_TURN, left) if self._way.back is not None else left)

    def free(self) -> None:
        """End stalls that there may be. Raises DeviceGone."""
        for each in (self._way.out, self._way.back):
            if each is not None:
                self._clear(each.bEndpointAddress)

    def close(self) -> None:
        if self._open:
            self._open = False
            _give_back(self._way)

    def _put(self, packet: bytes, timeout: float) -> int:
        self._check()
        return self._way.device.write(self._way.out.bEndpointAddress, packet, _milliseconds(timeout))

    def _receive(self, timeout: float) -> bytes:
        self._check()
        back = self._way.back
        if back is None:
            return b""
        try:
            return bytes(self._way.device.read(back.bEndpointAddress, back.wMaxPacketSize, _milliseconds(timeout)))
        except OSError as error:
            if error.errno != errno.ETIMEDOUT:
                self._end_stall(back.bEndpointAddress, error, again=False)
        return b""

    def _check(self) -> None:
        if not self._open:
            raise DeviceGone(f"printer {self._name}: it was closed")

    def _stalled(self, taken: int) -> DeviceStalled:
        return DeviceStalled(f"printer {self._name}: it takes nothing; {taken} bytes were taken", taken)

    def _end_stall(self, endpoint: int, error: OSError, *, again: bool) -> None:
        """Raises DeviceGone for any other error, and for a stall that comes back at once."""
        if error.errno != errno.EPIPE or again:
            raise DeviceGone(f"printer {self._name}: {error}") from error
        self._clear(endpoint)

    def _clear(self, endpoint: int) -> None:
        try:
            self._way.device.clear_halt(endpoint)
        except OSError as error:
            raise DeviceGone(f"printer {self._name}: {error}") from error


def open_printer(options: Options, backend: IBackend | None = None) -> UsbPrinter:
    """Find and claim the printer, anew each time. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    from usb.core import NoBackendError

    try:
        return _claimed(_found(options, backend), str(options))
    except NoBackendError as error:
        cure = "install libusb-1.0-0, and let a service's sandbox have AF_NETLINK"
        raise DeviceRefused(f"printer {options}: libusb does not work here: {error}; {cure}") from error
    except (OSError, ValueError) as error:  # ValueError: pyusb could not even read a name
        raise _translated(str(options), error) from error


def free(port: str) -> None:
    """Clear the end points of the printer there, which another driver of the system has. Raises DeviceError."""
    printer = open_printer(Options(port=port))
    try:
        printer.free()
    finally:
        printer.close()


def _claimed(way: _Way, name: str) -> UsbPrinter:
    from usb import util

    number = way.interface.bInterfaceNumber
    try:
        with contextlib.suppress(NotImplementedError):  # only Linux has drivers that can be detached
            if way.device.is_kernel_driver_active(number):
                way.device.detach_kernel_driver(number)
        _configure(way.device)
        util.claim_interface(way.device, number)
        if way.interface.bAlternateSetting:
            way.device.set_interface_altsetting(number, way.interface.bAlternateSetting)
    except OSError:
        _give_back(way)
        raise
    return UsbPrinter(way, name)


def _configure(device: _Device) -> None:
    """Only where nobody has done it: it begins everything anew, for the device's other interfaces too."""
    from usb.core import USBError

    try:
        device.get_active_configuration()
    except USBError as error:
        if error.errno is not None:
            raise
        device.set_configuration()


def _give_back(way: _Way) -> None:
    """Let go, and let the system's driver have it: also one that a predecessor, which was killed, had detached."""
    from usb import util

    number = way.interface.bInterfaceNumber
    with contextlib.suppress(OSError):  # unplugged
        util.release_interface(way.device, number)
    with contextlib.suppress(OSError, NotImplementedError):  # no such driver, or another program has it
        way.device.attach_kernel_driver(number)
    with contextlib.suppress(OSError):
        util.dispose_resources(way.device)


def _found(options: Options, backend: IBackend | None) -> _Way:
    """The one printer that fits. Raises FileNotFoundError, DeviceRefused and what pyusb raises."""
    from usb import core

    ways: list[_Way] = []
    unread: OSError | ValueError = FileNotFoundError(errno.ENOENT, "no such USB printer is plugged in")
    for device in core.find(find_all=True, backend=backend):
        try:
            ways += _meant(options, device)
        except (OSError, ValueError) as error:  # no right to ask for its serial number, or unplugged this moment
            unread = error
    if not ways:
        raise unread
    if len(ways) > 1:
        places = ", ".join(sorted(_port(way.device) for way in ways))
        raise DeviceRefused(f"printer {options}: {len(ways)} fit; name one by its serial number or port: {places}")
    return ways[0]


def _meant(options: Options, device: _Device) -> list[_Way]:
    """Its way in, or nothing if it is another device."""
    serial = options.serial  # asked only of those that fit otherwise: they must be opened for it
    if not options.fits(f"{device.idVendor:04x}", f"{device.idProduct:04x}", serial, _port(device)):
        return []
    way = _way(device, own_class=bool(options.product))
    return [way] if way is not None and (not serial or device.serial_number == serial) else []


def _way(device: _Device, *, own_class: bool) -> _Way | None:
    """How it takes receipts; None = it does not look like a printer."""
    settings = [each for each in device[0] if _bulk(each, 0) is not None] if device.bNumConfigurations else []
    printers = [each for each in settings if each.bInterfaceClass == _PRINTER and each.bInterfaceProtocol in _PROTOCOLS]
    printers.sort(key=lambda each: _PROTOCOLS.index(each.bInterfaceProtocol))
    if not printers and own_class:
        printers = settings
    if not printers:
        return None
    best = printers[0]
    out, back = _bulk(best, 0), _bulk(best, _IN)
    return _Way(device, best, out, back) if out is not None else None


def _bulk(interface: _Interface, direction: int) -> _Endpoint | None:
    """Its first bulk end point in that direction, or None."""
    for each in interface:
        if each.bmAttributes & 3 == _BULK and each.bEndpointAddress & _IN == direction:
            return each
    return None


def _port(device: _Device) -> str:
    """Where it is plugged in, as Linux writes it."""
    return f"{device.bus}-{'.'.join(map(str, device.port_numbers or ()))}"


def _milliseconds(seconds: float) -> int:
    return max(math.ceil(seconds * 1000), 1)  # 0 would mean for ever


def _translated(name: str, error: OSError | ValueError) -> DeviceError:
    number = error.errno if isinstance(error, OSError) else errno.EACCES
    if number == errno.EBUSY:
        return DeviceBusy(f"printer {name}: {error}; another program has it: close that program or its printer queue")
    if number in (errno.EACCES, errno.EPERM):
        return DeviceRefused(
            f"printer {name}: {error}; put the service's user into the group lp, to which udev gives USB printers;"
            " one with a class of its own needs a rule in /etc/udev/rules.d (docs/drivers.md)"
        )
    return DeviceGone(f"printer {name}: {error}; check power and cable")


DRIVER = Driver(
    kind="printer",
    name="usb",
    title="USB printer through libusb",
    maturity="BETA",
    tested_with=("an emulated printer under Linux 6.1",),
    options=Options,
    open=open_printer,
)
