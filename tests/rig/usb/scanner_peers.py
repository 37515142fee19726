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


@dataclass(eq=False)
class Scanner:
    """One emulated scanner; it stays in the machine and can be plugged in and out."""

    machine: Machine
    until: Until
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

    def break_off(self, code: bytes, pieces: int) -> None:
        """Pulled out in the middle of a code."""
        self.do("break_off", code=code.hex(), pieces=pieces)

    def last(self, what: str) -> float:
        """When that happened last."""
        return max(at for at, event, _ in self.do("look")["journal"] if event == what)

    @property
    def was_woken(self) -> bool:
        """Whether it was told to speak."""
        return [0x03FE, "fe01"] in [value for _, event, value in self.do("look")["journal"] if event == "set_report"]

    @property
    def names(self) -> dict[str, object]:
        """What config.toml calls it."""
        return {"vendor": f"{VENDOR:04x}", "product": f"{self.product:04x}"}

    @property
    def nodes(self) -> list[str]:
        """The nodes of its kind that scanners have now."""
        return [node for node, _ in self._known()]

    def given(self) -> float:
        """When its node was given to the service."""
        folder = "/dev/input" if self.kind == "keyboard" else "/dev"
        return float(self.machine.ask("given", node=f"{folder}/{self.nodes[0]}"))

    @property
    def ports(self) -> list[str]:
        """Where scanners of its model are plugged in."""
        return [port for _, port in self._known()]

    def until_known(self, number: int = 1) -> None:
        """Wait until the system has so many of its model."""
        self.until(f"{number} of {self.name}", lambda: len(self._known()) == number)

    def _known(self) -> list[tuple[str, str]]:
        folder, begin = {"keyboard": ("input", "event"), "serial": ("tty", "ttyACM")}.get(
            self.kind, ("hidraw", "hidraw")
        )
        listed = [each.split(" ") for each in self.machine.ask("nodes_of", folder=folder)]
        return [
            (node, port)
            for node, product, port in listed
            if product == f"{self.product:04x}" and node.startswith(begin)
        ]


class Process:
    """One of the product, in the sandbox of the unit."""

    def __init__(self, machine: Machine, until: Until, program: str) -> None:
        self.machine, self.until, self.name = machine, until, f"scan{next(numbers)}"
        machine.ask("start_desk", desk=self.name, program=program)

    def ask(self, do: str, /, **args: Json) -> Json:
        return self.machine.ask("desk", desk=self.name, do=do, **args)

    def log(self) -> str:
        """The last of it."""
        return str(self.machine.ask("log_of", desk=self.name))

    def stop(self) -> None:
        """All scanners are given back."""
        self.ask("stop")

    def end(self) -> str:
        """Its log."""
        return str(self.machine.ask("end_desk", desk=self.name))


class Desk(Process):
    """Reads scanners."""

    def __init__(self, machine: Machine, until: Until) -> None:
        super().__init__(machine, until, "scanner_desk.py")

    def begin(self, *tables: dict[str, object]) -> None:
        """With these, and nothing of those before."""
        self.ask("begin", tables=tables)

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

    def is_up(self, name: str) -> None:
        self.until(f"{name} is up", lambda: self.says(name) == "", 60, self.log)

    def is_down(self, name: str, code: str = "device_gone") -> None:
        self.until(f"{name} is down", lambda: self.says(name) == code, 60, self.log)

    def forget(self) -> None:
        """What was read so far."""
        self.ask("forget")

    def hold(self) -> None:
        """Whoever takes the scans is busy with one."""
        self.ask("hold")

    def release(self) -> None:
        """He goes on."""
        self.ask("release")


class Shop(Process):
    """A whole agent with a till for each scanner; its server is slow."""

    def __init__(self, machine: Machine, until: Until) -> None:
        super().__init__(machine, until, "scanner_shop.py")

    def begin(self, members: dict[Scanner, list[bytes]], *tables: dict[str, object]) -> None:
        """With members who have these cards."""
        self.ask("begin", tables=tables, cards=[card.decode() for cards in members.values() for card in cards])

    def is_up(self, *scanners: Scanner) -> None:
        ready = dict.fromkeys((each.name for each in scanners), "ok")
        self.until("all scanners", lambda: self.ask("state")["scanners"] == ready, 60, self.log)

    def greeted(self, scanner: Scanner) -> list[str]:
        """Whom the page of its till has greeted, in order."""
        return list(self.ask("state")["greeted"][scanner.name])
