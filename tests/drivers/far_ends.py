"""What each driver talks to in its test: a far end that speaks its transport."""

from __future__ import annotations

import os
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from drivers.base import Kind
from drivers.printers.usb import open_printer
from drivers.scanners.hid_keyboard import open_keyboard
from drivers.scanners.hid_pos import END, open_scanner

from .printers.usb_device import Bus, UsbDevice
from .scanners.nodes import HidPosScanner, KeyboardScanner, Tree

if TYPE_CHECKING:
    from rig.cups import Cups


class FarEnd(Protocol):
    """What is at the other end of the cable. It is there from the start."""

    options: dict[str, object]

    def send(self, data: bytes) -> None:
        """Send to the driver, which has the device open."""
        ...

    def receive(self, count: int) -> bytes:
        """Wait for that many bytes of the driver."""
        ...

    def vanish(self) -> None:
        """Be unplugged. May be said twice."""
        ...

    def appear(self) -> None:
        """Be plugged in again."""
        ...


class TcpEnd:
    """A device that listens on TCP."""

    def __init__(self, options: Callable[[int], dict[str, object]]) -> None:
        self._where = ("127.0.0.1", 0)
        self.appear()
        self._where = self._listener.getsockname()
        self.options = options(self._where[1])

    def send(self, data: bytes) -> None:
        self._caller().sendall(data)

    def receive(self, count: int) -> bytes:
        return self._caller().recv(count, socket.MSG_WAITALL)

    def vanish(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._listener.close()

    def appear(self) -> None:
        self._listener = socket.create_server(self._where)
        self._listener.settimeout(5)
        self._connection: socket.socket | None = None

    def _caller(self) -> socket.socket:
        if self._connection is None:
            self._connection, _ = self._listener.accept()
            self._connection.settimeout(5)
        return self._connection


class PtyEnd:
    """A device on a serial cable, or at another node that is read and written like one."""

    def __init__(self, link: Path, option: str = "port", **others: object) -> None:
        self._link = link
        self.options = {option: str(link), **others}
        self.appear()

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += os.read(self._master, count - len(data))
        return data

    def vanish(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            self._link.unlink()
        self._master = -1

    def appear(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self._link.symlink_to(os.ttyname(slave))
        os.close(slave)


class CallingEnd:
    """A scanner that calls us, again and again until it is let in."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._where = free.getsockname()
        self.options = {"listen": f"127.0.0.1:{self._where[1]}"}
        self.appear()

    def send(self, data: bytes) -> None:
        assert self._let_in.wait(5)
        self._connection.sendall(data)

    def vanish(self) -> None:
        self._gone.set()
        if self._let_in.is_set():
            with suppress(OSError):  # we have just hung up on it
                self._connection.shutdown(socket.SHUT_RDWR)
        self._caller.join(5)

    def appear(self) -> None:
        self._gone, self._let_in = threading.Event(), threading.Event()
        self._caller = threading.Thread(target=self._call, daemon=True)
        self._caller.start()

    def _call(self) -> None:
        while not self._gone.wait(0.01):
            with suppress(OSError), socket.create_connection(self._where) as self._connection:
                self._let_in.set()
                if not self._gone.is_set():
                    self._connection.recv(1)  # until it is hung up on
            self._let_in.clear()


class KeyboardEnd:
    """A scanner in keyboard mode: it has keys for ASCII and control characters."""

    alphabet = bytes(range(127))

    def __init__(self, folder: Path) -> None:
        self._scanner = KeyboardScanner(Tree(folder))
        self.options = {"vendor": "0c2e", "product": "0b61"}
        self.opener = partial(open_keyboard, system=self._scanner.system)
        self.vanish, self.appear = self._scanner.pull, self._scanner.plug

    def send(self, data: bytes) -> None:
        """More than the node can hold: it is read meanwhile."""
        threading.Thread(target=self._scanner.type, args=(data,), daemon=True).start()


class HidPosEnd:
    """A scanner that knows itself where a code ends."""

    end = END

    def __init__(self, folder: Path) -> None:
        self._scanner = HidPosScanner(Tree(folder))
        self.options = {"vendor": "0c2e", "product": "0720"}
        self.opener = partial(open_scanner, system=self._scanner.system)
        self.send, self.vanish, self.appear = self._scanner.scan, self._scanner.pull, self._scanner.plug


class UsbEnd:
    """A printer on an emulated bus."""

    def __init__(self) -> None:
        self._device = UsbDevice()
        self.options = {"vendor": "04b8", "product": "0202"}
        self.opener = partial(open_printer, backend=Bus(self._device))

    def send(self, data: bytes) -> None:
        self._device.reply(data)

    def receive(self, count: int) -> bytes:
        with self._device.changed:
            assert self._device.wait(lambda: len(self._device.received) >= count, 5)
            return bytes(self._device.received)

    def vanish(self) -> None:
        self._device.unplug()

    def appear(self) -> None:
        self._device.plug()


class QueueEnd:
    """A printer behind a queue of the system."""

    def __init__(self, cups: Cups) -> None:
        self._queue = cups.queue("contract")
        self._old = len(self._queue.papers)
        self._there = True
        self.options = {"queue": self._queue.name}

    def receive(self, count: int) -> bytes:
        deadline, tick = time.monotonic() + 5, threading.Event()
        while len(paper := b"".join(self._queue.papers[self._old :])) < count and time.monotonic() < deadline:
            tick.wait(0.02)
        return paper

    def vanish(self) -> None:
        if self._there:
            self._queue.remove()
        self._there = False

    def appear(self) -> None:
        self._queue.add()
        self._there = True


# Each is made of a folder of its own, or of the fixture that FIXTURES names.
FAR_ENDS: dict[tuple[Kind, str], list[Callable[[Any], FarEnd]]] = {
    ("scanner", "hid_keyboard"): [KeyboardEnd],
    ("scanner", "hid_pos"): [HidPosEnd],
    ("scanner", "serial_port"): [
        lambda folder: PtyEnd(folder / "port"),
        lambda _: TcpEnd(lambda port: {"port": f"socket://127.0.0.1:{port}"}),
    ],
    ("scanner", "tcp"): [
        lambda _: TcpEnd(lambda port: {"host": "127.0.0.1", "port": port}),
        lambda _: CallingEnd(),
    ],
    ("printer", "os_queue"): [QueueEnd],
    ("printer", "serial_port"): [lambda folder: PtyEnd(folder / "port", flow="none")],
    ("printer", "tcp"): [lambda _: TcpEnd(lambda port: {"host": "127.0.0.1", "port": port})],
    ("printer", "usb"): [lambda _: UsbEnd()],
    ("printer", "usblp"): [lambda folder: PtyEnd(folder / "lp0", "path")],
}
FIXTURES = {"os_queue": "cups"}
