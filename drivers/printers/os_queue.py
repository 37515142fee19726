"""Receipt printers behind a queue of the system: CUPS, or the Windows spooler, through python-escpos' connectors.

Device    any queue that passes raw bytes on; on CUPS `lpstat -e` names them. Needs the extra: pip install tillmate[os-queue]
Manual    CUPS: lp(1), lpstat(1), lpadmin(8). Windows: OpenPrinter to ClosePrinter of the print spooler's API, datatype RAW.
Quirks    A queue takes whole jobs and never answers. Taken is not printed: it keeps a job, and prints it once it can.
          So a job is offered only to a queue that accepts and prints; what it refuses for certain can be offered again.
          python-escpos 3.1 does not look at how lp ended, adds a line feed to each job, and waits for ever: hence it only
          starts lp here. Its import makes a temporary folder and leaves it behind: it gets one that is removed.
          CUPS shows the job as "Tillmate". Another server than the usual one: CUPS_SERVER, or /etc/cups/client.conf.
          Windows was not tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from drivers.base import DeviceError, DeviceGone, DeviceRefused, Driver
from drivers.progress import pause

if TYPE_CHECKING:
    from escpos.printer import LP, Win32Raw

_JOB = "Tillmate"
_ANSWER_WITHIN = 10.0
_importing = threading.Lock()


@dataclass(frozen=True)
class Options:
    """Which queue."""

    queue: str = field(metadata={"doc": "its name, as lpstat -e or Windows shows it"})
    take_within: float = field(default=30.0, metadata={"doc": "seconds in which it must have taken a receipt"})

    def __post_init__(self) -> None:
        if not self.queue or self.queue.startswith("-"):
            raise ValueError(f"queue {self.queue!r}: it needs the name of a queue")
        if not 0 < self.take_within <= 60:
            raise ValueError(f"take_within must be more than 0 and at most 60 seconds, not {self.take_within}")


class _Spooler(Protocol):
    """A system's side of it."""

    def check(self) -> None:
        """Raises DeviceError unless the queue takes and prints jobs."""
        ...

    def hand_over(self, job: bytes, timeout: float) -> None:
        """Raises DeviceRefused when it has not taken it for certain, and DeviceGone when nobody knows."""
        ...


class QueuePrinter:
    """A queue; see drivers.base.Printer. What is written at once is a job of its own."""

    def __init__(self, spooler: _Spooler, options: Options) -> None:
        self._spooler, self._name, self._take_within = spooler, options.queue, options.take_within
        self._open = True

    def write(self, payload: bytes, timeout: float) -> None:
        """A busy server may need longer than a printer for its next bytes, and giving up on it leaves a doubt."""
        if not self._open:
            raise DeviceGone(f"printer queue {self._name}: it was closed")
        try:
            self._spooler.check()
        except DeviceGone as error:  # before anything was handed over
            raise DeviceRefused(str(error)) from error
        self._spooler.hand_over(payload, max(timeout, self._take_within))

    def read(self, timeout: float) -> bytes:
        pause(timeout)
        return b""

    def close(self) -> None:
        self._open = False


