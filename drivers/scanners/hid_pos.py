"""Scanners in HID POS mode ("USB HID", "HID bar code scanner", usage page 0x8C), on Linux through hidraw.

Device    whatever has the Bar Code Scanner page in its report descriptor; where a code is in a report is read from there, and
          from fixed places only for makers whose descriptor does not say it. Named by its numbers or its port.
Manual    HID Point of Sale Usage Tables 1.02, HID Usage Tables 1.5; Linux Documentation/hid/hidraw.rst.
Quirks    The scanner names the symbology apart from the data: its AIM id is put in front, as `]E0`. A long code comes in several
          reports; the last one says that no more follow. Some append their suffix all the same.
          The kernel keeps 63 reports and drops the newest without a word: all that wait are read before any work is done.
          Honeywell and Metrologic send nothing before feature report 254 has been set to 1.
          On Windows it needs the extra `tillmate[hidpos]` (hidapi); that part was written, not run.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from drivers.base import Candidate, DeviceGone, DeviceRefused, Driver
from drivers.framing import CERTAIN_END, Framing
from drivers.linux_devices import Device, devices, the_one, translated
from drivers.scanners._hid_layout import Field, Layout, has_feature, is_scanner, layout_of
from drivers.usb_names import UsbNames

END = CERTAIN_END.encode()
"""Behind each code: CR and LF may be in one, and a scanner in this mode knows where a code ends."""

_REPORT = 4096
_MOST = 256
_WAKE, _HONEYWELL = 254, ("0c2e", "23d0", "0536")
_SET_FEATURE = 0xC0004806  # HIDIOCSFEATURE of no bytes
_NEWLAND = Layout(2, Field(2 * 8, 56 * 8), Field(8, 8), (), Field(63 * 8, 1))  # its FM420 guide, "Getting Scanned Data"
_FIXED = {
    vendor: Layout(2, Field(5 * 8, 56 * 8), Field(8, 8), (Field(16, 8), Field(24, 8), Field(32, 8)), Field(63 * 8, 8))
    for vendor in _HONEYWELL
} | {"1eab": _NEWLAND}


@dataclass(frozen=True)
class Options(UsbNames):
    """Which scanner: vendor and product, with its serial number where there are two of them; or its port."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.port and not self.vendor:
            raise ValueError("name the scanner: vendor and product, or port")


class Reports(Protocol):
    """Where reports come from."""

    def wait(self, timeout: float) -> list[bytes]:
        """All reports that have come, waiting for the first one. Raises OSError when the device is gone."""
        ...

    def close(self) -> None: ...


class HidPosScanner:
    """An open scanner; see drivers.base.Scanner."""

    def __init__(self, reports: Reports, layout: Layout, name: str) -> None:
        self._reports, self._layout, self._name = reports, layout, name
        self._begun = False  # the reports so far end in the middle of a code

    def read(self, timeout: float) -> bytes:
        try:
            reports = self._reports.wait(timeout)
        except OSError as error:
            raise DeviceGone(f"scanner {self._name}: {error}") from error
        return b"".join(map(self._unpacked, reports))

    def close(self) -> None:
        self._reports.close()

    def _unpacked(self, report: bytes) -> bytes:
        part = self._layout.part(report)
        if part is None:
            return b""
        begin = b"" if self._begun else part.aim
        self._begun = part.more
        return begin + (part.data if part.more else part.data.removesuffix(b"\n").removesuffix(b"\r") + END)


class Hidraw:
    """A node of hidraw."""

    def __init__(self, node: int) -> None:
        self._node = node
        self._poll = select.poll()
        self._poll.register(node, select.POLLIN)

    def wait(self, timeout: float) -> list[bytes]:
        if self._node < 0:
            raise OSError(errno.EBADF, "it was closed")
        reports: list[bytes] = []
        try:
            while self._poll.poll(0 if reports else timeout * 1000) and len(reports) < _MOST:
                reports.append(self._next())
        except OSError:
            if not reports:  # else these first; the next call fails again
                raise
        return reports

    def close(self) -> None:
        if self._node >= 0:
            os.close(self._node)
        self._node = -1

    def _next(self) -> bytes:
        report = os.read(self._node, _REPORT)
        if not report:
            raise OSError(errno.EIO, "it hung up")
        return report


