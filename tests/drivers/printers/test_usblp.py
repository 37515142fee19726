"""The usblp driver: finding its node in a /sys made of files, and a node that is played by a pty.

The kernel's own usblp is met by make test-usb.
"""

from __future__ import annotations

import os
import tty
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drivers.base import DeviceError, DeviceGone, DeviceRefused, DeviceStalled
from drivers.printers.usblp import Options, UsblpPrinter, _translated, open_printer


class Machine:
    """Its /sys/class/usbmisc and /dev/usb."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.usbmisc, self.nodes = folder / "sys/class/usbmisc", folder / "dev/usb"
        self.usbmisc.mkdir(parents=True)
        self.nodes.mkdir(parents=True)
        self._ends: dict[str, int] = {}
        self._plugs = 0
        self.freed: list[str] = []

    def plug(self, node: str, port: str, product: str = "0202", serial: str = "") -> None:
        device = self._folder / "sys/devices/usb1" / port
        interface = device / f"{port}:1.0"
        interface.mkdir(parents=True, exist_ok=True)
        self._plugs += 1
        (device / "devnum").write_text(f"{self._plugs}\n")
        (device / "idVendor").write_text("04b8\n")
        (device / "idProduct").write_text(f"{product}\n")
        if serial:
            (device / "serial").write_text(f"{serial}\n")
        (self.usbmisc / node).mkdir()
        (self.usbmisc / node / "device").symlink_to(interface)
        self._ends[node], slave = os.openpty()
        tty.setraw(slave)
        (self.nodes / node).symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self, node: str) -> None:
        os.close(self._ends.pop(node))
        (self.usbmisc / node / "device").unlink()
        (self.usbmisc / node).rmdir()
        (self.nodes / node).unlink()

    def open(self, **options: str) -> UsblpPrinter:
        return open_printer(Options(**options), self.usbmisc, self.nodes, self.freed.append)

    def got(self, node: str, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += os.read(self._ends[node], count - len(data))
        return data

    def answer(self, node: str, data: bytes) -> None:
        os.write(self._ends[node], data)

    def end(self) -> None:
        for node in list(self._ends):
            self.unplug(node)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.end()


def test_the_only_printer_needs_no_name(machine: Machine) -> None:
    machine.plug("lp0", "1-2")
    with closing(machine.open()) as printer:
        printer.write(b"receipt", 1.0)
        assert machine.got("lp0", 7) == b"receipt"


def test_it_is_found_again_at_another_node(machine: Machine) -> None:
    machine.plug("lp0", "1-2", serial="A")
    first = machine.open(serial="A")
    machine.unplug("lp0")
    with pytest.raises(DeviceGone):
        first.read(0.1)
    with pytest.raises(DeviceGone, match="serial=A"):
        machine.open(serial="A")
    machine.plug("lp1", "1-2", serial="A")
    with closing(machine.open(serial="A")) as printer:  # while the first is still open
        printer.write(b"again", 1.0)
        assert machine.got("lp1", 5) == b"again"
    first.close()


@pytest.mark.parametrize(
    ("named", "node"),
    [
        ({"serial": "B"}, "lp1"),
        ({"port": "1-2.4"}, "lp2"),
        ({"vendor": "04B8", "product": "0e15"}, "lp3"),
    ],
)
def test_one_of_several_is_told_by_any_of_its_names(machine: Machine, named: dict[str, str], node: str) -> None:
    machine.plug("lp0", "1-1", serial="A")
    machine.plug("lp1", "1-2.3", serial="B")
    machine.plug("lp2", "1-2.4", serial="A")
    machine.plug("lp3", "1-3", product="0e15")
    with closing(machine.open(**named)) as printer:
        printer.write(b"x", 1.0)
        assert machine.got(node, 1) == b"x"


def test_two_that_fit_are_never_chosen_from(machine: Machine) -> None:
    machine.plug("lp0", "1-1", serial="A")
    machine.plug("lp1", "1-2", serial="A")
    with pytest.raises(DeviceRefused, match=r"vendor=04b8: lp0, lp1 fit; name one"):
        machine.open(vendor="04b8")


def test_a_printer_that_takes_nothing_stalls_and_goes_on(machine: Machine) -> None:
    machine.plug("lp0", "1-1")
    receipt = bytes(range(256)) * 100
    with closing(machine.open()) as printer:
        with pytest.raises(DeviceStalled) as caught:
            printer.write(receipt, 0.2)
        taken = caught.value.taken
        assert 0 < taken < len(receipt)
        assert machine.got("lp0", taken) == receipt[:taken]
        printer.write(receipt[taken : taken + 1000], 1.0)
        assert machine.got("lp0", 1000) == receipt[taken : taken + 1000]


def test_one_that_fell_silent_is_freed_before_it_is_opened_again(machine: Machine) -> None:
    machine.plug("lp0", "9-1")
    path = str(machine.nodes / "lp0")
    printer = machine.open()
    printer.write(b"question", 1.0)
    machine.answer("lp0", b"\x12")
    assert printer.read(1.0) == b"\x12"
    printer.close()
    with closing(machine.open()):
        assert machine.freed == [], "it has answered"
    printer = machine.open()
    printer.write(b"question", 1.0)
    assert printer.read(0.1) == b""
    printer.close()
    with closing(machine.open(path=path)):
        assert machine.freed == ["9-1"]
    with closing(machine.open(path=path)):
        assert machine.freed == ["9-1"], "once is enough"


def test_one_that_was_pulled_is_not_freed(machine: Machine) -> None:
    machine.plug("lp0", "9-2")
    printer = machine.open()
    printer.write(b"receipt", 1.0)
    machine.unplug("lp0")
    with pytest.raises(DeviceGone):
        printer.write(b"more", 1.0)
    printer.close()
    machine.plug("lp0", "9-2")
    with closing(machine.open()):
        assert machine.freed == []


def test_without_libusb_it_opens_all_the_same(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.plug("lp0", "9-3")
    printer = machine.open()
    printer.write(b"receipt", 1.0)
    printer.close()
    with closing(open_printer(Options(), machine.usbmisc, machine.nodes)) as again:  # no such device for libusb here
        again.write(b"x", 1.0)
    assert "port=9-3 may have stalled and could not be freed" in caplog.text


def test_closed_is_gone(machine: Machine) -> None:
    machine.plug("lp0", "1-1")
    printer = machine.open()
    printer.close()
    uses: list[Callable[[], object]] = [lambda: printer.write(b"x", 0.1), lambda: printer.read(0.1)]
    for use in uses:
        with pytest.raises(DeviceGone):
            use()


@pytest.mark.parametrize(
    ("number", "code", "cure"),
    [
        ("EBUSY", "device_busy", "close that program"),
        ("EACCES", "device_refused", "(lp)"),
        ("EIO", "device_gone", "cable"),
    ],
)
def test_errors_of_the_system_are_told_apart(number: str, code: str, cure: str) -> None:
    import errno

    told: DeviceError = _translated("/dev/usb/lp0", OSError(getattr(errno, number), "why"))
    assert told.code == code
    assert cure in str(told)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"path": "/dev/usb/lp0", "serial": "A"}, "^path"),
        ({"vendor": "4b8"}, "^vendor"),
        ({"vendor": "04b8", "product": "0x202"}, "^product"),
        ({"product": "0202"}, "^product"),
    ],
)
def test_wrong_options_are_refused_when_the_config_is_read(fields: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Options(**fields)
