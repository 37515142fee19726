"""The part of main.py's Bench that is about scanners: it plays them, and starts processes of the product that read them."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from scanner_device import HidScanner, Keyboard, SerialPort, UsbScanner
from scanner_reports import Form

Json = Any
LOGS = Path("/run")
RULES = Path("/mnt/60-tillmate.rules")
_EVENT = struct.Struct("llHHi")


class Desk:
    """A process with scanners, asked over its standard input and output."""

    def __init__(self, name: str, program: str) -> None:
        from main import in_the_sandbox

        self._log = LOGS / f"desk-{name}.log"
        command = [*in_the_sandbox(f"desk-{name}"), "python3", "-P", f"/mnt/guest/{program}"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.ask({"do": "state"})

    def ask(self, request: dict[str, object]) -> Json:
        """Its answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the desk has ended:\n" + self._log.read_text()[-3000:])
        return json.loads(line)["result"]

    def log(self) -> str:
        """What it logged so far."""
        return self._log.read_text()

    def end(self) -> str:
        """Let it end by itself; what it logged."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        return self.log()


class ScannerBench:
    """What can be asked for."""

    def __init__(self) -> None:
        self._scanners: dict[str, UsbScanner] = {}
        self._desks: dict[str, Desk] = {}
        self._tick = threading.Event()  # never set

    def allow_scanners(self) -> None:
        """Install the product's udev rules."""
        (Path("/etc/udev/rules.d") / RULES.name).write_text(RULES.read_text())
        subprocess.run(["udevadm", "control", "--reload"], check=True)

    def new_scanner(self, scanner: str, kind: str, vendor: int, product: int, serial: str, form: Json = None) -> None:
        """Not plugged in yet."""
        if kind == "serial":
            self._scanners[scanner] = SerialPort(scanner, vendor, product, serial)
        elif kind == "keyboard":
            self._scanners[scanner] = Keyboard(scanner, vendor, product, serial, Form(boots=1))
        else:
            self._scanners[scanner] = HidScanner(scanner, vendor, product, serial, Form(**(form or {})))

    def scanner(self, scanner: str, do: str, **args: Json) -> Json:
        """Call a method of a scanner."""
        return getattr(self._scanners[scanner], do)(**args)

    def scan_together(self, codes: dict[str, list[str]], gap: float) -> None:
        """Each scanner all its codes, with so many seconds between them, all scanners at once."""

        def use(scanner: UsbScanner, mine: list[str]) -> None:
            for code in mine:
                scanner.scan(code)
                self._tick.wait(gap)

        cashiers = [threading.Thread(target=use, args=(self._scanners[name], mine)) for name, mine in codes.items()]
        for each in cashiers:
            each.start()
        for each in cashiers:
            each.join()

    def start_desk(self, desk: str, program: str) -> None:
        """Begin such a process: scanner_desk.py or scanner_shop.py."""
        self._desks[desk] = Desk(desk, program)

    def desk(self, desk: str, **request: Json) -> Json:
        """Ask such a process."""
        return self._desks[desk].ask(request)

    def log_of(self, desk: str) -> str:
        """What it logged last."""
        return self._desks[desk].log()[-2000:]

    def end_desk(self, desk: str) -> str:
        """Wait for its end; what it logged."""
        return self._desks.pop(desk).end()

    def overhear(self, node: str, scanner: str, code: str) -> int:
        """How many events of that input node a bystander sees while a code is scanned."""
        with Path(node).open("rb", buffering=0) as bystander:
            self._scanners[scanner].scan(code)
            seen = 0
            while select.select([bystander], [], [], 0.5)[0]:
                seen += len(os.read(bystander.fileno(), 64 * _EVENT.size)) // _EVENT.size
        return seen

    def nodes_of(self, folder: str) -> list[str]:
        """The nodes in a folder of /dev, with the numbers of what is behind them."""
        return [told for node in sorted(Path(f"/sys/class/{folder}").iterdir()) if (told := _told_of(node))]

    def given(self, node: str) -> float:
        """When udev gave that node to its group."""
        since = time.clock_gettime(time.CLOCK_REALTIME) - Path(node).stat().st_ctime
        return time.monotonic() - since


def _told_of(node: Path) -> str:
    place = (node / "device").resolve()
    try:
        for each in (place, *place.parents):
            if (each / "idProduct").exists():
                return f"{node.name} {(each / 'idProduct').read_text().strip()} {each.name}"
    except OSError:  # unplugged this moment
        return ""
    return ""
