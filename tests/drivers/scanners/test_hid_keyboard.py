"""The driver for scanners in keyboard mode over a pty that takes events; the kernel's part is tried by `make test-usb`."""

import errno
import os
import threading
import time
from contextlib import closing

import pytest

from drivers.base import DeviceBusy, DeviceGone, DeviceRefused
from drivers.framing import Framer
from drivers.scanners.hid_keyboard import DRIVER, Options, System, candidates, grab, open_keyboard

from .nodes import CODES, EVENT, KEY, MOUSE, SYN, KeyboardScanner, Tree, events, keys

NAMED = Options(vendor="0c2e", product="0b61")
CODE = b"2900000000117\r"


def test_a_code_is_read_and_the_scanner_is_taken(tree: Tree) -> None:
    scanner = KeyboardScanner(tree)
    with closing(open_keyboard(NAMED, scanner.system)) as device:
        assert len(scanner.grabbed) == 1
        scanner.type(CODE)
        assert device.read(1.0) == CODE


@pytest.mark.parametrize("cut", [1, 23, 24, 25, 100])
def test_events_may_come_in_pieces(tree: Tree, cut: int) -> None:
    scanner = KeyboardScanner(tree)
    stream = events(keys(b"A1"))
    with closing(open_keyboard(NAMED, scanner.system)) as device:
        os.write(scanner.master, stream[:cut])
        first = device.read(0.05)
        os.write(scanner.master, stream[cut:])
        assert first + device.read(1.0) == b"A1"


def test_keys_that_type_nothing_do_not_end_the_wait(tree: Tree) -> None:
    scanner = KeyboardScanner(tree)
    with closing(open_keyboard(NAMED, scanner.system)) as device:
        scanner.press((42, 1))
        threading.Timer(0.1, scanner.press, [(CODES["a"], 1)]).start()
        assert device.read(5.0) == b"A"


def test_a_second_one_is_refused_and_told_so(tree: Tree) -> None:
    scanner = KeyboardScanner(tree)
    with closing(open_keyboard(NAMED, scanner.system)), pytest.raises(DeviceBusy, match="another program"):
        open_keyboard(NAMED, scanner.system)
    open_keyboard(NAMED, scanner.system).close()


@pytest.mark.parametrize(
    ("options", "port"),
    [
        (Options(vendor="0c2e", product="0b61", serial="B2"), "1-4"),
        (Options(vendor="0C2E", product="0B61", port="1-3"), "1-3"),
        (Options(port="1-4"), "1-4"),
    ],
)
def test_of_two_of_one_model_the_named_one_is_taken(tree: Tree, options: Options, port: str) -> None:
    scanners = [KeyboardScanner(tree, port="1-3", serial="A1"), KeyboardScanner(tree, port="1-4", serial="B2")]
    with closing(open_keyboard(options, scanners[0].system)) as device:
        for scanner in scanners:
            scanner.type(scanner.port.encode())
        assert device.read(1.0) == port.encode()


def test_where_two_fit_none_is_taken(tree: Tree) -> None:
    first, _ = KeyboardScanner(tree, port="1-3"), KeyboardScanner(tree, port="1-4")
    with pytest.raises(DeviceRefused, match=r"2 fit: .*1-3.*1-4"):
        open_keyboard(NAMED, first.system)
    assert first.grabbed == []


@pytest.mark.parametrize("fields", [{}, {"vendor": "0c2e"}, {"serial": "A1"}, {"vendor": "0c2e", "serial": "A1"}])
def test_no_keyboard_is_taken_by_a_guess(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="by a guess"):
        Options(**fields)


def test_a_mouse_of_that_number_is_no_scanner(tree: Tree) -> None:
    mouse = KeyboardScanner(tree, capabilities=MOUSE)
    with pytest.raises(DeviceGone, match="0c2e"):
        open_keyboard(NAMED, mouse.system)
    assert list(candidates(mouse.system)) == []


def test_two_keyboards_in_one_scanner_are_both_read(tree: Tree) -> None:
    first = KeyboardScanner(tree)
    second = KeyboardScanner(tree)  # another node of the same device
    with closing(open_keyboard(NAMED, first.system)) as device:
        first.type(b"1")
        assert device.read(1.0) == b"1"
        second.type(b"2")
        assert device.read(1.0) == b"2"


def test_it_is_found_at_another_node(tree: Tree) -> None:
    scanner = KeyboardScanner(tree)
    device = open_keyboard(NAMED, scanner.system)
    before = scanner.node
    scanner.pull()
    with pytest.raises(DeviceGone):
        device.read(1.0)
    device.close()
    scanner.plug()
    assert scanner.node != before
    with closing(open_keyboard(NAMED, scanner.system)) as again:
        scanner.type(CODE)
        assert again.read(1.0) == CODE


