"""Linux: which device is behind a node of the kernel, as sysfs tells it, and which nodes the one that is named has.

A node's number changes with each replug; what USB calls a device stays. Devices that are not on USB (Bluetooth, PS/2)
are known by what the kernel's HID or input layer says of them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drivers.base import DeviceBusy, DeviceError, DeviceGone, DeviceRefused
from drivers.usb_names import UsbNames

_USB = "0003"
_BUSY = {errno.EBUSY, errno.EAGAIN}
_RIGHTS = {errno.EACCES, errno.EPERM}
_NONSENSE = {errno.EINVAL, errno.ENOTTY, errno.EISDIR, errno.ENOTDIR}


@dataclass(frozen=True)
class Device:
    """One device. `port` is where it is plugged in (USB: 1-2.3), `title` is for people."""

    vendor: str
    product: str
    serial: str
    port: str
    title: str

    def options(self, found: Iterable[Device]) -> dict[str, object]:
        """What config.toml calls it: by its serial number, or by its port where it has none of its own among those found."""
        twins = [each for each in found if (each.vendor, each.product) == (self.vendor, self.product)]
        names: dict[str, object] = {"vendor": self.vendor, "product": self.product}
        if len(twins) < 2:
            return names
        alone = self.serial and [each.serial for each in twins].count(self.serial) == 1
        return {**names, "serial": self.serial} if alone else {**names, "port": self.port}

    def __str__(self) -> str:
        return f"{self.title} {':'.join(filter(None, (self.vendor, self.product, self.serial)))} at {self.port}".strip()


def devices(folder: Path, takes: Callable[[Path], bool]) -> dict[Device, list[str]]:
    """The devices, with the names of their nodes, in that folder of /sys/class, as far as `takes` wants their nodes."""
    found: dict[Device, list[str]] = {}
    for node in sorted(folder.glob("*[0-9]"), key=lambda node: (len(node.name), node.name)):
        try:
            if takes(node):
                found.setdefault(_behind((node / "device").resolve(strict=True)), []).append(node.name)
        except OSError:  # unplugged this moment
            continue
    return found


def the_one(names: UsbNames, found: Mapping[Device, list[str]]) -> tuple[Device, list[str]]:
    """The device that is meant, and its nodes.

    Raises FileNotFoundError when it is not there, and DeviceRefused when several fit: none is taken by a guess.
    """
    fits = [each for each in found if names.fits(each.vendor, each.product, each.serial, each.port)]
    if not fits:
        raise FileNotFoundError(errno.ENOENT, "no such device is plugged in")
    if len(fits) > 1:
        places = ", ".join(map(str, fits))
        raise DeviceRefused(f"scanner {names}: {len(fits)} fit: {places}; name one by its serial number or port")
    return fits[0], found[fits[0]]


def translated(name: str, error: OSError) -> DeviceError:
    """Our error for one out of opening a node."""
    if error.errno in _BUSY:
        return DeviceBusy(f"scanner {name}: another program holds it; close that program")
    if error.errno in _RIGHTS:
        return DeviceRefused(
            f"scanner {name}: {error}; give the service's user the right to open it (group, udev rule)"
        )
    if error.errno in _NONSENSE:
        return DeviceRefused(f"scanner {name}: {error}; it is no device of this kind")
    return DeviceGone(f"scanner {name}: {error}; check its cable, and that it is in the mode that the driver is for")


def attribute(file: Path) -> str:
    """What a file of sysfs says, "" when there is none."""
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else ""


def _behind(place: Path) -> Device:
    bus, known = _of_input(place) if (place / "id").exists() else _of_hid(place)
    for each in (place, *place.parents) if bus == _USB else ():
        if (each / "idVendor").exists():
            vendor, product, serial = (attribute(each / name) for name in ("idVendor", "idProduct", "serial"))
            title = " ".join(filter(None, (attribute(each / "manufacturer"), attribute(each / "product"))))
            return Device(vendor, product, serial, each.name, title)
    return known


def _of_input(place: Path) -> tuple[str, Device]:
    told = (attribute(place / name) for name in ("id/vendor", "id/product", "uniq", "phys", "name"))
    return attribute(place / "id/bustype"), Device(*told)


def _of_hid(place: Path) -> tuple[str, Device]:
    told = dict(line.split("=", 1) for line in attribute(place / "uevent").splitlines() if "=" in line)
    bus, vendor, product = (number[-4:].lower() for number in told.get("HID_ID", "::").split(":", 2))
    serial, port, title = (told.get(name, "") for name in ("HID_UNIQ", "HID_PHYS", "HID_NAME"))
    return bus, Device(vendor, product, serial, port, title)