class _Cups:
    def __init__(self, connector: LP, name: str) -> None:
        self._connector, self._name = connector, name

    def check(self) -> None:
        state = self._lpstat("-p", self._name, "-a", self._name)
        if f"printer {self._name} disabled" in state:
            raise DeviceRefused(f"printer queue {self._name}: it is stopped; cupsenable {self._name}")
        if f"{self._name} not accepting" in state:
            raise DeviceRefused(f"printer queue {self._name}: it accepts no jobs; cupsaccept {self._name}")

    def hand_over(self, job: bytes, timeout: float) -> None:
        before = self._jobs()
        if self._lp(job, timeout) != 0:
            if self._jobs() != before:
                raise DeviceGone(f"printer queue {self._name}: lp failed, and yet there is a new job")
            raise DeviceRefused(f"printer queue {self._name}: it did not take the job; lpstat -p {self._name} -a")

    def _lp(self, job: bytes, timeout: float) -> int:
        """How lp ended. Raises DeviceError."""
        from escpos.exceptions import DeviceNotFoundError

        try:
            self._connector.open(_JOB)
        except (DeviceNotFoundError, OSError) as error:
            raise DeviceRefused(f"printer queue {self._name}: {error}") from error
        lp: subprocess.Popen[bytes] = self._connector.device
        try:
            lp.communicate(job, timeout)
        except subprocess.TimeoutExpired as error:
            lp.kill()
            lp.communicate()
            raise DeviceGone(f"printer queue {self._name}: lp has not ended within {timeout} s") from error
        finally:
            self._connector.close()
        return lp.returncode

    def _jobs(self) -> set[str]:
        """The numbers of all jobs that the queue knows, done ones too."""
        return {line.split()[0] for line in self._lpstat("-W", "all", "-o", self._name).splitlines() if line}

    def _lpstat(self, *arguments: str) -> str:
        """Raises DeviceGone and DeviceRefused."""
        command = ["lpstat", *arguments]
        plain = {**os.environ, "LC_ALL": "C"}  # else the answer is in the system's language
        try:
            told = subprocess.run(  # noqa: S603 - no shell, and the name of the queue is no option
                command, env=plain, capture_output=True, text=True, timeout=_ANSWER_WITHIN, check=True
            )
        except FileNotFoundError as error:
            raise DeviceRefused(f"printer queue {self._name}: lpstat is missing; install cups-client") from error
        except subprocess.CalledProcessError as error:
            cure = "check its name with lpstat -e, and that cups runs"
            raise DeviceGone(f"printer queue {self._name}: {error.stderr.strip()}; {cure}") from error
        except subprocess.TimeoutExpired as error:
            raise DeviceGone(f"printer queue {self._name}: cups does not answer") from error
        return told.stdout


class _Windows:
    def __init__(self, connector: Win32Raw, name: str) -> None:
        self._connector, self._name = connector, name

    def check(self) -> None:
        if self._name not in self._connector.printers:
            raise DeviceGone(f"printer queue {self._name}: Windows has no printer of this name")

    def hand_over(self, job: bytes, timeout: float) -> None:  # noqa: ARG002 - the spooler takes it at once
        from escpos.exceptions import DeviceNotFoundError
        from pywintypes import error as Win32Error  # noqa: N812 - its own name says nothing

        try:
            self._connector.open(_JOB)
        except (DeviceNotFoundError, Win32Error) as error:
            raise DeviceRefused(f"printer queue {self._name}: {error}") from error
        try:
            self._connector._raw(job)  # noqa: SLF001 - the connectors' only way in for bytes
            self._connector.close()
        except Win32Error as error:
            raise DeviceGone(f"printer queue {self._name}: {error}") from error


def _open(options: Options) -> QueuePrinter:
    spooler = _spooler(options.queue)
    spooler.check()
    return QueuePrinter(spooler, options)


def _spooler(name: str) -> _Spooler:
    try:
        with _importing, tempfile.TemporaryDirectory() as folder:
            before, tempfile.tempdir = tempfile.tempdir, folder
            try:
                from escpos.printer import LP, Win32Raw
            finally:
                tempfile.tempdir = before
    except ImportError as error:
        raise _not_installed(name) from error
    if sys.platform == "win32":
        return _Windows(Win32Raw(name), name)
    return _Cups(LP(name, auto_flush=True), name)  # its flush is what adds the line feed


def _not_installed(name: str) -> DeviceError:
    return DeviceRefused(f"printer queue {name}: python-escpos is missing; install the extra: tillmate[os-queue]")


DRIVER = Driver(
    kind="printer",
    name="os_queue",
    title="Printer queue of the system: CUPS or Windows",
    maturity="BETA",
    tested_with=("CUPS 2.4",),
    options=Options,
    open=_open,
    answers=False,
)
