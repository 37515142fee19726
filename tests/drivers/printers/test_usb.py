"""The USB driver against emulated devices, behind pyusb's own seam. libusb and a kernel are met by make test-usb."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from drivers.base import DeviceBusy, DeviceError, DeviceGone, DeviceRefused, DeviceStalled
from drivers.printers.usb import Options, UsbPrinter, open_printer

from .usb_device import IN, OUT, Bus, Setting, UsbDevice, failure

RECEIPT = bytes(range(256)) * 4


@contextmanager
def opened(*devices: UsbDevice, **options: str) -> Iterator[UsbPrinter]:
    with closing(open_printer(Options(**options), Bus(*devices))) as printer:
        yield printer


def test_the_kernels_driver_is_given_back_on_close() -> None:
    device = UsbDevice()
    with opened(device) as printer:
        assert device.kernel_driver == ""
        printer.write(RECEIPT, 1.0)
    assert device.kernel_driver == "usblp"
    assert device.owner is None
    assert device.log == ["open", "detach", "attach", "close"]
    assert bytes(device.received) == RECEIPT


def test_the_kernels_driver_comes_back_also_after_a_killed_predecessor() -> None:
    device = UsbDevice(kernel_driver="")
    with opened(device):
        pass
    assert device.kernel_driver == "usblp"


def test_end_points_come_from_the_descriptor() -> None:
    device = UsbDevice(settings=(Setting(ends=(0x81, 0x03), packet=512),))
    with opened(device) as printer:
        printer.write(RECEIPT, 1.0)
        device.reply(b"\x12")
        assert printer.read(1.0) == b"\x12"
    assert bytes(device.received) == RECEIPT


@pytest.mark.parametrize(("protocols", "chosen"), [((1, 2), 1), ((4, 3, 1), 2), ((2, 1), 0)])
def test_the_setting_that_goes_both_ways_is_chosen(protocols: tuple[int, ...], chosen: int) -> None:
    device = UsbDevice(
        settings=tuple(Setting(protocol=each, ends=(OUT, IN) if each > 1 else (OUT,)) for each in protocols)
    )
    with opened(device) as printer:
        assert device.chosen == chosen
        printer.write(b"x", 1.0)


def test_a_one_way_printer_prints_and_is_silent() -> None:
    device = UsbDevice(settings=(Setting(protocol=1, ends=(OUT,)),))
    with opened(device) as printer:
        printer.write(b"x", 1.0)
        started = time.monotonic()
        assert printer.read(0.1) == b""
        assert 0.1 <= time.monotonic() - started < 0.3


def test_a_printer_that_says_nothing_at_once_is_not_asked_all_the_time() -> None:
    device = UsbDevice(answers_empty=True)
    with opened(device) as printer:
        used, started = time.process_time(), time.monotonic()
        assert printer.read(0.3) == b""
        assert 0.3 <= time.monotonic() - started < 0.5
        assert time.process_time() - used < 0.2
        device.reply(b"\x12")
        assert printer.read(1.0) == b"\x12"


def test_paper_out_stalls_and_the_rest_goes_where_it_stopped() -> None:
    device = UsbDevice(room=640)
    with opened(device) as printer:
        with pytest.raises(DeviceStalled, match="640 bytes were taken") as caught:
            printer.write(RECEIPT, 0.1)
        assert caught.value.taken == 640
        device.change(room=float("inf"))
        printer.write(RECEIPT[640:], 0.1)
    assert bytes(device.received) == RECEIPT


def test_a_hung_printer_stalls_in_time() -> None:
    with opened(UsbDevice(room=0)) as printer:
        started = time.monotonic()
        with pytest.raises(DeviceStalled):
            printer.write(RECEIPT, 0.2)
        assert 0.2 <= time.monotonic() - started < 0.5


def test_a_slow_printer_is_waited_for_as_long_as_it_takes_something() -> None:
    device = UsbDevice(room=64)
    done = threading.Event()

    def feed() -> None:
        while not done.wait(0.03):
            device.change(room=64)

    feeder = threading.Thread(target=feed, daemon=True)
    with opened(device) as printer:
        feeder.start()
        started = time.monotonic()
        printer.write(RECEIPT, 0.2)
        assert time.monotonic() - started > 0.3
    done.set()
    feeder.join()
    assert bytes(device.received) == RECEIPT


def test_a_stalled_end_point_is_cleared_and_nothing_comes_twice() -> None:
    device = UsbDevice(halted={OUT, IN})
    with opened(device) as printer:
        printer.write(RECEIPT[:200], 1.0)
        device.change(halted={OUT})
        printer.write(RECEIPT[200:], 1.0)
        device.change(halted={IN})
        device.reply(b"\x12")
        assert printer.read(0.05) + printer.read(0.05) == b"\x12"
    assert bytes(device.received) == RECEIPT
    assert device.log.count(f"clear {OUT:#04x}") == 2


def test_one_that_stays_stalled_is_gone() -> None:
    with opened(UsbDevice(halted={OUT}, stays_stalled=True)) as printer, pytest.raises(DeviceGone, match="Broken pipe"):
        printer.write(RECEIPT, 5.0)


def test_it_can_be_freed_without_writing() -> None:
    device = UsbDevice(halted={OUT, IN})
    with opened(device) as printer:
        printer.free()
    assert device.halted == set()


def test_pulled_in_the_middle_is_gone_at_once_and_found_anew() -> None:
    device = UsbDevice(room=700)
    printer = open_printer(Options(vendor="04b8"), Bus(device))
    puller = threading.Timer(0.1, device.unplug)
    puller.start()
    with pytest.raises(DeviceGone, match="No such device") as caught:
        printer.write(RECEIPT, 10.0)
    assert not isinstance(caught.value, DeviceStalled)
    puller.join()
    device.plug()
    for use in uses(printer):  # the old handle
        with pytest.raises(DeviceGone):
            use()
    printer.close()
    device.change(room=float("inf"), received=bytearray())
    with opened(device) as again:
        again.write(RECEIPT, 1.0)
    assert bytes(device.received) == RECEIPT


def uses(printer: UsbPrinter) -> list[Callable[[], object]]:
    return [lambda: printer.write(b"x", 0.1), lambda: printer.read(0.1)]


def test_closed_is_gone() -> None:
    printer = open_printer(Options(), Bus(UsbDevice()))
    printer.close()
    printer.close()
    for use in uses(printer):
        with pytest.raises(DeviceGone):
            use()


def test_a_claimed_printer_is_busy_and_stays_with_its_owner() -> None:
    device = UsbDevice()
    bus = Bus(device)
    with closing(open_printer(Options(), bus)) as printer:
        with pytest.raises(DeviceBusy, match="another program"):
            open_printer(Options(), bus)
        printer.write(b"x", 1.0)
    assert device.kernel_driver == "usblp"


def test_no_rights_are_refused_with_the_cure() -> None:
    with pytest.raises(DeviceRefused, match=r"group lp.*rules\.d"):
        open_printer(Options(), Bus(UsbDevice(forbidden=True)))


def test_an_unconfigured_printer_is_configured_and_another_is_left_alone() -> None:
    device = UsbDevice(configured=0)
    with opened(device) as printer:
        printer.write(b"x", 1.0)
    assert device.configured == 1


LASER = UsbDevice(vendor=0x03F0, product=0x0001, serial="L", ports=(1,))
TILL = UsbDevice(serial="A", ports=(2, 3))
TWIN = UsbDevice(serial="A", ports=(2, 4))
OTHER = UsbDevice(serial="B", ports=(3,))
MOUSE = UsbDevice(vendor=0x046D, product=0xC077, ports=(4,), settings=(Setting(kind=3, protocol=2, ends=(0x81,)),))
STICK = UsbDevice(vendor=0x0781, product=0x5567, ports=(5,), settings=(Setting(kind=8, protocol=0x50),))


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"vendor": "03f0"}, LASER),
        ({"vendor": "04B8", "serial": "B"}, OTHER),
        ({"serial": "L"}, LASER),
        ({"port": "1-2.4"}, TWIN),
        ({"port": "1-2.3", "serial": "A"}, TILL),
    ],
)
def test_one_of_several_is_told_by_any_of_its_names(named: dict[str, str], found: UsbDevice) -> None:
    found.received.clear()
    with opened(LASER, TILL, TWIN, OTHER, MOUSE, STICK, **named) as printer:
        printer.write(b"x", 1.0)
    assert bytes(found.received) == b"x"


def test_a_neighbour_that_may_not_be_opened_is_in_nobodys_way() -> None:
    closed = UsbDevice(vendor=0x03F0, serial="?", ports=(1,), forbidden=True)
    with opened(closed, OTHER, serial="B") as printer:
        printer.write(b"x", 1.0)
    with pytest.raises(DeviceRefused, match="group lp"):
        open_printer(Options(serial="C"), Bus(closed, OTHER))


def test_two_that_fit_are_never_chosen_from() -> None:
    with pytest.raises(DeviceRefused, match=r"serial=A: 2 fit; .* 1-2.3, 1-2.4"):
        open_printer(Options(serial="A"), Bus(LASER, TILL, TWIN, OTHER))


def test_what_is_no_printer_is_never_taken_unless_it_is_named_whole() -> None:
    own = UsbDevice(vendor=0x1504, product=0x0006, settings=(Setting(kind=255, protocol=0),), kernel_driver="")
    for fields in ({}, {"vendor": "1504"}, {"serial": own.serial}):
        with pytest.raises(DeviceGone, match="no such USB printer"):
            open_printer(Options(**fields), Bus(own, MOUSE, STICK))
    with opened(own, MOUSE, STICK, vendor="1504", product="0006") as printer:
        printer.write(b"x", 1.0)
    assert bytes(own.received) == b"x"


def test_without_libusb_it_is_refused_with_the_cure() -> None:
    class Nothing(Bus):
        def enumerate_devices(self) -> Iterator[UsbDevice]:
            from usb.core import NoBackendError

            raise NoBackendError("No backend available")

    with pytest.raises(DeviceRefused, match=r"libusb-1\.0-0.*AF_NETLINK"):
        open_printer(Options(), Nothing())


def test_a_fault_while_it_is_opened_leaves_nothing_claimed() -> None:
    class Faulty(Bus):
        def set_interface_altsetting(self, *_: object) -> None:
            raise failure(5)

    device = UsbDevice(settings=(Setting(protocol=1), Setting(protocol=2)))
    with pytest.raises(DeviceError):
        open_printer(Options(), Faulty(device))
    assert device.owner is None
    assert device.kernel_driver == "usblp"
