"""The one program of the machine: does what the tests outside ask for, line by line over a virtio port.

    {"do": "plug", "args": {"printer": "receipt"}}    ->    {"result": null}    or    {"error": "..."}

It plays the printers (usb_device.py) and starts the product's processes (till.py) inside the sandbox of the product's own
systemd unit, /mnt/tillmate.service.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import traceback
from pathlib import Path
from typing import Any

from scanner_bench import ScannerBench
from usb_device import UsbPrinter

Json = Any
PORT = Path("/dev/virtio-ports/rig")
LOGS = Path("/run")
UNIT = Path("/mnt/tillmate.service")
GROUPS = "dialout,lp,input"  # as install.sh has it
NOT_FOR_A_PROCESS = "Type|NotifyAccess|ExecStart|Restart.*|Watchdog.*|Timeout.*|SyslogIdentifier|User|WorkingDirectory"


class Till:
    """A process of the product, asked over its standard input and output."""

    def __init__(self, name: str, printer: dict[str, object]) -> None:
        command = ["python3", "-P", "/mnt/guest/till.py", name, json.dumps(printer)]
        self._log = LOGS / f"till-{name}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*in_the_sandbox(f"till-{name}"), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.ask({"do": "ready"})

    def ask(self, request: dict[str, object]) -> Json:
        """Its answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the till has ended:\n" + self._log.read_text()[-3000:])
        return json.loads(line)

    def end(self) -> None:
        """Let it end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def in_the_sandbox(name: str) -> list[str]:
    """The command that runs another one as the service does, with every limit of its unit."""
    lines = UNIT.read_text().splitlines()
    modules = [line for line in lines if re.match(r"(Wants|After)=modprobe", line)]
    service = lines[lines.index("[Service]") + 1 : lines.index("[Install]")]
    limits = [line for line in service if re.match(r"\w+=", line) and not re.match(f"({NOT_FOR_A_PROCESS})=", line)]
    command = ["systemd-run", "--quiet", "--collect", "--pipe", "--wait", f"--unit={name}", "--property=User=tillmate"]
    command += [f"--property={line}" for line in modules + limits]
    return [*command, "--setenv=PYTHONPATH=/mnt/site:/mnt/guest", "--setenv=PYTHONDONTWRITEBYTECODE=1"]


class Bench(ScannerBench):
    """What can be asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._printers: dict[str, UsbPrinter] = {}
        self._tills: dict[str, Till] = {}

    def new_printer(self, printer: str, vendor: int, product: int, serial: str) -> None:
        """Not plugged in yet."""
        self._printers[printer] = UsbPrinter(printer, vendor, product, serial)

    def printer(self, printer: str, do: str, **args: Json) -> Json:
        """Call a method of a printer."""
        if "head" in args:
            args["head"] = bytes.fromhex(args["head"])
        return getattr(self._printers[printer], do)(**args)

    def start_till(self, till: str, printer: dict[str, object]) -> None:
        """Begin a process with an empty queue; `printer` as in config.toml."""
        self._tills[till] = Till(till, printer)

    def till(self, till: str, **request: Json) -> Json:
        """Ask such a process."""
        return self._tills[till].ask(request)

    def end_till(self, till: str) -> None:
        """Wait for its end."""
        self._tills.pop(till).end()

    def nodes(self) -> list[str]:
        """The printer nodes of the kernel's own driver."""
        return sorted(map(str, Path("/dev/usb").glob("lp*")))

    def run(self, command: list[str]) -> dict[str, object]:
        """As root."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return {"code": done.returncode, "out": done.stdout + done.stderr}

    def now(self) -> float:
        """The clock that everything here is timed with."""
        return time.monotonic()


def main() -> None:
    """Serve for ever."""
    subprocess.run(["useradd", "--system", "--user-group", "--groups", GROUPS, "tillmate"], check=False)
    bench = Bench()
    while not PORT.exists():
        subprocess.run(["udevadm", "settle", "--timeout=1"], check=False)
    with PORT.open("r+b", buffering=0) as port:
        pending = b""
        while True:
            *requests, pending = (pending + port.read(65536)).split(b"\n")
            for line in requests:
                reply = json.dumps(answer(bench, json.loads(line))).encode() + b"\n"
                while reply:  # the port takes 32 KiB at a time
                    reply = reply[port.write(reply) or 0 :]


def answer(bench: Bench, request: dict[str, Any]) -> dict[str, object]:
    """Do as asked."""
    try:
        return {"result": getattr(bench, request["do"])(**request["args"])}
    except Exception:  # noqa: BLE001 - the test that has asked shows it
        return {"error": traceback.format_exc()}


if __name__ == "__main__":
    main()
