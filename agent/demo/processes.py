"""The programs of the store as processes: start, wait for the line that says `ready`, kill, stop.

They stay in the demo's process group, so that what ends the demo's terminal ends them too.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO

READY_WITHIN = 20.0
PORT_TAKEN = 69
"""How a program of ours ends when another one has its port."""


class NotReady(Exception):
    """A program of the store ended, or stayed silent, before it was ready; the message carries the end of its log."""


class PortTaken(NotReady):
    """It ended because another program has its port."""


def program(name: str) -> str:
    """Path of one of our own commands, beside the running interpreter."""
    folder = Path(sys.executable).parent
    return str(folder / (f"{name}.exe" if os.name == "nt" else name))


def free_port(preferred: int) -> int:
    """The preferred loopback port, or another one when it is taken."""
    for port in (preferred, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on loopback")


class Program:
    """One program. Its standard error goes to `log`; standard output is read for the line that begins with `ready`."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._lines: Queue[str] = Queue()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; `await_ready` says when it can be used."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._process, self._lines = process, Queue()
        Thread(target=_read, args=(process.stdout, self._lines), name=f"demo-{self.name}", daemon=True).start()

    def await_ready(self) -> dict[str, str]:
        """Wait until it says so. Returns the key=value pairs of the ready line. Raises NotReady or PortTaken."""
        while True:
            try:
                line = self._lines.get(timeout=READY_WITHIN)
            except Empty:
                line = ""
            if line.startswith("ready"):
                return dict(pair.split("=", 1) for pair in line.split()[1:] if "=" in pair)
            if not line:
                raise self._failure()

    def _failure(self) -> NotReady:
        if self._process is None or not self.wait(2.0):
            return NotReady(f"{self.name} stayed silent; {self._end_of_log()}")
        kind = PortTaken if self._process.returncode == PORT_TAKEN else NotReady
        return kind(f"{self.name} ended with {self._process.returncode}; {self._end_of_log()}")

    def _end_of_log(self) -> str:
        return f"the end of {self._log}:\n{self._log.read_text(errors='replace')[-2000:]}"

    def ended(self) -> bool:
        """Has it ended?"""
        return self.pid is None

    def kill(self) -> None:
        """kill -9: no farewell."""
        if self._process and self.pid:
            self._process.kill()
            self._process.wait(5)

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        if self._process and self.pid:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Wait for the end; kill when it takes longer. Returns whether it ended by itself."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True


def _read(stream: IO[str] | None, lines: Queue[str]) -> None:
    if stream is None:
        return
    with stream:
        for line in stream:
            lines.put(line)
    lines.put("")
