"""Receipt printers on RS-232, USB serial chips and USB COM (CDC-ACM), through pyserial.

Device    ESC/POS printers with a serial interface; `port` as for scanners, best a link under /dev/serial/by-id.
Manual    pyserial 3.5; the printer's own for rate, parity and handshake: its self-test page, or its DIP switches.
Quirks    `flow` must say what the printer does when its buffer is full; else it drops the end of long receipts.
          xonxoff: the kernel obeys XOFF, and takes XON and XOFF out of the replies; no other reply has these values.
          dsrdtr: pyserial ignores it on POSIX, so DSR is asked before each 256 bytes (267 ms at 9600 baud).
          The kernel keeps up to 4 KB: a write ends when they are on the line, and a port is closed without sending them,
          because closing would wait 30 s for a printer that does not take them.
          A pty has no modem lines: dsrdtr is refused there, and rtscts holds nothing back.
          On Windows a write that stalls counts as gone, for nobody tells how much of it was taken. Not tried there.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from drivers.base import DeviceGone, DeviceStalled, Driver
from drivers.progress import Progress, pause
from drivers.serial_line import FOREIGN, LineOptions, close_line, open_line, read_chunk, translated

if TYPE_CHECKING:
    from serial import Serial

_CHUNK = 256
_TURN = 0.005


@dataclass(frozen=True)
class Options(LineOptions):
    """The line settings, and how the printer says that its buffer is full."""

    flow: Literal["xonxoff", "rtscts", "dsrdtr", "none"] = field(
        default="xonxoff", metadata={"doc": "handshake, as the printer's self-test page names it"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if "://" in self.port:
            raise ValueError(f"port {self.port!r}: an address needs the driver tcp")


class SerialPrinter:
    """An open port; see drivers.base.Printer."""

    def __init__(self, port: Serial, name: str, *, asks_dsr: bool) -> None:
        self._port, self._name, self._asks_dsr = port, name, asks_dsr

    def write(self, payload: bytes, timeout: float) -> None:
        progress, taken = Progress(timeout), 0
        try:
            while taken < len(payload):
                some = self._put(payload[taken : taken + _CHUNK], progress)
                if not some:
                    raise DeviceStalled(f"printer {self._name}: it takes nothing; {taken} bytes were taken", taken)
                taken += some
                progress.made()
            self._drain(progress, taken)
        except FOREIGN as error:
            raise DeviceGone(f"printer {self._name}: {error}; {taken} bytes were taken") from error

    def read(self, timeout: float) -> bytes:
        return read_chunk(self._port, timeout, self._name)

    def close(self) -> None:
        with contextlib.suppress(*FOREIGN):  # it has gone already, or is closed
            self._port.reset_output_buffer()
        close_line(self._port)

    def _put(self, chunk: bytes, progress: Progress) -> int:
        """Hand over as much as the line takes; 0 = nothing in time."""
        while self._asks_dsr and not self._port.dsr:
            if not progress.left:
                return 0
            pause(_TURN)
        return _send(self._port, chunk, progress)

    def _drain(self, progress: Progress, taken: int) -> None:
        """Wait until the kernel has nothing left to send."""
        before = waiting = self._port.out_waiting
        while waiting:
            if waiting < before:
                progress.made()
            if not progress.left:
                raise DeviceStalled(f"printer {self._name}: it takes nothing; {waiting} bytes are on the way", taken)
            pause(_TURN)
            before, waiting = waiting, self._port.out_waiting


if sys.platform == "win32":

    def _send(port: Serial, chunk: bytes, progress: Progress) -> int:
        port.write_timeout = progress.left
        return port.write(chunk) or 0

else:

    def _send(port: Serial, chunk: bytes, progress: Progress) -> int:
        """Not through pyserial: its write tells nothing of what it has sent before it timed out."""
        while select.select([], [port.fileno()], [], progress.left)[1]:
            with contextlib.suppress(BlockingIOError):  # XOFF came in between
                return os.write(port.fileno(), chunk)
            pause(_TURN)
        return 0


def _open(options: Options) -> SerialPrinter:
    asks_dsr = options.flow == "dsrdtr"
    try:
        port = open_line(options, xonxoff=options.flow == "xonxoff", rtscts=options.flow == "rtscts")
        try:
            _ = asks_dsr and port.dsr  # raises ENOTTY where there is no such line
        except OSError:
            port.close()
            raise
    except (*FOREIGN, ValueError) as error:
        raise translated(options.port, error) from error
    return SerialPrinter(port, options.port, asks_dsr=asks_dsr)


DRIVER = Driver(
    kind="printer",
    name="serial_port",
    title="Serial port or USB COM",
    maturity="BETA",
    tested_with=("Linux pty",),
    options=Options,
    open=_open,
)
