"""HID POS reports through hidapi, for Windows: written, not run. Imported only there, and only when a scanner is opened.

hidapi does not tell where a scanner is plugged in; two of one model are told apart by their serial numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypedDict

from drivers.base import DeviceGone, DeviceRefused
from drivers.scanners._hid_layout import PAGE
from drivers.usb_names import UsbNames

_REPORT = 4096
_MOST = 256


class _Entry(TypedDict):
    """What `hid.enumerate` says of one interface."""

    path: bytes
    vendor_id: int
    product_id: int
    serial_number: str | None
    usage_page: int


class _Handle(Protocol):
    """What this file needs of `hid.device`."""

    def open_path(self, path: bytes, /) -> None: ...
    def read(self, size: int, timeout: int, /) -> Iterable[int]: ...
    def send_feature_report(self, report: bytes, /) -> int: ...
    def get_report_descriptor(self) -> Iterable[int]: ...
    def close(self) -> None: ...


class HidapiReports:
    """An open interface; see drivers.scanners.hid_pos.Reports."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def wait(self, timeout: float) -> list[bytes]:
        reports: list[bytes] = []
        while len(reports) < _MOST:
            report = self._read(0 if reports else timeout)
            if not report:
                break
            reports.append(report)
        return reports

    def send_feature(self, report: bytes) -> None:
        """Its number first."""
        self._handle.send_feature_report(report)

    def close(self) -> None:
        self._handle.close()

    def _read(self, timeout: float) -> bytes:
        try:
            return bytes(self._handle.read(_REPORT, max(int(timeout * 1000), 1)))
        except ValueError as error:  # so it says that it was closed
            raise OSError(str(error)) from error


def open_reports(options: UsbNames) -> tuple[HidapiReports, str, bytes]:
    """The reports of the scanner that is meant, its vendor and its descriptor. Raises DeviceGone or DeviceRefused."""
    try:
        import hid
    except ImportError as error:
        raise DeviceRefused(f"scanner {options}: hidapi is missing; install tillmate[hidpos]") from error
    if options.port:
        raise DeviceRefused(f"scanner {options}: ports are not known on Windows; name its vendor, product and serial")
    entry = _the_one(options, hid.enumerate(0, 0))
    handle: _Handle = hid.device()
    try:
        handle.open_path(entry["path"])
        return HidapiReports(handle), _number(entry["vendor_id"]), bytes(handle.get_report_descriptor())
    except OSError as error:
        handle.close()
        raise DeviceGone(f"scanner {options}: {error}") from error


def _the_one(options: UsbNames, entries: Iterable[_Entry]) -> _Entry:
    fits = [
        each
        for each in entries
        if each["usage_page"] == PAGE
        and options.fits(_number(each["vendor_id"]), _number(each["product_id"]), each["serial_number"] or "", "")
    ]
    if not fits:
        raise DeviceGone(f"scanner {options}: no such scanner in HID POS mode is plugged in")
    if len(fits) > 1:
        raise DeviceRefused(f"scanner {options}: {len(fits)} fit; name one by its serial number")
    return fits[0]


def _number(number: int) -> str:
    return f"{number:04x}"
