"""Codes from USB scanners in keyboard, HID POS and USB COM mode that are pulled out, come back elsewhere, and talk at once.

Run by `make test-usb`. The product reads as it is installed, within the limits of its systemd unit and by its own udev rules.
All times are the machine's own, whose processor is an emulated one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from loyalty.codes.check_digit import check_digit

from .scanner_peers import Desk, Scanner, Shop

if TYPE_CHECKING:
    from conftest import Figures, Machine, Until

CARD = b"2900000000117"
LONG = b'0104601234567893215!aB-"=:;,?/+_\x1d91EE06\x1d92' + b"A1b2" * 13
"""A marking code as Честный знак has them, with most of the signs that may be in one."""
F8 = b"\xff"  # how a scanner that is set so types a GS, see guest/scanner_reports.py
KINDS = {"keyboard": "hid_keyboard", "hidpos": "hid_pos", "serial": "serial_port"}
ENDS = {"keyboard": b"\r", "hidpos": b"", "serial": b"\r\n"}
AIM = {"keyboard": b"", "hidpos": b"]Q1", "serial": b""}
PIECES = {"keyboard": 2 * (len(LONG) + 1), "hidpos": 2, "serial": 2}
HALF = {"keyboard": 8, "hidpos": 1, "serial": 1}
FORMS: dict[str, tuple[dict[str, object], int]] = {
    "no number, 32 characters": ({"number": 0, "data": 32}, 3),
    "a 16-bit count behind 200 characters": ({"number": 7, "count": 2, "count_last": True, "data": 200}, 1),
    "no count, no reserved bytes": ({"count": 0, "data": 20, "reserved": 0}, 5),
    "silent until it is told to speak": ({"wakes": True}, 2),
}
"""Report descriptors, and in how many reports they have a code of 94 characters."""
SCANS, PORTION = 200, 25
SEEN_WITHIN = 1.0
BACK_WITHIN = 2.0
products = itertools.count(0x0A01)

NewScanner = Callable[..., Scanner]
Start = Callable[..., Desk]

ALL = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module", autouse=True)
def rules(machine: Machine) -> None:
    machine.ask("allow_scanners")


@pytest.fixture(scope="module")
def desks() -> Iterator[list[Desk]]:
    """The processes so far: to start one takes the machine long."""
    made: list[Desk] = []
    yield made
    logs = [each.end() for each in made]
    assert not any(CARD.decode() in log or "EE06" in log for log in logs), "a code is in the log"


@pytest.fixture
def start(desks: list[Desk], machine: Machine, until: Until) -> Iterator[Start]:
    running: list[Desk] = []

    def begin(*tables: dict[str, object]) -> Desk:
        if len(running) == len(desks):
            desks.append(Desk(machine, until))
        running.append(desks[len(running)])
        running[-1].begin(*tables)
        return running[-1]

    yield begin
    for each in running:
        each.stop()


@pytest.fixture
def new_scanner(machine: Machine, until: Until) -> Iterator[NewScanner]:
    made: list[Scanner] = []

    def make(kind: str, name: str = "", **about: object) -> Scanner:
        product = about.pop("product", None) or next(products)
        made.append(Scanner(machine, until, name or f"{kind}-{product}", kind, product, **about))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.pull()


def table(scanner: Scanner, **options: object) -> dict[str, object]:
    """What config.toml says. A scanner that is a program in a slow machine may pause in a code longer than any real one."""
    named = {"name": scanner.name, "driver": KINDS[scanner.kind], "options": {**scanner.names, **options}}
    return {**named, "framing": {"idle_ms": 3000}}


def card(place: int, number: int) -> bytes:
    """One of the cards that are scanned at that place."""
    body = f"29{place}{number:09}"
    return f"{body}{check_digit(body)}".encode()


@ALL
def test_long_codes_are_read_whole_with_every_gs(kind: str, new_scanner: NewScanner, start: Start) -> None:
    scanner = new_scanner(kind)
    desk = start(table(scanner))
    desk.is_down(scanner.name)  # absent at the start is nothing special
    scanner.plug()
    desk.is_up(scanner.name)
    pieces = scanner.scan(LONG + ENDS[kind])
    scanner.scan(CARD + ENDS[kind])
    desk.reads(AIM[kind] + LONG, AIM[kind] + CARD)
    assert (len(LONG), LONG.count(b"\x1d")) == (94, 2)
    assert pieces == PIECES[kind]


def test_a_keyboard_may_type_f8_for_gs(new_scanner: NewScanner, start: Start) -> None:
    scanner = new_scanner("keyboard")
    scanner.plug()
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    scanner.scan(LONG.replace(b"\x1d", F8) + b"\r")
    desk.reads(LONG)


@pytest.mark.parametrize("form", FORMS)
def test_other_report_descriptors(form: str, new_scanner: NewScanner, start: Start) -> None:
    fields, reports = FORMS[form]
    scanner = new_scanner("hidpos", form={**fields, "aim": "]d2"})
    scanner.plug()
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    assert scanner.scan(LONG) == reports
    scanner.scan(CARD)
    desk.reads(b"]d2" + LONG, b"]d2" + CARD)
    assert bool(fields.get("wakes")) == scanner.was_woken


def test_they_are_read_within_the_limits_of_the_unit(machine: Machine, new_scanner: NewScanner, start: Start) -> None:
    scanners = [new_scanner(kind) for kind in KINDS]
    desk = start(*map(table, scanners))
    for each in scanners:
        each.plug()
        desk.is_up(each.name)
    shown = machine.run("systemctl", "show", f"desk-{desk.name}", "--property=User,DevicePolicy,ProtectSystem")
    assert set(shown.split()) == {"User=tillmate", "DevicePolicy=closed", "ProtectSystem=strict"}


@ALL
def test_pulled_in_mid_scan_and_back_at_another_node(
    kind: str, new_scanner: NewScanner, start: Start, figures: Figures
) -> None:
    scanner, other = new_scanner(kind), new_scanner(kind)
    scanner.plug()
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    scanner.scan(CARD + ENDS[kind])
    desk.reads(AIM[kind] + CARD)
    was = scanner.nodes

    scanner.break_off(LONG, HALF[kind])
    desk.is_down(scanner.name)
    pulled = scanner.last("pulled")
    seen = desk.when(scanner.name, "device_gone", pulled) - pulled
    _, (half, partial) = desk.scans()
    assert partial
    assert half
    assert (AIM[kind] + LONG).startswith(half)

    other.plug()  # takes the node, and the port
    desk.until("the other one has the node", lambda: other.nodes == was)
    scanner.plug()
    desk.is_up(scanner.name)
    scanner.scan(card(0, 1) + ENDS[kind])
    desk.reads(AIM[kind] + CARD, AIM[kind] + card(0, 1))
    assert not set(scanner.nodes) & set(was)

    there = scanner.given()
    back = desk.when(scanner.name, "", pulled) - there
    figures.note(f"{kind}: pulled out, the product knows", seen)
    figures.note(f"{kind}: udev has given it to the service again, the product reads it", back)
    assert seen <= SEEN_WITHIN
    assert back <= BACK_WITHIN


def test_half_of_the_first_code_is_half_a_code_too(new_scanner: NewScanner, start: Start) -> None:
    """It is told as one by silence, too. Of other scanners it is not known yet whether they send a suffix at all."""
    scanner = new_scanner("hidpos")
    scanner.plug()
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    scanner.scan(LONG, only=1)
    desk.until("the half", lambda: bool(desk.scans()))
    scanner.pull()
    desk.is_down(scanner.name)
    ((half, partial),) = desk.scans()
    assert partial
    assert (AIM["hidpos"] + LONG).startswith(half)


@pytest.mark.parametrize("named_by", ["serial", "port"])
@ALL
def test_two_of_one_model_are_told_apart(kind: str, named_by: str, new_scanner: NewScanner, start: Start) -> None:
    serials = ("A1", "B2") if named_by == "serial" else ("SAME", "SAME")
    product = next(products)
    left, right = (
        new_scanner(kind, f"{each}-{product}", product=product, serial=serial)
        for each, serial in zip(("left", "right"), serials, strict=True)
    )
    ports = plug_in_turn(left, right)
    own = ports if named_by == "port" else serials
    desk = start(*(table(each, **{named_by: mine}) for each, mine in zip((left, right), own, strict=True)))
    desk.is_up(left.name)
    desk.is_up(right.name)
    for number in range(5):
        for place, each in enumerate((left, right)):
            each.scan(card(place, number) + ENDS[kind])
    for place, each in enumerate((left, right)):
        desk.reads(*(AIM[kind] + card(place, number) for number in range(5)), name=each.name)

    for each in (left, right):
        each.pull()
    desk.is_down(left.name)
    desk.is_down(right.name)
    desk.forget()
    assert plug_in_turn(right, left) == ports  # each is where the other one was
    desk.is_up(left.name)
    desk.is_up(right.name)
    left.scan(card(0, 9) + ENDS[kind])
    right.scan(card(1, 9) + ENDS[kind])
    names = (left.name, right.name) if named_by == "serial" else (right.name, left.name)
    desk.reads(AIM[kind] + card(0, 9), name=names[0])
    desk.reads(AIM[kind] + card(1, 9), name=names[1])


def plug_in_turn(*scanners: Scanner) -> list[str]:
    """Plug them in, one when the one before it is there; their ports."""
    ports: list[str] = []
    for each in scanners:
        each.plug()
        each.until_known(len(ports) + 1)
        ports += [port for port in each.ports if port not in ports]
    return ports


@ALL
def test_of_two_that_fit_none_is_taken(kind: str, new_scanner: NewScanner, start: Start) -> None:
    product = next(products)
    left, right = (new_scanner(kind, f"{each}-{product}", product=product, serial="SAME") for each in ("l", "r"))
    plug_in_turn(left, right)
    desk = start(table(left))
    desk.is_down(left.name, "device_refused")


@ALL
def test_a_second_agent_is_told_that_it_is_taken(kind: str, new_scanner: NewScanner, start: Start) -> None:
    scanner = new_scanner(kind)
    scanner.plug()
    first = start(table(scanner))
    first.is_up(scanner.name)
    second = start(table(scanner))
    second.is_down(scanner.name, "device_busy")
    scanner.scan(CARD + ENDS[kind])
    first.reads(AIM[kind] + CARD)
    assert second.scans() == []
    first.stop()
    second.is_up(scanner.name)
    scanner.scan(CARD + ENDS[kind])
    second.reads(AIM[kind] + CARD)


def test_a_keyboard_is_kept_from_everybody(machine: Machine, new_scanner: NewScanner, start: Start) -> None:
    scanner = new_scanner("keyboard")
    scanner.plug()
    scanner.until_known()
    typed = {"node": f"/dev/input/{scanner.nodes[0]}", "scanner": scanner.name, "code": (CARD + b"\r").hex()}
    assert machine.ask("overhear", **typed) > 0
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    assert machine.ask("overhear", **typed) == 0
    desk.reads(CARD)


@ALL
def test_nothing_is_lost_while_the_taker_is_held_up(kind: str, new_scanner: NewScanner, start: Start) -> None:
    scanner = new_scanner(kind)
    scanner.plug()
    desk = start(table(scanner))
    desk.is_up(scanner.name)
    desk.hold()
    codes = [card(0, number) for number in range(SCANS)]
    scan_together({scanner: codes})
    assert len(desk.scans()) == 1
    desk.release()
    desk.reads(*(AIM[kind] + code for code in codes))
    assert desk.says(scanner.name) == ""


@pytest.mark.timeout(900)
def test_nothing_is_lost_while_the_server_is_slow(machine: Machine, until: Until, new_scanner: NewScanner) -> None:
    """A whole agent, from three scanners that talk at once to what the page of each cashier shows."""
    scanners = [new_scanner(kind) for kind in KINDS]
    for each in scanners:
        each.plug()
    codes = {scanner: [card(place, number) for number in range(SCANS)] for place, scanner in enumerate(scanners)}
    shop = Shop(machine, until)
    try:
        shop.begin(codes, *map(table, scanners))
        shop.is_up(*scanners)
        until("a request to the server that has no answer", lambda: shop.ask("state")["waiting"] > 0)
        scan_together(codes, gap=0.05)
        until("all greeted", lambda: all(len(shop.greeted(each)) >= SCANS for each in codes), 60, shop.log)
        for scanner, cards in codes.items():
            assert shop.greeted(scanner) == [each.decode() for each in cards]
    finally:
        log = shop.end()
    assert not any(each.decode() in log for cards in codes.values() for each in cards), "a card is in the log"


def scan_together(codes: dict[Scanner, list[bytes]], gap: float = 0) -> None:
    """Each scanner its codes, all scanners at once; in portions, because the machine has to answer in time."""
    machine = next(iter(codes)).machine
    for begin in range(0, SCANS, PORTION):
        typed = {
            each.name: [(code + ENDS[each.kind]).hex() for code in mine[begin : begin + PORTION]]
            for each, mine in codes.items()
        }
        machine.ask("scan_together", codes=typed, gap=gap)
