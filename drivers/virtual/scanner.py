"""A virtual scanner: types real frames into a TCP port or a pty, for the real driver at the other end.

Control port (see drivers.virtual.control):

    {"do": "scan", "code": "...", "suffix": "\\r\\n", "gap_ms": 0}   types the code; with a gap, byte by byte
    {"do": "unplug"}    the cable is out: the code under way ends in the middle, waiting ones are forgotten
    {"do": "plug"}      the cable is back
    {"do": "state"}     {"plugged", "connected", "codes" and "bytes": typed into an open port, "queued": still to be typed}
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from drivers.virtual.control import ControlError, ControlServer, Request, number, text
from drivers.virtual.ports import Port, PtyPort, TcpPort

_TICK = 0.05
_QUEUE = 256
_LONGEST_GAP = 1000


@dataclass(frozen=True)
class Options:
    """Where it can be reached: on TCP, or with `pty` (a path) on a pseudo terminal under that name."""

    listen: str = "127.0.0.1:0"
    pty: str = ""
    control_port: int = 0
    suffix: str = "\r\n"


@dataclass(frozen=True)
class _Scan:
    data: bytes
    gap: float
    plug: int  # typed only while the cable is in as it was then


class VirtualScanner:
    """The trigger side (`scan`, `unplug`, ...) may be called from another thread than `run`, which types."""

    def __init__(self, port: Port, suffix: str) -> None:
        self._port = port
        self._suffix = suffix
        self._lock = threading.Lock()
        self._waiting: queue.Queue[_Scan] = queue.Queue(_QUEUE)
        self._plug = 0
        self._codes = 0
        self._bytes = 0
        self._queued = 0

    def run(self, stop: Event) -> None:
        """Type what is scanned until `stop` is set."""
        while not stop.is_set():
            try:
                scan = self._waiting.get(timeout=_TICK)
            except queue.Empty:
                with self._lock:
                    self._port.connected()  # lets a host in
                continue
            self._type(scan, stop)
        with self._lock:
            self._port.unplug()

    def scan(self, request: Request) -> Request:
        """Queue a code for typing."""
        data = (text(request, "code") + text(request, "suffix", self._suffix)).encode()
        gap = number(request, "gap_ms", 0)
        if not data or gap > _LONGEST_GAP:
            raise ControlError(f"nothing to type, or a gap of more than {_LONGEST_GAP} ms")
        with self._lock:
            if not self._port.plugged:
                raise ControlError("the scanner is unplugged")
            if not self._port.connected():
                raise ControlError("no host has the port open")
            try:
                self._waiting.put_nowait(_Scan(data, gap / 1000, self._plug))
            except queue.Full:
                raise ControlError(f"{_QUEUE} codes are waiting to be typed") from None
            self._queued += 1
        return {}

    def unplug(self, _: Request) -> Request:
        """Pull the cable."""
        with self._lock:
            self._plug += 1
            self._queued = 0
            self._port.unplug()
        return {}

    def plug(self, _: Request) -> Request:
        """Put the cable in."""
        with self._lock:
            try:
                self._port.plug()
            except OSError as error:
                raise ControlError(f"{self._port.address}: {error}") from error
        return {}

    def state(self, _: Request) -> Request:
        """Say what has happened so far."""
        with self._lock:
            return {
                "plugged": self._port.plugged,
                "connected": self._port.connected(),
                "codes": self._codes,
                "bytes": self._bytes,
                "queued": self._queued,
            }

    def _type(self, scan: _Scan, stop: Event) -> None:
        pieces = [bytes([byte]) for byte in scan.data] if scan.gap else [scan.data]
        sent = True
        for place, piece in enumerate(pieces):
            if place and stop.wait(scan.gap):
                return
            with self._lock:
                if scan.plug != self._plug:
                    return
                sent = self._port.send(piece) and sent
                self._bytes += len(piece) * sent
                if place == len(pieces) - 1:
                    self._queued -= 1
                    self._codes += sent


def run(options: Options, stop: Event, announce: Callable[[str], None] | None = None) -> None:
    """Be a scanner until `stop` is set.

    Says `ready device=... control=...` once it can be used, on stdout or to `announce`. Raises OSError when it cannot have its port.
    """
    port = PtyPort(Path(options.pty)) if options.pty else TcpPort(options.listen)
    scanner = VirtualScanner(port, options.suffix)
    commands = {"scan": scanner.scan, "unplug": scanner.unplug, "plug": scanner.plug, "state": scanner.state}
    control = ControlServer(commands, options.control_port)
    server = threading.Thread(target=control.run, args=(stop,), name="scanner-control", daemon=True)
    server.start()
    (announce or _say)(f"ready device={port.address} control={control.address}")
    scanner.run(stop)
    server.join()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
