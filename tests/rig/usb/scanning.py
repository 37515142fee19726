"""Codes from USB scanners in keyboard, HID POS and USB COM mode that are pulled out, come back elsewhere, and talk at once.

Run by `make test-usb`. The product reads as it is installed, within the limits of its systemd unit and by its own udev rules.
All times are the machine's own, whose processor is an emulated one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Figures, Machine, Until

from .scanner_peers import Desk, Scanner

CARD = b"2900000000117"
MARKING = b"010460123456789321" + b'5!aB-"=:;,?/%' + b"\x1d91EE06\x1d92" + b"A1b2" * 14
LONG = MARKING[:94]
Json = Any
products = itertools.count(0x0A01)
KINDS = {"keyboard": "hid_keyboard", "hidpos": "hid_pos", "serial": "serial_port"}
ENDS = {"keyboard": b"\r", "hidpos": b"", "serial": b"\r\n"}
AIM = {"keyboard": b"", "hidpos": b"]Q1", "serial": b""}
SEEN_WITHIN = 1.0
BACK_WITHIN = 2.0

Start = Callable[..., Desk]


@pytest.fixture(scope="module", autouse=True)
def rules(machine: Machine) -> None:
    machine.ask("allow_scanners")


@pytest.fixture
def start(machine: Machine, until: Until) -> Iterator[Start]:
    running: list[Desk] = []

    def begin(*tables: dict[str, object]) -> Desk:
        running.append(Desk(machine, until, *tables))
        return running[-1]

    yield begin
    for each in running:
        each.end()


@pytest.fixture
def new_scanner(machine: Machine) -> Iterator[Callable[..., Scanner]]:
    made: list[Scanner] = []

    def make(kind: str, **about: Json) -> Scanner:
        product = about.pop("product", None) or next(products)
        made.append(Scanner(machine, f"{kind}-{len(made)}-{product}", kind, product, **about))
        return made[-1]

    yield make
    for each in made:
        each.pull()


def table(scanner: Scanner, **options: object) -> dict[str, object]:
    return {"name": scanner.name, "driver": KINDS[scanner.kind], "options": {**scanner.names, **options}}


ALL = pytest.mark.parametrize("kind", KINDS)


@ALL
def test_codes_are_read_whole_with_every_gs(kind: str, new_scanner: Callable[..., Scanner], start: Start) -> None:
    scanner = new_scanner(kind)
    desk = start(table(scanner))
    desk.is_down(scanner.name)  # absent at the start is nothing special
    scanner.plug()
    desk.is_up(scanner.name)
    pieces = scanner.scan(LONG + ENDS[kind])
    scanner.scan(CARD + ENDS[kind])
    desk.reads(AIM[kind] + LONG, AIM[kind] + CARD)
    assert LONG.count(b"\x1d") == 2
    assert len(LONG) == 94
    if kind == "hidpos":
        assert pieces == 2


@ALL
def test_it_runs_within_the_limits_of_the_unit(
    kind: str, machine: Machine, new_scanner: Callable[..., Scanner], start: Start
) -> None:
    scanner = new_scanner(kind)
    scanner.plug()
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    shown = machine.run("systemctl", "show", f"desk-{desk.name}", "--property=User,DevicePolicy,ProtectSystem")
    assert set(shown.split()) == {"User=tillmate", "DevicePolicy=closed", "ProtectSystem=strict"}


@ALL
def test_pulled_in_mid_scan_and_back_at_another_node(
    kind: str, new_scanner: Callable[..., Scanner], start: Start, figures: Figures
) -> None:
    scanner, other = new_scanner(kind), new_scanner(kind)
    scanner.plug()
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    was = scanner.nodes
    only = 1 if kind != "keyboard" else 8
    scanner.scan(LONG, only=only)
    scanner.pull()
    desk.is_down(scanner.name)
    pulled = scanner.last("pulled")
    seen = desk.when(scanner.name, "device_gone", pulled) - pulled
    ((half, partial),) = desk.scans()
    assert partial
    assert half
    assert (AIM[kind] + LONG).startswith(half)
    other.plug()  # takes the node, and the port
    desk.until("the other's node", lambda: bool(other.nodes))
    scanner.plug()
    desk.is_up(scanner.name)
    scanner.scan(CARD + ENDS[kind])
    desk.until("the card", lambda: desk.whole() == [AIM[kind] + CARD], show=desk.scans)
    assert scanner.nodes != was
    there = scanner.last("configured")
    back = desk.when(scanner.name, "", there) - there
    figures.note(f"{kind}: pulled, the product knows", seen)
    figures.note(f"{kind}: the system has it again, so does the product", back)
    assert seen <= SEEN_WITHIN
    assert back <= BACK_WITHIN


@pytest.mark.parametrize("named_by", ["serial", "port"])
@ALL
def test_two_of_one_model_are_told_apart(
    kind: str, named_by: str, new_scanner: Callable[..., Scanner], start: Start
) -> None:
    product = next(products)
    serials = ("A1", "B2") if named_by == "serial" else ("SAME", "SAME")
    left, right = (new_scanner(kind, product=product, serial=serial) for serial in serials)
    left.plug()
    desk = start(table(left))
    desk.until("the node of the left one", lambda: bool(left.nodes))
    left_port = left.nodes[0][1]
    right.plug()
    desk.until("the node of the right one", lambda: len(right.nodes) == 2)
    right_port = next(port for _, port in right.nodes if port != left_port)
    for each in (left, right):
        each.name = "left" if each is left else "right"
    own = [{"serial": "A1"}, {"serial": "B2"}] if named_by == "serial" else [{"port": left_port}, {"port": right_port}]
    both = start(
        *({**table(each), "options": {**each.names, **mine}} for each, mine in zip((left, right), own, strict=True))
    )
    # each goes by its new name in this process only
    both.is_up("left")
    both.is_up("right")


def test_a_keyboard_is_kept_from_everybody_and_a_second_agent_is_told(
    machine: Machine, new_scanner: Callable[..., Scanner], start: Start
) -> None:
    scanner = new_scanner("keyboard")
    scanner.plug()
    first = start(table(scanner))
    first.is_up(scanner.name)
    node = f"/dev/input/{scanner.nodes[0][0]}"
    assert machine.ask("overhear", node=node, scanner=scanner.name, code=(CARD + b"\r").hex()) == 0
    first.reads(CARD)
    second = start(table(scanner))
    second.is_down(scanner.name, "device_busy")
    first.end()
    second.is_up(scanner.name)