def lock(node: int) -> None:
    """Against a second agent: to the system everybody may read reports. Raises OSError."""
    if sys.platform == "win32":
        raise OSError(errno.ENOTTY, "Linux alone has this")
    import fcntl

    fcntl.flock(node, fcntl.LOCK_EX | fcntl.LOCK_NB)


def set_feature(node: int, report: bytes) -> None:
    """Send a feature report, its number first. Raises OSError."""
    if sys.platform == "win32":
        raise OSError(errno.ENOTTY, "Linux alone has this")
    import fcntl

    fcntl.ioctl(node, _SET_FEATURE | len(report) << 16, report)


def open_node(path: Path) -> int:
    """Raises OSError."""
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


@dataclass(frozen=True)
class System:
    """Where the kernel has scanners, and what it is asked for."""

    classes: Path = Path("/sys/class/hidraw")
    nodes: Path = Path("/dev")
    open: Callable[[Path], int] = open_node
    set_feature: Callable[[int, bytes], None] = set_feature


LINUX = System()


def open_scanner(options: Options, system: System = LINUX) -> HidPosScanner:
    """Find the scanner, anew each time, and open it. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    if sys.platform == "win32":
        from drivers.scanners import _hidapi

        reports, vendor, descriptor = _hidapi.open_reports(options)
        if first := wake_report(vendor, descriptor):
            reports.send_feature(first)
        return HidPosScanner(reports, layout_for(vendor, descriptor), str(options))
    try:
        device, names = the_one(options, scanners(system))
        return _opened(names[0], device, system)
    except OSError as error:
        raise translated(str(options), error) from error


def scanners(system: System = LINUX) -> dict[Device, list[str]]:
    """All with the Bar Code Scanner page."""
    return devices(system.classes, lambda node: is_scanner(_descriptor(node)))


def candidates(system: System = LINUX) -> Iterator[Candidate]:
    """Each of them."""
    found = scanners(system)
    for device, names in found.items():
        yield Candidate(str(device), device.options(found), partial(_opened, names[0], device, system))


def layout_for(vendor: str, descriptor: bytes) -> Layout:
    """Where the codes of that scanner are. Raises DeviceRefused."""
    layout = layout_of(descriptor) or _FIXED.get(vendor)
    if layout is None:
        raise DeviceRefused(f"scanner of {vendor}: its reports do not say where a code is; set it to USB COM")
    return layout


def wake_report(vendor: str, descriptor: bytes) -> bytes:
    """What such a scanner must be sent before it sends anything."""
    return bytes([_WAKE, 1]) if vendor in _HONEYWELL and has_feature(descriptor, _WAKE) else b""


def _opened(name: str, device: Device, system: System) -> HidPosScanner:
    descriptor = _descriptor(system.classes / name)
    layout, first = layout_for(device.vendor, descriptor), wake_report(device.vendor, descriptor)
    node = system.open(system.nodes / name)
    try:
        lock(node)
        if first:
            system.set_feature(node, first)
    except OSError:
        os.close(node)
        raise
    return HidPosScanner(Hidraw(node), layout, str(device))


def _descriptor(node: Path) -> bytes:
    return (node / "device/report_descriptor").read_bytes()


DRIVER = Driver(
    kind="scanner",
    name="hid_pos",
    title="Scanner in HID POS mode",
    maturity="BETA",
    tested_with=("Linux pty", "an emulated scanner under Linux 6.1"),
    options=Options,
    open=open_scanner,
    framing=Framing(terminators=CERTAIN_END, idle_ms=200),
    candidates=candidates,
)
