"""What Linux shows of scanners on USB, as files: the part of /sys that our drivers read, and nodes that can be fed.

A keyboard's node is a pty, which takes events as they come; that of a HID POS scanner a socket that keeps reports apart.
What the kernel alone can do (grabbing, feature reports) is noted by who plays it.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import struct
import tty
from dataclasses import dataclass, field
from pathlib import Path

from drivers.scanners import hid_keyboard, hid_pos

EVENT = struct.Struct("llHHi")
SYN, KEY, MSC = 0, 1, 4
ENTER, TAB, SHIFT, CTRL, ALT, CAPS, F8, KEYPAD_ENTER = 28, 15, 42, 29, 56, 58, 66, 96
# linux/input-event-codes.h: the names of the keys in the order of their numbers, from KEY_1 = 2 on.
NAMES = "1 2 3 4 5 6 7 8 9 0 - = BS TAB q w e r t y u i o p [ ] ENTER CTRL a s d f g h j k l ; ' ` SHIFT \\ z x c v b n m , . /"
CODES = {name: number for number, name in enumerate(NAMES.split(), start=2)} | {" ": 57}
SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))
KEYPAD = (82, 79, 80, 81, 75, 76, 77, 71, 72, 73)
KEYBOARD = "402000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"  # what a USB keyboard says under Linux 6.1
MOUSE = "ff0000 0 0 0 0"

HONEYWELL = bytes.fromhex(
    # published with purejavahidapi as "Barcode scanner"
    "058C0902A1010912A1028502150026FF00750895010501093B81029503058C09FB09FC09FD8102953809FE8202020666FF95020900090081"
    "02058C25017501950809FF8102C00914A10285041500250175019508095F0960098509869186C006FFFF0901A10285F0150026FF00750895"
    "3F0902820202953F0903920202C0C0"
)


def keys(data: bytes) -> list[tuple[int, int]]:
    """Key and state, one after the other, as a scanner types the characters; control characters with Ctrl."""
    typed = []
    for byte in data:
        held, key = _key(byte)
        typed += [*((each, 1) for each in held), (key, 1), (key, 0), *((each, 0) for each in reversed(held))]
    return typed


def _key(byte: int) -> tuple[list[int], int]:
    sign = chr(byte)
    if sign == "\r":
        return [], ENTER
    if sign == "\t":
        return [], TAB
    if byte < 0x20:
        control = (
            chr(byte | 0x60)
            if 0 < byte < 27
            else {0x1B: "[", 0x1C: "\\", 0x1D: "]", 0x1E: "6", 0x1F: "-", 0: "2"}[byte]
        )
        return [CTRL], CODES[control]
    if sign in SHIFTED or sign.isupper():
        return [SHIFT], CODES[SHIFTED.get(sign, sign.lower())]
    return [], CODES[sign]


def events(pressed: list[tuple[int, int]]) -> bytes:
    """As the kernel hands them out, the scan code of each key before it and a report behind it."""
    return b"".join(
        EVENT.pack(1, 2, *each) for key, state in pressed for each in ((MSC, 4, key), (KEY, key, state), (SYN, 0, 0))
    )


@dataclass
class Tree:
    """/sys/class and /dev of a machine without scanners."""

    root: Path
    numbers: int = 0
    scanners: list[KeyboardScanner | HidPosScanner] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in ("sys/class/input", "sys/class/hidraw", "dev/input"):
            (self.root / folder).mkdir(parents=True)

    def plug(
        self, kind: str, port: str, *, vendor: str, product: str, serial: str, about: dict[str, str | bytes]
    ) -> str:
        """A USB device with one node, of the next number. Returns the node's name."""
        number, self.numbers = self.numbers, self.numbers + 1
        device = self.root / "sys/devices/usb1" / port
        interface = device / f"{port}:1.0/0003:{vendor}:{product}.{number:04}"
        name, place = (
            (f"event{number}", interface / f"input/input{number}")
            if kind == "input"
            else (f"hidraw{number}", interface)
        )
        place.mkdir(parents=True)
        told = {
            "idVendor": vendor,
            "idProduct": product,
            "serial": serial,
            "manufacturer": "Maker",
            "product": "Model 1",
        }
        for file, text in told.items():
            if text:
                (device / file).write_text(f"{text}\n")
        (interface / "uevent").write_text(
            f"HID_ID=0003:0000{vendor.upper()}:0000{product.upper()}\nHID_UNIQ={serial}\n"
        )
        for path, content in about.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        (self.root / "sys/class" / kind / name).mkdir()
        (self.root / "sys/class" / kind / name / "device").symlink_to(place)
        return name

    def clear(self) -> None:
        """Pull all of them."""
        for each in self.scanners:
            each.pull()

    def pull(self, kind: str, name: str) -> None:
        """Take the node and its device away."""
        node = self.root / "sys/class" / kind / name
        for device in (node / "device").resolve().parents:
            if (device / "idVendor").exists():  # its other nodes may have been pulled before
                shutil.rmtree(device)
        shutil.rmtree(node)


