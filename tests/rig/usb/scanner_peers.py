"""The scanners in the machine, and the process that reads them, as the tests see them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Machine, Until

Json = Any
VENDOR = 0x0C2E  # Honeywell: its HID POS scanners are in the product's udev rules
numbers = itertools.count(1)


@dataclass
class Scanner:
    """One emulated scanner; it stays in the machine and can be plugged in and out."""

    machine: Machine
    name: str
    kind: str
    product: int
    serial: str = ""
    form: dict[str, object] | None = None

    def __post_init__(self) -> None:
        about = {"vendor": VENDOR, "product": self.product, "serial": self.serial, "form": self.form}
        self.machine.ask("new_scanner", scanner=self.name, kind=self.kind, **about)

    def do(self, action: str, /, **args: Json) -> Json:
        return self.machine.ask("scanner", scanner=self.name, do=action, **args)

    def plug(self) -> None:
        self.do("plug")

    def pull(self) -> None:
        self.do("pull")

    def scan(self, code: bytes, **how: float) -> int:
        """How many pieces the code has."""
        return int(self.do("scan", code=code.hex(), **how))

    def last(self, what: str) -> float:
        """When that happened last."""
        return max(at for at, event, _ in self.do("look")["journal"] if event == what)

    @property
    def names(self) -> dict[str, object]:
        """What config.toml calls it."""
        return {"vendor": f"{VENDOR:04x}", "product": f"{self.product:04x}"}

    @property
    def nodes(self) -> list[tuple[str, str]]:
        """Its nodes, and where it is plugged in."""
        folder = {"keyboard": "input", "serial": "tty"}.get(self.kind, "hidraw")
        begin = {"keyboard": "event", "serial": "ttyACM"}.get(self.kind, "hidraw")
        listed = [each.split(" ") for each in self.machine.ask("nodes_of", folder=folder)]
        return [
            (node, port)
            for node, product, port in listed
            if product == f"{self.product:04x}" and node.startswith(begin)
        ]


class Desk:
    """A process of the product that reads scanners, in the sandbox of the unit."""

    def __init__(self, machine: Machine, until: Until, *tables: dict[str, object]) -> None:
        self.machine, self.until, self.name = machine, until, f"scan{next(numbers)}"
        self.names = [str(table["name"]) for table in tables]
        machine.ask("start_desk", desk=self.name, tables=tables)

    def ask(self, do: str, /, **args: Json) -> Json:
        return self.machine.ask("desk", desk=self.name, do=do, **args)

    def scans(self, name: str | None = None) -> list[tuple[bytes, bool]]:
        """What was read, and whether it was but half a code."""
        listed = self.ask("state")["scans"]
        return [(bytes.fromhex(data), partial) for _, scanner, data, partial in listed if name in (None, scanner)]

    def whole(self, name: str | None = None) -> list[bytes]:
        return [data for data, partial in self.scans(name) if not partial]

    def reads(self, *codes: bytes, name: str | None = None, within: float = 30.0) -> None:
        """Exactly these, in this order."""
        self.until("the codes", lambda: self.whole(name) == list(codes), within, lambda: self.scans(name))

    def says(self, name: str) -> str:
        """What was said of its connection last: "" = up, else the code of the trouble."""
        said = [code for _, scanner, _, code in self.ask("state")["changes"] if scanner == name]
        return said[-1] if said else "nothing"

    def when(self, name: str, code: str, since: float) -> float:
        """When that was said of it after a moment."""
        return min(
            at
            for at, scanner, _, said in self.ask("state")["changes"]
            if (scanner, said) == (name, code) and at >= since
        )

    def is_up(self, name: str, within: float = 30.0) -> None:
        self.until(f"{name} is up", lambda: self.says(name) == "", within, lambda: self.ask("state")["changes"])

    def is_down(self, name: str, code: str = "device_gone") -> None:
        self.until(f"{name} is down", lambda: self.says(name) == code, show=lambda: self.ask("state")["changes"])

    def end(self) -> str:
        return str(self.machine.ask("end_desk", desk=self.name))
