"""Every driver of the registry against the contract of drivers.base, each with a far end that speaks its transport.

A new driver is held to it from the moment its file exists: it needs an entry in far_ends.FAR_ENDS, and says so until it has one.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from drivers import registry
from drivers.base import AnyDriver, DeviceError, DeviceGone, DeviceRefused, Kind, Maturity, Printer

from .far_ends import FAR_ENDS, FIXTURES, FarEnd

if TYPE_CHECKING:
    pass

NAMES: list[tuple[Kind, str]] = [(kind, name) for kind in get_args(Kind) for name in registry.names(kind)]


class Bench:
    """A driver and its far end."""

    def __init__(self, driver: AnyDriver, far: FarEnd) -> None:
        self.driver = dataclasses.replace(driver, open=getattr(far, "opener", driver.open))
        self.far = far
        self.opened: list[Printer] = []

    def open(self) -> Printer:
        """Open the device; only a printer is written to."""
        self.opened.append(self.driver.open(self.driver.options(**self.far.options)))
        return self.opened[-1]

    def end(self) -> None:
        for device in self.opened:
            device.close()
        self.far.vanish()


CASES = [(kind, name, number) for kind, name in NAMES for number in range(len(FAR_ENDS.get((kind, name), [])))]
PRINTERS = pytest.mark.parametrize("bench", [case for case in CASES if case[0] == "printer"], indirect=True)
ANSWERING = pytest.mark.parametrize(
    "bench", [case for case in CASES if registry.find(case[0], case[1]).answers], indirect=True
)


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind, name, number = request.param
    made_of = request.getfixturevalue(FIXTURES.get(name, "tmp_path"))
    bench = Bench(registry.find(kind, name), FAR_ENDS[kind, name][number](made_of))
    yield bench
    bench.end()


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_it_is_tried_here(kind: Kind, name: str) -> None:
    assert FAR_ENDS.get((kind, name)), f"{kind} driver {name} has no far end in far_ends.py"


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_it_declares_itself(kind: Kind, name: str) -> None:
    driver = registry.find(kind, name)
    module = sys.modules[driver.open.__module__]
    assert len((module.__doc__ or "").splitlines()) > 1, "the docstring says which device, whose manual, what quirks"
    assert driver.title
    assert driver.maturity in get_args(Maturity)
    assert driver.tested_with, "say what it was tested with"


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_its_options_are_a_frozen_dataclass_of_plain_values(kind: Kind, name: str) -> None:
    options = registry.find(kind, name).options
    assert dataclasses.is_dataclass(options)
    assert options.__dataclass_params__.frozen
    for hint in inspect.get_annotations(options, eval_str=True).values():
        assert all(isinstance(value, str | int) for value in get_args(hint) or [""]) or hint in (str, int, float, bool)


def test_an_absent_device_is_gone_and_is_named(bench: Bench) -> None:
    bench.far.vanish()
    started = time.monotonic()
    with pytest.raises(DeviceGone) as caught:
        bench.open()
    assert time.monotonic() - started < 5
    assert str(next(iter(bench.far.options.values()))) in str(caught.value)
    assert caught.value.__cause__ is not None


def test_silence_is_an_empty_read_in_time(bench: Bench) -> None:
    device = bench.open()
    for timeout in (0.1, 0.0):
        started = time.monotonic()
        assert device.read(timeout) == b""
        assert time.monotonic() - started < timeout + 0.2


@ANSWERING
def test_what_the_device_sends_is_read(bench: Bench) -> None:
    device = bench.open()
    every = getattr(bench.far, "alphabet", bytes(range(256)))
    sent = every + getattr(bench.far, "end", b"")
    bench.far.send(every)
    data, deadline = b"", time.monotonic() + 5
    while len(data) < len(sent) and time.monotonic() < deadline:
        data += device.read(0.2)
    assert data == sent


@PRINTERS
def test_what_is_written_arrives(bench: Bench) -> None:
    device = bench.open()
    device.write(bytes(range(256)), 1.0)
    assert bench.far.receive(256) == bytes(range(256))


@ANSWERING
def test_unplugged_is_gone_for_good_and_closes_in_peace(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    for _ in range(2):
        with pytest.raises(DeviceGone):
            device.read(1.0)
    device.close()
    device.close()


@ANSWERING
def test_it_opens_again_after_a_replug(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    device.close()
    bench.far.appear()
    again = bench.open()
    bench.far.send(b"x")
    assert again.read(5.0).startswith(b"x")


@PRINTERS
def test_a_printer_that_is_gone_cannot_be_written_to(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    with pytest.raises(DeviceGone if bench.driver.answers else DeviceRefused):
        device.write(bytes(50_000_000), 1.0)  # more than the system takes on its own account
    device.close()
    device.close()


@PRINTERS
def test_it_prints_again_after_a_replug(bench: Bench) -> None:
    device = bench.open()
    bench.far.vanish()
    device.close()
    bench.far.appear()
    bench.open().write(b"x", 5.0)
    assert bench.far.receive(1) == b"x"


def test_every_descriptor_is_given_back(bench: Bench) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    bench.open().close()
    before, deadline, tick = descriptors(), time.monotonic() + 2, threading.Event()
    for _ in range(5):
        bench.open().close()
    while descriptors() > before and time.monotonic() < deadline:
        tick.wait(0.01)  # a far end that we have hung up on may have one more for a moment
    assert descriptors() <= before


def test_the_errors_have_codes_of_their_own() -> None:
    codes = [error.code for error in (DeviceError, *DeviceError.__subclasses__())]
    assert len(set(codes)) == len(codes)