def test_half_a_code_at_an_unplug_is_known(tree: Tree) -> None:
    scanner, framer = KeyboardScanner(tree), Framer(DRIVER.framing)
    with closing(open_keyboard(NAMED, scanner.system)) as device:
        scanner.type(CODE[:5])
        assert framer.feed(device.read(1.0), 1.0) == []
        scanner.pull()
        with pytest.raises(DeviceGone):
            device.read(1.0)
    half = framer.drop()
    assert half is not None
    assert (half.data, half.partial) == (CODE[:5], True)


def test_lost_keys_are_a_loss_and_the_rest_of_that_code_is_no_code(tree: Tree) -> None:
    scanner = KeyboardScanner(tree)
    with closing(open_keyboard(NAMED, scanner.system)) as device:
        scanner.type(b"2900")
        assert device.read(1.0) == b"2900"
        os.write(scanner.master, EVENT.pack(1, 2, SYN, 3, 0))
        with pytest.raises(DeviceGone, match="keys were lost"):
            device.read(1.0)
    stop, typing = threading.Event(), threading.Event()

    def type_on() -> None:
        while not stop.wait(0.005):
            scanner.type(b"1")
            typing.set()
        scanner.type(b"\r")

    thread = threading.Thread(target=type_on)
    thread.start()
    assert typing.wait(5)
    threading.Timer(0.15, stop.set).start()
    with closing(open_keyboard(NAMED, scanner.system)) as device:
        thread.join()
        scanner.type(CODE)
        assert device.read(1.0).endswith(CODE)


def test_opening_waits_for_a_code_under_way_and_not_for_ever(tree: Tree) -> None:
    scanner, stop = KeyboardScanner(tree), threading.Event()

    def hold() -> None:
        while not stop.wait(0.002):
            scanner.press((CODES["a"], 2))

    thread = threading.Thread(target=hold)
    thread.start()
    began = time.monotonic()
    open_keyboard(NAMED, scanner.system).close()
    took = time.monotonic() - began
    stop.set()
    thread.join()
    assert 0.05 < took < 2


def test_rights_and_nonsense_are_refused(tree: Tree) -> None:
    scanner = KeyboardScanner(tree)

    def refuse(number: int) -> System:
        def take(_: int) -> None:
            raise OSError(number, os.strerror(number))

        return System(scanner.system.classes, scanner.system.nodes, take)

    for number in (errno.EACCES, errno.EPERM, errno.ENOTTY):
        with pytest.raises(DeviceRefused):
            open_keyboard(NAMED, refuse(number))
    with pytest.raises(DeviceGone):
        open_keyboard(NAMED, refuse(errno.ENODEV))


def test_grabbing_what_is_no_keyboard_fails(tree: Tree) -> None:
    with pytest.raises(OSError, match="ioctl") as caught:
        grab(KeyboardScanner(tree).master)
    assert caught.value.errno == errno.ENOTTY


def test_candidates_are_listened_to_and_not_taken(tree: Tree) -> None:
    first = KeyboardScanner(tree, port="1-3", serial="A1")
    KeyboardScanner(tree, port="1-4", serial="A1")
    KeyboardScanner(tree, port="1-5", product="0001")
    found = list(candidates(first.system))
    assert [each.options for each in found] == [
        {"vendor": "0c2e", "product": "0b61", "port": "1-3"},
        {"vendor": "0c2e", "product": "0b61", "port": "1-4"},
        {"vendor": "0c2e", "product": "0001"},
    ]
    assert "Maker Model 1" in found[0].title
    with closing(found[0].listen()) as device:
        first.type(b"1")
        assert device.read(1.0) == b"1"
    assert first.grabbed == []
    assert all(Options(**each.options) for each in found)  # type: ignore[arg-type]


def test_silence_is_longer_than_a_slow_scanner_and_tab_ends_a_code() -> None:
    assert DRIVER.framing.idle_ms == 100
    assert [frame.data for frame in Framer(DRIVER.framing).feed(b"1\t2\r3\n", 0.0)] == [b"1", b"2", b"3"]


def test_events_of_other_kinds_are_nothing(tree: Tree) -> None:
    scanner = KeyboardScanner(tree)
    with closing(open_keyboard(NAMED, scanner.system)) as device:
        os.write(scanner.master, EVENT.pack(1, 2, 0x11, 1, 1) + EVENT.pack(1, 2, KEY, 30, 1))
        assert device.read(1.0) == b"a"
