"""Receipt printers on USB by the Linux kernel's own driver: /dev/usb/lp0, lp1 and so on.

Device    USB printers (class 7) that usblp has taken; name the node, or vendor, product and serial number, which find the
          printer again when it comes back as another node.
Manual    drivers/usb/class/usblp.c of Linux. `lsusb -v` shows the numbers.
Quirks    One owner at a time: EBUSY. CUPS, and our driver `usb`, take the printer away from usblp: the node vanishes.
          A blocking write to a hung printer never returns, and closing throws away what is under way: hence O_NONBLOCK, a
          wait for the end of each transfer, and a time limit.
          What write calls taken is what usblp has taken; its last transfer may have failed unseen, and 8 KB are accepted
          with the paper out. Only an answer of the printer says more.
          usblp never clears a stalled end point, and does not tell of it for certain. So a printer that was written to and
          did not answer is freed through libusb, where that is installed, before it is opened again.
          Printers whose interface goes one way are never heard: they print, and are asked in vain.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from drivers.base import DeviceBusy, DeviceError, DeviceGone, DeviceRefused, DeviceStalled, Driver
from drivers.progress import Progress, pause
from drivers.usb_names import UsbNames

log = logging.getLogger(__name__)

_CHUNK = 1024
_REPLY = 1024
_TURN = 0.01
_CLASS = Path("/sys/class/usbmisc")
_NODES = Path("/dev/usb")
_REFUSED = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.EISDIR, errno.ENOTDIR}
_silent: dict[str, str] = {}  # port -> device number of the printer there that was written to and did not answer


@dataclass(frozen=True)
class Options(UsbNames):
    """Which printer: its node, or what USB calls it. Nothing at all: the only one there is."""

    path: str = field(
        default="", metadata={"doc": "/dev/usb/lp0; better the numbers, which stay when the node changes"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path and self.names:
            raise ValueError("path: give either the path or vendor, product, serial and port")


class UsblpPrinter:
    """An open node; see drivers.base.Printer."""

    def __init__(self, node: int, name: str, port: str, number: str) -> None:
        self._node, self._name, self._port, self._number = node, name, port, number
        self._unanswered = False

    def write(self, payload: bytes, timeout: float) -> None:
        progress, taken = Progress(timeout), 0
        self._unanswered = True
        try:
            while taken < len(payload):
                taken += self._put(payload[taken : taken + _CHUNK], progress, taken)
            self._put(b"", progress, taken)
        except OSError as error:
            raise DeviceGone(f"printer {self._name}: {error}; {taken} bytes were taken") from error

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        try:
            while True:
                chunk = self._receive(max(end - time.monotonic(), 0.0))
                self._unanswered = self._unanswered and not chunk
                if chunk or time.monotonic() >= end:
                    return chunk
                pause(min(_TURN, timeout))  # an empty transfer: so some printers say that they have nothing to say
        except OSError as error:
            raise DeviceGone(f"printer {self._name}: {error}") from error

    def close(self) -> None:
        if self._node >= 0:
            os.close(self._node)
            if self._unanswered and self._port:
                _silent[self._port] = self._number
        self._node = -1

    def _put(self, chunk: bytes, progress: Progress, taken: int) -> int:
        """Hand over a chunk when the one before it has been transferred. None at all: only wait for that."""
        while self._poll(select.POLLOUT, progress.left):
            with contextlib.suppress(BlockingIOError):
                written = os.write(self._node, chunk)
                progress.made()
                return written
            pause(_TURN)
        raise DeviceStalled(f"printer {self._name}: it takes nothing; {taken} bytes were taken", taken)

    def _receive(self, timeout: float) -> bytes:
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._node, _REPLY) if self._poll(select.POLLIN, timeout) else b""
            if not chunk:
                os.write(
                    self._node, b""
                )  # takes nothing, but fails when the printer is gone, also with one-way printers
            return chunk
        return b""

    def _poll(self, what: int, timeout: float) -> bool:
        if self._node < 0:
            raise OSError(errno.EBADF, "it was closed")
        poll = select.poll()
        poll.register(self._node, what)
        return bool(poll.poll(timeout * 1000))


def free_stalled(port: str) -> None:
    """Clear what may have stalled: usblp lets go of the printer for that, and has it again afterwards, at any node."""
    from drivers.printers import usb

    try:
        usb.free(port)
    except DeviceError as error:
        log.warning("printer port=%s may have stalled and could not be freed: %s", port, error)


def open_printer(
    options: Options, usbmisc: Path = _CLASS, nodes: Path = _NODES, free: Callable[[str], None] = free_stalled
) -> UsblpPrinter:
    """Open the node for us alone, found anew each time. Raises DeviceGone, DeviceBusy or DeviceRefused."""
    if sys.platform == "win32":
        raise DeviceRefused("usblp is a driver of Linux; on Windows take os_queue")
    try:
        path = options.path or str(nodes / _found(options, usbmisc))
        port, number = _plug(usbmisc / Path(path).name)
        if _silent.pop(port, None) == number:  # the same as then: it was not pulled in the meantime
            free(port)
            path = options.path or str(nodes / _found(options, usbmisc))
        node = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _translated(options.path or str(options), error) from error
    return UsblpPrinter(node, path, port, number)


def _found(options: Options, usbmisc: Path) -> str:
    """The name of the node of the one printer that fits."""
    fits = [node.name for node in sorted(usbmisc.glob("lp*")) if _fits(options, node)]
    if not fits:
        raise FileNotFoundError(errno.ENOENT, "no such USB printer is plugged in")
    if len(fits) > 1:
        raise DeviceRefused(f"printer {options}: {', '.join(fits)} fit; name one by its serial number or port")
    return fits[0]


def _plug(node: Path) -> tuple[str, str]:
    """Where its printer is plugged in, and the number that it got when that was done; nothing for other nodes."""
    device = _device(node)
    number = _attribute(device, "devnum")
    return (device.name, number) if number else ("", "")


def _device(node: Path) -> Path:
    return (node / "device").resolve().parent  # of the interface that usblp has taken


def _fits(options: Options, node: Path) -> bool:
    device = _device(node)
    try:
        vendor, product, serial = (_attribute(device, name) for name in ("idVendor", "idProduct", "serial"))
    except OSError:  # unplugged this moment
        return False
    return options.fits(vendor, product, serial, device.name)


def _attribute(device: Path, name: str) -> str:
    file = device / name
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else ""


def _translated(name: str, error: OSError) -> DeviceError:
    if error.errno == errno.EBUSY:
        return DeviceBusy(f"printer {name}: another program has it open; close that program or the queue that uses it")
    if error.errno in _REFUSED:
        return DeviceRefused(f"printer {name}: {error}; put the service's user into its group (lp)")
    return DeviceGone(f"printer {name}: {error}; check power and cable, and that no other driver has taken it")


DRIVER = Driver(
    kind="printer",
    name="usblp",
    title="USB printer by the kernel's usblp (Linux)",
    maturity="BETA",
    tested_with=("Linux pty", "an emulated printer under Linux 6.1"),
    options=Options,
    open=open_printer,
)