@dataclass
class KeyboardScanner:
    """A scanner in keyboard mode."""

    tree: Tree
    port: str = "1-2"
    vendor: str = "0c2e"
    product: str = "0b61"
    serial: str = ""
    capabilities: str = KEYBOARD
    grabbed: list[int] = field(default_factory=list)
    node: str = ""

    def __post_init__(self) -> None:
        self.tree.scanners.append(self)
        self.plug()

    @property
    def system(self) -> hid_keyboard.System:
        root = self.tree.root
        return hid_keyboard.System(root / "sys/class/input", root / "dev/input", self.take)

    def take(self, node: int) -> None:
        """What EVIOCGRAB does: one at a time."""
        if any(each != node and _is_open(each, os.ttyname(node)) for each in self.grabbed):
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.grabbed.append(node)

    def plug(self) -> None:
        about: dict[str, str | bytes] = {"capabilities/key": f"{self.capabilities}\n", "id/bustype": "0003\n"}
        named = {"vendor": self.vendor, "product": self.product, "serial": self.serial}
        self.node = self.tree.plug("input", self.port, **named, about=about)
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.terminal = os.ttyname(slave)
        (self.tree.root / "dev/input" / self.node).symlink_to(self.terminal)
        os.close(slave)

    def pull(self) -> None:
        if self.node:
            os.close(self.master)
            (self.tree.root / "dev/input" / self.node).unlink()
            self.tree.pull("input", self.node)
        self.node = ""

    def type(self, data: bytes) -> None:
        self.press(*keys(data))

    def press(self, *pressed: tuple[int, int]) -> None:
        os.write(self.master, events(list(pressed)))


def _is_open(node: int, terminal: str) -> bool:
    try:
        return os.ttyname(node) == terminal
    except OSError:
        return False


@dataclass
class HidPosScanner:
    """A scanner in HID POS mode; its reports have room for 56 characters."""

    tree: Tree
    port: str = "1-3"
    vendor: str = "0c2e"
    product: str = "0720"
    serial: str = ""
    descriptor: bytes = HONEYWELL
    features: list[bytes] = field(default_factory=list)
    node: str = ""
    ours: socket.socket | None = None

    def __post_init__(self) -> None:
        self.tree.scanners.append(self)
        self.plug()

    @property
    def system(self) -> hid_pos.System:
        root = self.tree.root
        return hid_pos.System(root / "sys/class/hidraw", root / "dev", self.open, self.set_feature)

    def open(self, _: Path) -> int:
        if self.ours is not None:
            self.ours.close()
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        return theirs.detach()

    def set_feature(self, _: int, report: bytes) -> None:
        self.features.append(report)

    def plug(self) -> None:
        named = {"vendor": self.vendor, "product": self.product, "serial": self.serial}
        self.node = self.tree.plug("hidraw", self.port, **named, about={"report_descriptor": self.descriptor})

    def pull(self) -> None:
        if self.node:
            self.tree.pull("hidraw", self.node)
        if self.ours is not None:
            self.ours.close()
        self.node = ""

    def scan(self, data: bytes, aim: bytes = b"\0\0\0") -> None:
        for report in reports(data, aim):
            self.send(report)

    def send(self, report: bytes) -> None:
        assert self.ours is not None
        self.ours.send(report)


def reports(data: bytes, aim: bytes = b"]Q1") -> list[bytes]:
    """As the descriptor above has it: number, count, AIM id, 56 characters, two of the maker's own, more or not."""
    parts = [data[at : at + 56] for at in range(0, len(data), 56)] or [b""]
    return [
        bytes([2, len(part)]) + aim + part.ljust(56, b"\0") + b"jX" + bytes([number < len(parts)])
        for number, part in enumerate(parts, start=1)
    ]
