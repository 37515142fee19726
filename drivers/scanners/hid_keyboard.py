"""Scanners that are keyboards to the system ("keyboard wedge", the factory default of nearly all), on Linux.

Device    USB or Bluetooth scanners in keyboard mode, read from /dev/input and kept from every other program (EVIOCGRAB), so
          that no code is typed into a window. Only the one that config.toml names, by its numbers or its port, is taken.
Manual    Linux Documentation/input; the scanner's own for "keyboard country: USA" and a suffix (Enter or Tab).
Quirks    Keys are read by their places, so neither the system's layout nor CapsLock matters; the scanner itself must be
          set to the US layout, as it is by default.
          The kernel keeps 64 events, some ten characters, and then throws all of them away: that is told as a loss, so that
          the rest of such a code is never taken for a code.
          Silence must be longer than 50 ms: one character takes a slow USB scanner 20 ms, and some are set to type slowly.
          On Windows a scanner in keyboard mode cannot be kept from other programs: set it to USB COM or HID POS.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from drivers.base import Candidate, DeviceGone, DeviceRefused, Driver
from drivers.framing import Framing
from drivers.linux_devices import Device, attribute, devices, the_one, translated
from drivers.scanners._us_keys import DIGITS, Keys
from drivers.usb_names import UsbNames

_EVENT = struct.Struct("llHHi")  # seconds, microseconds, type, code, value
_CHUNK = 128 * _EVENT.size
_SYNC, _KEY, _OTHER = 0, 1, 4
_DROPPED = 3
_GRAB, _MASK = 0x40044590, 0x40104593  # EVIOCGRAB, EVIOCSMASK
_UNDER_WAY, _QUIET, _LONGEST = 0.02, 0.05, 0.5


@dataclass(frozen=True)
class Options(UsbNames):
    """Which scanner: vendor and product, with its serial number where there are two of them; or its port."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.port and not (self.vendor and self.product):
            raise ValueError("name the scanner: vendor and product, or port; no keyboard is taken by a guess")


class Keyboard:
    """The open nodes of one scanner; see drivers.base.Scanner."""

    def __init__(self, nodes: list[int], name: str) -> None:
        self._name = name
        self._nodes = {node: Keys() for node in nodes}
        self._halves = dict.fromkeys(nodes, b"")
        self._poll = select.poll()
        for node in nodes:
            self._poll.register(node, select.POLLIN)

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        try:
            while True:
                typed = b"".join(self._typed(node) for node in self._ready(end - time.monotonic()))
                if typed or time.monotonic() >= end:
                    return typed
        except OSError as error:
            raise DeviceGone(f"scanner {self._name}: {error}") from error

    def close(self) -> None:
        for node in self._nodes:
            os.close(node)  # which gives it back to everybody
        self._nodes.clear()

    def settle(self) -> None:
        """Let a code that is being typed at this moment pass: its begin is not known."""
        end, wait = time.monotonic() + _LONGEST, _UNDER_WAY
        while time.monotonic() < end and (ready := self._ready(wait)):
            wait = _QUIET
            for node in ready:
                os.read(node, _CHUNK)

    def _ready(self, seconds: float) -> list[int]:
        if not self._nodes:
            raise OSError(errno.EBADF, "it was closed")
        return [node for node, _ in self._poll.poll(max(seconds, 0) * 1000)]

    def _typed(self, node: int) -> bytes:
        chunk = self._halves[node] + os.read(node, _CHUNK)
        whole = len(chunk) - len(chunk) % _EVENT.size
        if not whole and len(chunk) == len(self._halves[node]):
            raise OSError(errno.ENODEV, "it hung up")
        self._halves[node] = chunk[whole:]
        typed = b""
        for _, _, kind, code, value in _EVENT.iter_unpack(chunk[:whole]):
            if kind == _KEY:
                typed += self._nodes[node].press(code, value)
            elif (kind, code) == (_SYNC, _DROPPED):
                raise OSError(errno.EOVERFLOW, "keys were lost, because this machine was too busy to read them")
        return typed


def grab(node: int) -> None:
    """Keep it from everybody else, and leave out what scanners do not mean. Raises OSError."""
    if sys.platform == "win32":
        raise OSError(errno.ENOTTY, "Linux alone has this")
    import fcntl

    fcntl.ioctl(node, _GRAB, 1)
    with contextlib.suppress(OSError):  # before Linux 4.4
        fcntl.ioctl(node, _MASK, struct.pack("IIQ", _OTHER, 0, 0))


def share(node: int) -> None:
    """Listen, and let everybody else listen too."""


@dataclass(frozen=True)
class System:
    """Where the kernel has keyboards, and how one is taken from everybody else."""

    classes: Path = Path("/sys/class/input")
    nodes: Path = Path("/dev/input")
    take: Callable[[int], None] = grab


LINUX = System()


def open_keyboard(options: Options, system: System = LINUX) -> Keyboard:
    """Find the scanner, anew each time, and take it for us alone. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    if sys.platform == "win32":
        raise DeviceRefused(
            "a scanner in keyboard mode is read on Linux alone; on Windows set it to USB COM or HID POS"
        )
    try:
        device, names = the_one(options, keyboards(system))
        return _opened([system.nodes / name for name in names], str(device), system.take)
    except OSError as error:
        raise translated(str(options), error) from error


def keyboards(system: System = LINUX) -> dict[Device, list[str]]:
    """All that can type digits."""
    return devices(system.classes, lambda node: node.name.startswith("event") and _types(node))


def candidates(system: System = LINUX) -> Iterator[Candidate]:
    """Every keyboard; none is kept from anybody while it is listened to."""
    found = keyboards(system)
    for device, names in found.items():
        paths = [system.nodes / name for name in names]
        yield Candidate(str(device), device.options(found), partial(_opened, paths, str(device), share))


def _opened(paths: list[Path], name: str, take: Callable[[int], None]) -> Keyboard:
    opened: list[int] = []
    try:
        for path in paths:
            opened.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
            take(opened[-1])
        keyboard = Keyboard(opened, name)
        keyboard.settle()
    except BaseException:
        for node in opened:
            os.close(node)
        raise
    return keyboard


def _types(node: Path) -> bool:
    """Whether it has the keys for digits and Enter, which mice and power buttons have not."""
    words = attribute(node / "device/capabilities/key").split()
    width = struct.calcsize("l") * 8
    keys = sum(int(word, 16) << width * place for place, word in enumerate(reversed(words)))
    return all(keys >> key & 1 for key in (*DIGITS, 28))


DRIVER = Driver(
    kind="scanner",
    name="hid_keyboard",
    title="Scanner in keyboard mode (Linux)",
    maturity="BETA",
    tested_with=("Linux pty", "an emulated scanner under Linux 6.1"),
    options=Options,
    open=open_keyboard,
    framing=Framing(terminators="\r\n\t", idle_ms=100),
    candidates=candidates,
)
