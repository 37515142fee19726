"""Which of the USB devices is meant: by the numbers of its maker, by its serial number, or by where it is plugged in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class UsbNames:
    """What must fit; empty = anything does."""

    vendor: str = field(default="", metadata={"doc": "as lsusb shows it in ID vendor:product: 04b8"})
    product: str = field(default="", metadata={"doc": "0202"})
    serial: str = field(default="", metadata={"doc": "serial number; cheap printers all have the same"})
    port: str = field(default="", metadata={"doc": "where it is plugged in, as in /sys/bus/usb/devices: 1-2.3"})

    def __post_init__(self) -> None:
        for name in ("vendor", "product"):
            number = getattr(self, name)
            if number and not re.fullmatch("[0-9a-fA-F]{4}", number):
                raise ValueError(f"{name} {number!r}: four hexadecimal digits, as lsusb shows them")
        if self.product and not self.vendor:
            raise ValueError("product: it needs its vendor")

    @property
    def names(self) -> dict[str, str]:
        """What was named, in order."""
        named = {name: getattr(self, name) for name in ("vendor", "product", "serial", "port")}
        return {name: value for name, value in named.items() if value}

    def fits(self, vendor: str, product: str, serial: str, port: str) -> bool:
        """Whether a device with these is meant."""
        there = {"vendor": vendor.lower(), "product": product.lower(), "serial": serial, "port": port}
        return all(
            there[name] == (value.lower() if name in ("vendor", "product") else value)
            for name, value in self.names.items()
        )

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.names.items()) or "on USB"
