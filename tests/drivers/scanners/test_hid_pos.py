"""The driver for HID POS over a socket that keeps reports apart; the kernel's part is tried by `make test-usb`."""

from contextlib import closing

import pytest

from drivers.base import DeviceBusy, DeviceGone, DeviceRefused
from drivers.framing import Framer
from drivers.scanners.hid_pos import DRIVER, END, Options, candidates, layout_for, open_scanner, wake_report

from .nodes import HONEYWELL, HidPosScanner, Tree, reports

NAMED = Options(vendor="0c2e", product="0720")
MARKING = b"0104601234567893215abcdefghijkl\x1d91EE06\x1d92" + b"A" * 44
WAKES = bytes.fromhex("058c0902a10185fe75089501 0901b102c0")


def test_the_aim_id_is_put_in_front_and_an_end_behind(tree: Tree) -> None:
    scanner = HidPosScanner(tree)
    with closing(open_scanner(NAMED, scanner.system)) as device:
        scanner.scan(b"5901234123457", b"]E0")
        assert device.read(1.0) == b"]E05901234123457" + END
        scanner.scan(b"plain\r\n")
        assert device.read(1.0) == b"plain" + END


def test_a_code_of_several_reports_is_one_with_its_line_ends(tree: Tree) -> None:
    scanner, framer = HidPosScanner(tree), Framer(DRIVER.framing)
    code = MARKING + b"\r\n" + MARKING
    with closing(open_scanner(NAMED, scanner.system)) as device:
        scanner.scan(code, b"]d2")
        assert [frame.data for frame in framer.feed(device.read(1.0), 1.0)] == [b"]d2" + code]


def test_all_that_wait_are_read_at_once(tree: Tree) -> None:
    scanner = HidPosScanner(tree)
    with closing(open_scanner(NAMED, scanner.system)) as device:
        for number in range(60):
            scanner.scan(str(number).encode())
        assert device.read(1.0).split(END)[:-1] == [str(number).encode() for number in range(60)]


def test_half_a_code_at_an_unplug_is_known(tree: Tree) -> None:
    scanner, framer = HidPosScanner(tree), Framer(DRIVER.framing)
    with closing(open_scanner(NAMED, scanner.system)) as device:
        scanner.send(reports(MARKING)[0])
        assert framer.feed(device.read(1.0), 1.0) == []
        scanner.send(reports(MARKING)[0])
        scanner.pull()
        assert framer.feed(device.read(1.0), 2.0) == []
        for _ in range(2):
            with pytest.raises(DeviceGone, match="hung up"):
                device.read(1.0)
    half = framer.drop()
    assert half is not None
    assert half.partial


def test_reports_of_other_kinds_are_nothing(tree: Tree) -> None:
    scanner = HidPosScanner(tree)
    with closing(open_scanner(NAMED, scanner.system)) as device:
        scanner.send(b"\x05" + bytes(63))
        assert device.read(0.2) == b""


def test_where_the_descriptor_says_nothing_only_known_makers_are_read(tree: Tree) -> None:
    silent = bytes.fromhex("058c0902a101850109307508954081 02c0")
    known = HidPosScanner(tree, descriptor=silent)
    with closing(open_scanner(NAMED, known.system)) as device:
        known.scan(b"5901234123457", b"]E0")
        assert device.read(1.0) == b"]E05901234123457" + END
    stranger = HidPosScanner(tree, port="1-9", vendor="1209", descriptor=silent)
    with pytest.raises(DeviceRefused, match="USB COM"):
        open_scanner(Options(vendor="1209", product="0720"), stranger.system)


def test_fixed_places_are_those_of_the_published_descriptor() -> None:
    told, fixed = layout_for("1209", HONEYWELL), layout_for("0c2e", b"")
    for report in reports(MARKING, b"]d2"):
        assert told.part(report) == fixed.part(report)


def test_newland_has_its_own_places() -> None:
    """Its FM420 integration guide, "Getting Scanned Data": length at 1, data at 2-57, more at bit 0 of 63; no AIM id."""
    layout = layout_for("1eab", b"")
    report = bytes([2, 13]) + b"5901234123457".ljust(56, b"\0") + bytes(4) + b"d" + b"\xfe"
    part = layout.part(report)
    assert part is not None
    assert (part.aim, part.data, part.more) == (b"", b"5901234123457", False)


def test_honeywell_is_woken_where_it_can_be(tree: Tree) -> None:
    asleep = HidPosScanner(tree, descriptor=HONEYWELL + WAKES)
    open_scanner(NAMED, asleep.system).close()
    assert asleep.features == [b"\xfe\x01"]
    assert wake_report("0c2e", HONEYWELL) == wake_report("05f9", HONEYWELL + WAKES) == b""


def test_two_of_one_model_are_told_apart(tree: Tree) -> None:
    first = HidPosScanner(tree, port="1-3", serial="A1")
    second = HidPosScanner(tree, port="1-4", serial="B2")
    with pytest.raises(DeviceRefused, match="2 fit"):
        open_scanner(NAMED, first.system)
    for options in (Options(vendor="0c2e", serial="B2"), Options(port="1-4")):
        with closing(open_scanner(options, second.system)) as device:
            second.scan(b"second")
            assert device.read(1.0) == b"second" + END


def test_a_second_agent_is_told_that_it_is_in_use(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> None:
    scanner = HidPosScanner(tree)
    node = tmp_path_factory.mktemp("dev") / "node"
    node.touch()
    system = scanner.system
    shared = type(system)(system.classes, node.parent, lambda _: __import__("os").open(node, 2))
    first = open_scanner(NAMED, shared)
    with pytest.raises(DeviceBusy, match="another program"):
        open_scanner(NAMED, shared)
    first.close()
    open_scanner(NAMED, shared).close()


def test_it_must_be_named() -> None:
    with pytest.raises(ValueError, match="name the scanner"):
        Options()


def test_candidates_are_those_with_the_bar_code_page(tree: Tree) -> None:
    scanner = HidPosScanner(tree)
    HidPosScanner(tree, port="1-8", product="0001", descriptor=bytes.fromhex("05010906a101c0"))
    (found,) = candidates(scanner.system)
    assert found.options == {"vendor": "0c2e", "product": "0720"}
    with closing(found.listen()) as device:
        scanner.scan(b"x")
        assert device.read(1.0) == b"x" + END
