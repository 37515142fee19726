"""A USB cable as the kernel sees it: a virtual port (vhci-hcd) at one end of a socket pair, a program at the other.

The kernel sends each transfer (URB) as a message of the USB/IP protocol; whoever plays the device answers it, now or
later: a transfer without an answer is one that the device NAKs. Closing the socket is pulling the cable.
Layouts: Documentation/usb/usbip_protocol.rst of the Linux kernel.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

FULL_SPEED = 2
STALL = -errno.EPIPE
DONE = 0

_VHCI = Path("/sys/devices/platform/vhci_hcd.0")
_FREE = "004"
_SUBMIT, _UNLINK, _SUBMITTED, _UNLINKED = 1, 2, 3, 4
_BASIC = struct.Struct(">5I")  # command, number, device, direction (1 = in), end point
_CALL = struct.Struct(">Ii3I8s")  # flags, length, start frame, packets, interval, setup
_ANSWER = struct.Struct(">5i8x")  # status, length, start frame, packets, errors
_SHORT = struct.Struct(">i24x")  # number to unlink, or the result of that
_HEADER = 48


@dataclass
class Urb:
    """One transfer. `data` is what the host sends; `length` is how much it wants when it reads."""

    number: int
    endpoint: int  # with bit 7 set when the host reads, as in descriptors
    setup: bytes
    length: int
    data: bytes
    done: int = 0  # bytes of `data` that the device has taken


@dataclass(frozen=True)
class Unlink:
    """The host does not want transfer `urb` any more."""

    number: int
    urb: int


class Cable:
    """Plugged in from the moment it is made. One thread receives; answers may come from any, one at a time."""

    def __init__(self, speed: int = FULL_SPEED) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            port = _free_port()
            (_VHCI / "attach").write_text(f"{port} {theirs.fileno()} {0x10000 + port + 1} {speed}")

    def receive(self) -> Urb | Unlink | None:
        """The next message; None = the cable has been pulled."""
        header = self._exactly(_HEADER)
        if header is None:
            return None
        command, number, _, is_in, endpoint = _BASIC.unpack_from(header)
        if command == _UNLINK:
            return Unlink(number, _SHORT.unpack_from(header, _BASIC.size)[0])
        _, length, _, _, _, setup = _CALL.unpack_from(header, _BASIC.size)
        data = b"" if is_in else self._exactly(length)
        return None if data is None else Urb(number, endpoint | is_in << 7, setup, length, data)

    def answer(self, urb: Urb, status: int = DONE, data: bytes = b"") -> None:
        """End a transfer: with what the host reads, or with how much of what it sent was taken (`urb.done`)."""
        length = len(data) if urb.endpoint & 0x80 else urb.done
        basic = _BASIC.pack(_SUBMITTED, urb.number, 0, 0, 0)
        self._send(basic + _ANSWER.pack(status, length, 0, 0, 0) + data)

    def answer_unlink(self, unlink: Unlink, *, found: bool) -> None:
        """Say that a transfer was taken back, or that it had been answered before."""
        basic = _BASIC.pack(_UNLINKED, unlink.number, 0, 0, 0)
        self._send(basic + _SHORT.pack(-errno.ECONNRESET if found else 0))

    def pull(self) -> None:
        """Pull it out, whatever is under way."""
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """For the thread that receives, when nothing more comes."""
        self._ours.close()

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # pulled by either side: the receiver hears of it
            self._ours.sendall(message)

    def _exactly(self, count: int) -> bytes | None:
        parts, left = [], count
        while left:
            try:
                part = self._ours.recv(left)
            except OSError:
                return None
            if not part:
                return None
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def _free_port() -> int:
    """The first high-speed port (full-speed devices go there, too) with nothing in it."""
    for line in (_VHCI / "status").read_text().splitlines()[1:]:
        hub, port, state = line.split()[:3]
        if hub == "hs" and state == _FREE:
            return int(port)
    raise OSError(errno.EBUSY, "every virtual USB port is in use")
