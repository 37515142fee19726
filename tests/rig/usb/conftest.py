"""A Debian in qemu with USB printers that only exist as a program (guest/usb_device.py), and tills that print on them.

usb.sh makes the disks and names them in the environment. Nothing here runs unless a test asks for `machine`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

Json = Any
BOOTED_WITHIN = 240  # of a busy machine without KVM
ANSWERED_WITHIN = 150


class Machine:
    """The guest: `ask` calls a method of guest/main.py's Bench."""

    def __init__(self, folder: Path, qemu: subprocess.Popen[bytes]) -> None:
        self.folder, self._qemu = folder, qemu
        self._line = socket.socket(socket.AF_UNIX)
        self._lines = self._line.makefile("r")

    def connect(self) -> None:
        """Wait for the guest's first answer."""
        end, pause = time.monotonic() + BOOTED_WITHIN, threading.Event()
        while self._line.connect_ex(str(self.folder / "port")):
            assert self._qemu.poll() is None, "qemu ended: " + self.console()
            assert time.monotonic() < end, "qemu did not open its port"
            pause.wait(0.05)
        self._line.settimeout(BOOTED_WITHIN)
        try:
            self.ask("now")
        except (OSError, AssertionError) as error:
            pytest.fail(
                f"the machine did not come up ({error!r}):\n{(self.folder / 'qemu').read_text()}{self.console()}"
            )
        self._line.settimeout(ANSWERED_WITHIN)

    def close(self) -> None:
        """Switch it off."""
        self._line.close()
        self._lines.close()
        self._qemu.terminate()
        self._qemu.wait(30)

    def ask(self, do: str, /, **kwargs: Json) -> Json:
        self._line.sendall(json.dumps({"do": do, "args": kwargs}).encode() + b"\n")
        answer = json.loads(self._lines.readline() or '{"error": "the machine hung up"}')
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def run(self, *command: str) -> str:
        """Output of a command as root in the machine."""
        done = self.ask("run", command=command)
        assert done["code"] == 0, done["out"]
        return str(done["out"])

    def nodes(self) -> list[str]:
        """The nodes of the system's own printer driver."""
        return list(self.ask("nodes"))

    def node_of(self, printer: Printer) -> str:
        """The node that a printer has now."""
        places = self.run("sh", "-c", f"grep -l {printer.product:04x} /sys/class/usbmisc/lp*/device/../idProduct")
        return f"/dev/usb/{places.split('/')[4]}"

    def new_printer(self, name: str, product: int) -> Printer:
        """Not plugged in yet."""
        return Printer(self, name, product)

    def new_till(self, name: str, **printer: object) -> Till:
        """Running, with an empty queue; `printer` as in config.toml."""
        return Till(self, name, printer)

    def console(self) -> str:
        return (self.folder / "console").read_text(errors="replace")[-4000:]


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder, image = tmp_path_factory.mktemp("rig"), Path(os.environ["RIG_MACHINE"])
    command = ["qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "qemu64", "-m", "768", "-no-reboot"]
    command += ["-display", "none", "-nodefaults", "-serial", f"file:{folder / 'console'}"]
    command += ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img")]
    command += ["-append", "root=/dev/vda rw console=ttyS0 panic=-1 quiet systemd.show_status=0"]
    command += ["-drive", f"file={image / 'root.img'},if=virtio,format=raw,snapshot=on"]
    command += ["-drive", f"file={os.environ['RIG_MEDIUM']},if=virtio,format=raw,read-only=on"]
    command += ["-device", "virtio-serial", "-device", "virtserialport,chardev=rig,name=rig"]
    command += ["-chardev", f"socket,id=rig,path={folder / 'port'},server=on,wait=off"]
    with (folder / "qemu").open("wb") as said:
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    booted = Machine(folder, qemu)
    try:
        booted.connect()
        yield booted
    finally:
        booted.close()


class Printer:
    """One emulated printer; it stays in the machine and can be plugged in and out."""

    def __init__(self, machine: Machine, name: str, product: int) -> None:
        self.machine, self.name, self.vendor, self.product, self.serial = machine, name, 0x1209, product, f"SN-{name}"
        machine.ask("new_printer", printer=name, vendor=self.vendor, product=product, serial=self.serial)

    def do(self, action: str, /, **args: Json) -> Json:
        return self.machine.ask("printer", printer=self.name, do=action, **args)

    def look(self) -> dict[str, Any]:
        return dict(self.do("look"))

    @property
    def papers(self) -> list[dict[str, Any]]:
        return list(self.look()["papers"])

    def times(self, what: str) -> list[float]:
        """When that happened, by its journal."""
        return [at for at, event, _ in self.look()["journal"] if event == what]

    def first(self, what: str, since: float) -> float:
        """When that happened first after a moment."""
        return next(at for at in self.times(what) if at >= since)


class Till:
    """A process of the product with a printer of its own, in the sandbox of the unit."""

    def __init__(self, machine: Machine, name: str, printer: dict[str, object]) -> None:
        self.machine, self.name = machine, name
        machine.ask("start_till", till=name, printer=printer)

    def ask(self, do: str, /, **args: Json) -> Json:
        return self.machine.ask("till", till=self.name, do=do, **args)

    def print(self, document: bytes) -> int:
        return int(self.ask("print", document=document.decode()))

    def state(self) -> dict[str, Any]:
        return dict(self.ask("state"))

    def state_of(self, job: int) -> str:
        return str(self.state()["jobs"].get(str(job)))

    @property
    def settled(self) -> bool:
        """Nothing waits to be printed."""
        return not set(self.state()["jobs"].values()) & {"queued", "sending", "held"}

    def history(self, job: int) -> list[str]:
        """The states of a job, in order."""
        return [state for number, state, _ in self.state()["history"] if number == job]

    def when(self, job: int, state: str) -> float:
        """When the till decided for the first time that the job is in that state."""
        return next(at for at, number, told in self.state()["decided"] if (number, told) == (job, state))

    def says(self) -> tuple[str, str]:
        """What the status board says of its printer: state and text."""
        state, text = self.state()["board"]
        return state, text

    def end(self) -> None:
        self.machine.ask("end_till", till=self.name)


class Figures:
    """What was measured, by name."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def note(self, what: str, seconds: float) -> None:
        self._seconds.setdefault(what, []).append(seconds)

    def lines(self) -> list[str]:
        """A line for each."""
        return [
            f"{what}: {min(each):.2f} to {max(each):.2f} s, median {median(each):.2f} s, {len(each)} times"
            for what, each in sorted(self._seconds.items())
        ]


FIGURES = Figures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the machine's own clock said; its processor is an emulated one, ten times slower than a till's or so."""
    for line in FIGURES.lines():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures() -> Figures:
    return FIGURES


Until = Callable[..., None]


@pytest.fixture(scope="session")
def until() -> Until:
    """until(what, condition, within=30): wait for it, and fail naming it, with what `show` tells, when it does not come."""

    def wait(
        what: str, condition: Callable[[], bool], within: float = 30.0, show: Callable[[], object] = lambda: ""
    ) -> None:
        end, pause = time.monotonic() + within, threading.Event()
        while not condition():
            assert time.monotonic() < end, f"not within {within} s: {what} {show()}"
            pause.wait(0.1)

    return wait
