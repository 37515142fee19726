"""An emulated USB bus for pyusb, at pyusb's own seam for backends: devices with descriptors, halts, NAKs and a plug.

It keeps the rules of Linux that the driver has to live with: a handle from before an unplug answers ENODEV for ever, one
handle may claim an interface, the kernel's driver must be detached before that, and comes back only when it is attached.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

OUT, IN = 0x01, 0x82


@dataclass
class Setting:
    """One alternate setting of the one interface."""

    kind: int = 7
    protocol: int = 2
    ends: tuple[int, ...] = (OUT, IN)
    packet: int = 64


@dataclass
class UsbDevice:
    """What is plugged in."""

    vendor: int = 0x04B8
    product: int = 0x0202
    serial: str = "S1"
    ports: tuple[int, ...] = (2,)
    settings: tuple[Setting, ...] = (Setting(),)
    kernel_driver: str = "usblp"
    configured: int = 1
    forbidden: bool = False
    answers_empty: bool = False  # "nothing to say" at once, not after the timeout
    stays_stalled: bool = False
    room: float = float("inf")  # bytes that it still takes before it only says NAK
    plugged: bool = True
    life: int = 0
    owner: object = None
    chosen: int = 0
    halted: set[int] = field(default_factory=set)
    received: bytearray = field(default_factory=bytearray)
    replies: list[bytes] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def change(self, **fields: object) -> None:
        with self.changed:
            for name, value in fields.items():
                setattr(self, name, value)
            self.changed.notify_all()

    def unplug(self) -> None:
        self.change(plugged=False, owner=None, halted=set(), configured=0)

    def plug(self) -> None:
        self.change(plugged=True, life=self.life + 1, kernel_driver="usblp", configured=1, chosen=0)

    def reply(self, data: bytes) -> None:
        with self.changed:
            self.replies += [data[at : at + 64] for at in range(0, len(data), 64)]
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        return self.changed.wait_for(condition, timeout)

    def has_room(self, size: int, timeout: float) -> bool:
        return self.wait(lambda: self.room >= size or not self.plugged, timeout)

    def take(self, packet: bytes) -> None:
        self.received += packet
        self.room -= len(packet)
        self.changed.notify_all()


@dataclass(eq=False)
class Handle:
    device: UsbDevice
    life: int


class Bus(IBackend):
    """What usb.core.find looks through."""

    def __init__(self, *devices: UsbDevice) -> None:
        self.devices = list(devices)

    def enumerate_devices(self) -> Iterator[UsbDevice]:
        return (each for each in self.devices if each.plugged)

    def get_parent(self, _dev: UsbDevice) -> None:
        return None

    def get_device_descriptor(self, dev: UsbDevice) -> object:
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x200, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=dev.vendor, idProduct=dev.product, bcdDevice=0x100, iManufacturer=0,
            iProduct=0, iSerialNumber=3 if dev.serial else 0, bNumConfigurations=1, address=5 + dev.life, bus=1,
            port_number=dev.ports[-1], port_numbers=dev.ports, speed=2,
        )  # fmt: skip

    def get_configuration_descriptor(self, _dev: UsbDevice, config: int) -> object:
        if config:
            raise IndexError
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32, bNumInterfaces=1, bConfigurationValue=1, iConfiguration=0,
            bmAttributes=0x80, bMaxPower=50, extra_descriptors=[],
        )  # fmt: skip

    def get_interface_descriptor(self, dev: UsbDevice, intf: int, alt: int, _config: int) -> object:
        if intf:
            raise IndexError
        setting = dev.settings[alt]
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=alt, bNumEndpoints=len(setting.ends),
            bInterfaceClass=setting.kind, bInterfaceSubClass=1, bInterfaceProtocol=setting.protocol, iInterface=0,
            extra_descriptors=[],
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: UsbDevice, ep: int, _intf: int, alt: int, _config: int) -> object:
        setting = dev.settings[alt]
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=setting.ends[ep], bmAttributes=2,
            wMaxPacketSize=setting.packet, bInterval=0, bRefresh=0, bSynchAddress=0, extra_descriptors=[],
        )  # fmt: skip

    def open_device(self, dev: UsbDevice) -> Handle:
        if dev.forbidden:
            raise failure(errno.EACCES)
        if not dev.plugged:
            raise failure(errno.ENODEV)
        dev.log.append("open")
        return Handle(dev, dev.life)

    def close_device(self, dev_handle: Handle) -> None:
        dev_handle.device.log.append("close")
        if dev_handle.device.owner is dev_handle:
            dev_handle.device.owner = None

    def get_configuration(self, dev_handle: Handle) -> int:
        return there(dev_handle).configured

    def set_configuration(self, dev_handle: Handle, config_value: int) -> None:
        there(dev_handle).configured = config_value

    def set_interface_altsetting(self, dev_handle: Handle, _intf: int, altsetting: int) -> None:
        there(dev_handle).chosen = altsetting

    def is_kernel_driver_active(self, dev_handle: Handle, _intf: int) -> bool:
        return bool(there(dev_handle).kernel_driver)

    def detach_kernel_driver(self, dev_handle: Handle, _intf: int) -> None:
        device = there(dev_handle)
        device.log.append("detach")
        device.kernel_driver = ""

    def attach_kernel_driver(self, dev_handle: Handle, _intf: int) -> None:
        device = there(dev_handle)
        if device.owner is not None:
            raise failure(errno.EBUSY)
        device.log.append("attach")
        device.kernel_driver = "usblp"

    def claim_interface(self, dev_handle: Handle, _intf: int) -> None:
        device = there(dev_handle)
        if device.kernel_driver or device.owner not in (None, dev_handle):
            raise failure(errno.EBUSY)
        device.owner = dev_handle

    def release_interface(self, dev_handle: Handle, _intf: int) -> None:
        there(dev_handle).owner = None

    def reset_device(self, _handle: Handle) -> None:
        raise AssertionError("it would lose what the printer holds")

    def clear_halt(self, dev_handle: Handle, ep: int) -> None:
        device = there(dev_handle)
        device.log.append(f"clear {ep:#04x}")
        if not device.stays_stalled:
            device.halted.discard(ep)

    def bulk_write(self, dev_handle: Handle, ep: int, _intf: int, data: array[int], timeout: int) -> int:
        end = time.monotonic() + timeout / 1000
        taken = 0
        device = dev_handle.device
        with device.changed:
            while taken < len(data):
                usable(dev_handle, ep)
                packet = bytes(data[taken : taken + device.settings[device.chosen].packet])
                if device.has_room(len(packet), end - time.monotonic()):
                    usable(dev_handle, ep)
                    device.take(packet)
                    taken += len(packet)
                elif taken:
                    return taken
                else:
                    raise timed_out()
        return taken

    def bulk_read(self, dev_handle: Handle, ep: int, _intf: int, buff: array[int], timeout: int) -> int:
        device = dev_handle.device
        with device.changed:
            usable(dev_handle, ep)
            if not device.answers_empty:
                device.wait(lambda: bool(device.replies or not device.plugged), timeout / 1000)
            usable(dev_handle, ep)
            if not device.replies:
                if device.answers_empty:
                    return 0
                raise timed_out()
            packet = device.replies.pop(0)
            assert len(packet) <= len(buff), "EOVERFLOW"
            buff[: len(packet)] = array("B", packet)
            return len(packet)

    def ctrl_transfer(
        self, dev_handle: Handle, kind: int, asked: int, value: int, _index: int, data: array[int], _timeout: int
    ) -> int:
        """Only strings: the languages, and the serial number."""
        assert (kind, asked, value >> 8) == (0x80, 6, 3)
        device = there(dev_handle)
        text = device.serial.encode("utf-16-le") if value & 0xFF else b"\x09\x04"
        answer = bytes([len(text) + 2, 3]) + text
        data[: len(answer)] = array("B", answer)
        return len(answer)


def there(handle: Handle) -> UsbDevice:
    if not handle.device.plugged or handle.life != handle.device.life:
        raise failure(errno.ENODEV)
    return handle.device


def usable(handle: Handle, endpoint: int) -> None:
    device = there(handle)
    assert device.owner is handle, "not claimed"
    assert endpoint in device.settings[device.chosen].ends, "no such end point in this setting"
    if endpoint in device.halted:
        raise failure(errno.EPIPE)


def failure(number: int) -> USBError:
    return USBError(os.strerror(number), -1, number)


def timed_out() -> USBTimeoutError:
    return USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
