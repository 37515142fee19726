"""The link against the virtual scanner as a process, through the real driver; and against devices that misbehave."""

import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

import pytest

from agent.clock import SystemClock
from agent.link import STEADY, Link, read_scanner
from agent.messages import LinkChanged, Scanned
from agent.repeats import Repeats
from drivers.base import DeviceError, DeviceGone, DeviceRefused
from drivers.framing import Framer, Framing
from drivers.scanners.serial_port import Options, SerialScanner, open_port
from drivers.virtual.control import ControlError, call

PROGRAM = (
    "import signal, sys, threading; from drivers.virtual.scanner import Options, run; stop = threading.Event();"
    "signal.signal(signal.SIGTERM, lambda *_: stop.set()); run(Options(listen=sys.argv[1], pty=sys.argv[2]), stop)"
)
CODE = "2900000000018"


class Clock(SystemClock):
    """The real time, faster, plus what the test adds."""

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() * self.pace + self.ahead


class Patient(SystemClock):
    """Waits no longer than a moment, and notes how long it was to wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def wait(self, stop: Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return stop.wait(0.001)


class Peer:
    """The virtual scanner as a process of its own, on TCP or on a pty."""

    def __init__(self, listen: str = "127.0.0.1:0", pty: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, listen, pty], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        _, device, control = self._process.stdout.readline().split()
        self.device = device.removeprefix("device=")
        self._control = control.removeprefix("control=")

    def do(self, what: str, **request: object) -> dict[str, object]:
        return call(self._control, {"do": what, **request})

    def scan(self, code: str, **request: object) -> None:
        """Scan as soon as the link has the port open: a real cashier would scan again."""
        deadline = time.monotonic() + 5
        while True:
            try:
                self.do("scan", code=code, **request)
            except ControlError:
                assert time.monotonic() < deadline, "nobody opened the port"
                Event().wait(0.01)
            else:
                return

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> None:
        with self._process:
            self._process.terminate()


@dataclass
class Rig:
    """A link in its thread; what it says comes out of the queues."""

    link: Link[SerialScanner]
    changes: "queue.Queue[LinkChanged]"
    scans: "queue.Queue[Scanned]" = field(default_factory=queue.Queue)
    stop: Event = field(default_factory=Event)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        use = partial(read_scanner, name="counter", framer=Framer(), emit=self.scans.put, clock=SystemClock())
        self.thread = threading.Thread(target=self.link.run, args=(self.stop, use), daemon=True)
        self.thread.start()

    def change(self) -> LinkChanged:
        return self.changes.get(timeout=5)

    def scanned(self) -> Scanned:
        return self.scans.get(timeout=5)


class Start(Protocol):
    """Start a link on that port."""

    def __call__(self, port: str, clock: SystemClock | None = None) -> Rig: ...


@pytest.fixture
def start() -> Iterator[Start]:
    rigs: list[Rig] = []

    def begin(port: str, clock: SystemClock | None = None) -> Rig:
        changes: queue.Queue[LinkChanged] = queue.Queue()
        opener = partial(open_port, Options(port))
        rigs.append(Rig(Link("counter", opener, changes.put, clock or SystemClock(), kind="scanner"), changes))
        return rigs[-1]

    yield begin
    for rig in rigs:
        rig.stop.set()
        rig.thread.join(0.5)
        assert not rig.thread.is_alive(), "stop takes more than 0.5 s"


@pytest.fixture(params=["tcp", "pty"])
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    peer = Peer(pty=str(tmp_path / "scanner") if request.param == "pty" else "")
    yield peer
    peer.end()


def test_a_scan_comes_through(start: Start, peer: Peer) -> None:
    rig = start(peer.device)
    assert rig.change() == LinkChanged("counter", "scanner", up=True)
    before = datetime.now(UTC)
    peer.scan(CODE)
    scanned = rig.scanned()
    assert (scanned.device, scanned.data, scanned.partial) == ("counter", CODE.encode(), False)
    assert before <= scanned.at <= datetime.now(UTC)


def test_many_scans_keep_their_order_and_none_is_lost(start: Start, peer: Peer) -> None:
    rig = start(peer.device)
    assert rig.change().up
    codes = [f"29{number:010}" for number in range(200)]
    for code in codes:
        peer.scan(code)
    assert [rig.scanned().data.decode() for _ in codes] == codes


def test_a_slow_line_does_not_split_a_code(start: Start, peer: Peer) -> None:
    rig = start(peer.device)
    assert rig.change().up
    peer.scan(CODE, gap_ms=1)  # 9600 baud
    assert rig.scanned().data == CODE.encode()


def test_a_code_without_suffix_is_ended_by_silence(start: Start, peer: Peer) -> None:
    rig = start(peer.device)
    assert rig.change().up
    peer.scan(CODE, suffix="")
    scanned = rig.scanned()
    assert (scanned.data, scanned.partial) == (CODE.encode(), False)


def test_unplugged_in_the_middle_of_a_code_and_plugged_in_again(start: Start, peer: Peer) -> None:
    rig = start(peer.device)
    assert rig.change().up
    for _ in range(3):
        typed = int(str(peer.do("state")["bytes"]))
        peer.scan(CODE, gap_ms=20)
        while int(str(peer.do("state")["bytes"])) < typed + 3:
            Event().wait(0.002)
        peer.do("unplug")
        unplugged = time.monotonic()
        down = rig.change()
        assert (down.up, down.code) == (False, "device_gone")
        assert time.monotonic() - unplugged < 1
        half = rig.scanned()
        assert half.partial
        assert CODE.encode().startswith(half.data)
        peer.do("plug")
        plugged = time.monotonic()
        assert rig.change().up
        peer.scan("5901234123457")
        assert rig.scanned().data == b"5901234123457"
        assert time.monotonic() - plugged < 2


def test_ten_lives_leak_no_descriptor_and_no_thread(start: Start, peer: Peer) -> None:
    rig = start(peer.device, Clock(pace=1000))  # each life counts as a steady one, so there are no waits
    assert rig.change().up
    descriptors, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(10):
        peer.do("unplug")
        assert not rig.change().up
        peer.do("plug")
        assert rig.change().up
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
    assert threading.active_count() == threads


def test_a_scanner_that_is_absent_at_the_start_is_waited_for(start: Start, tmp_path: Path) -> None:
    rig = start(str(tmp_path / "scanner"))
    down = rig.change()
    assert (down.up, down.code) == (False, "device_gone")
    peer = Peer(pty=str(tmp_path / "scanner"))
    assert rig.change().up
    peer.scan(CODE)
    assert rig.scanned().data == CODE.encode()
    peer.end()


def test_a_scanner_that_dies_comes_back(start: Start) -> None:
    peer = Peer()
    rig = start(peer.device)
    assert rig.change().up
    peer.kill()
    assert not rig.change().up
    again = Peer(listen=peer.device.removeprefix("socket://"))
    assert rig.change().up
    again.scan(CODE)
    assert rig.scanned().data == CODE.encode()
    again.end()


class Device:
    """Keeps a diary; what it does is up to the test's `use`."""

    def __init__(self, diary: list[str]) -> None:
        self.diary = diary
        diary.append("open")

    def read(self, timeout: float) -> bytes:
        raise DeviceGone(f"{timeout}")

    def close(self) -> None:
        if self.diary[-1] != "close":
            self.diary.append("close")


def bare_link(opener: Callable[[], Device], clock: SystemClock | None = None) -> tuple[Link[Device], list[LinkChanged]]:
    changes: list[LinkChanged] = []
    return Link("counter", opener, changes.append, clock or SystemClock(), kind="scanner"), changes


class Refusals:
    """An opener that raises these one after the other and then opens."""

    def __init__(self, *errors: DeviceError) -> None:
        self.errors = list(errors)
        self.times: list[float] = []
        self.diary: list[str] = []
        self.tried = Event()

    def __call__(self) -> Device:
        self.times.append(time.monotonic())
        self.tried.set()
        if self.errors:
            raise self.errors.pop(0)
        return Device(self.diary)


def until_stop(_: Device, stop: Event) -> None:
    stop.wait(5)


@pytest.mark.parametrize("error", [DeviceRefused("no rights"), DeviceGone("absent")])
def test_stop_ends_the_wait_for_the_next_try(error: DeviceError) -> None:
    opener = Refusals(*[error] * 50)
    link, _ = bare_link(opener)
    stop = Event()
    thread = threading.Thread(target=link.run, args=(stop, until_stop))
    thread.start()
    assert opener.tried.wait(5)
    stop.set()
    asked = time.monotonic()
    thread.join(5)
    assert time.monotonic() - asked < 0.2
    assert len(opener.times) == 1, "it opened again after the stop"


def test_the_waits_grow_and_are_longer_when_only_a_person_can_help() -> None:
    opener = Refusals(*[DeviceGone("absent")] * 5, *[DeviceRefused("no rights")] * 7, DeviceGone("absent"))
    clock = Patient()
    link, changes = bare_link(opener, clock)
    link.run(Event(), lambda *_: None)
    assert clock.waits == [0.25, 0.5, 1.0, 1.0, 1.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 0.25]
    assert [change.code for change in changes] == ["device_gone", "device_refused", "device_gone", ""]


def test_it_is_closed_before_it_is_opened_again() -> None:
    opener = Refusals()
    link, _ = bare_link(opener)
    stop = Event()

    def use(device: Device, stop: Event) -> None:
        if len(device.diary) > 4:
            stop.set()
            return
        raise DeviceGone("unplugged")

    link.run(stop, use)
    assert opener.diary == ["open", "close"] * 3


def test_a_device_that_comes_and_goes_is_one_outage(caplog: pytest.LogCaptureFixture) -> None:
    opener = Refusals()
    link, changes = bare_link(opener)
    caplog.set_level(logging.DEBUG)
    with suppress(StopIteration):
        lives = iter("123")
        link.run(Event(), lambda *_: lose(next(lives)))
    assert [change.up for change in changes] == [True, False] * 3 + [True]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"] + ["DEBUG", "DEBUG"] * 2 + ["DEBUG"]
    assert opener.times[-1] - opener.times[0] > 1.7, "it opens again without a wait"


def lose(why: str) -> None:
    raise DeviceGone(why)


def test_a_loss_after_steady_work_is_tried_at_once_and_warned_of_again(caplog: pytest.LogCaptureFixture) -> None:
    opener, clock = Refusals(DeviceGone("absent"), DeviceGone("absent")), Clock()
    link, _ = bare_link(opener, clock)
    caplog.set_level(logging.DEBUG)
    stop = Event()

    def use(_: Device, stop: Event) -> None:
        clock.ahead += STEADY
        if clock.ahead > STEADY:
            stop.set()
        lose("unplugged")

    link.run(stop, use)
    assert [record.levelname for record in caplog.records][:5] == ["WARNING", "DEBUG", "INFO", "WARNING", "INFO"]
    assert opener.times[-1] - opener.times[-2] < 0.2


def test_a_driver_that_hangs_in_opening_is_not_used_after_the_stop() -> None:
    released, diary, stop = Event(), ["hangs"], Event()

    def hang() -> Device:
        released.wait(10)
        return Device(diary)

    link, changes = bare_link(hang)
    thread = threading.Thread(target=link.run, args=(stop, lambda device, _: device.diary.append("used")), daemon=True)
    thread.start()
    stop.set()
    thread.join(0.3)
    assert thread.is_alive()
    released.set()
    thread.join(5)
    assert diary == ["hangs", "open", "close"]
    assert changes == []


def test_an_unforeseen_error_comes_out_and_the_device_is_closed() -> None:
    opener = Refusals()
    link, _ = bare_link(opener)

    def use(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        link.run(Event(), use)
    assert opener.diary == ["open", "close"]


class Chunks:
    """A device that gives these chunks, then stops the reader."""

    def __init__(self, stop: Event, *chunks: bytes | DeviceError) -> None:
        self._stop = stop
        self._chunks = list(chunks)

    def read(self, timeout: float) -> bytes:
        if not self._chunks:
            self._stop.set()
            return b""
        chunk = self._chunks.pop(0)
        if isinstance(chunk, DeviceError):
            raise chunk
        if not chunk:
            self._stop.wait(timeout)
        return chunk

    def close(self) -> None: ...


def scan_all(
    framer: Framer, *chunks: bytes | DeviceError, clock: SystemClock | None = None, repeats: Repeats | None = None
) -> list[tuple[bytes, bool]]:
    scans: list[Scanned] = []
    stop = Event()
    device, clock = Chunks(stop, *chunks), clock or SystemClock()
    with suppress(DeviceGone):
        read_scanner(device, stop, name="counter", framer=framer, emit=scans.append, clock=clock, repeats=repeats)
    return [(scan.data, scan.partial) for scan in scans]


def test_half_a_code_is_told_as_partial_and_never_glued_to_the_next() -> None:
    framer = Framer()
    assert scan_all(framer, b"29000", DeviceGone("unplugged")) == [(b"29000", True)]
    assert scan_all(framer, b"5901234123457\r") == [(b"5901234123457", False)]


def test_only_silence_splits_not_a_busy_machine() -> None:
    assert scan_all(Framer(Framing(idle_ms=5)), b"29", b"00", b"", b"00\r") == [(b"2900", False), (b"00", False)]


def test_noise_is_warned_of_once_and_no_scan_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert scan_all(Framer(limit=20), b"\xff" * 30, b"\xff" * 30, b"\r2900000000018\r") == [(CODE.encode(), False)]
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "DEBUG"]
    assert CODE not in caplog.text


class Ticking(SystemClock):
    """Each look at it is 0.2 s after the one before."""

    def __init__(self) -> None:
        self.now_is = 0.0

    def monotonic(self) -> float:
        self.now_is += 0.2
        return self.now_is


def test_a_repeat_within_half_a_second_is_no_scan_and_a_later_one_is() -> None:
    one, other = b"2900000000018\r\r\n", b"5901234123457\r"
    got = scan_all(Framer(), *[one] * 6, other, one, clock=Ticking(), repeats=Repeats(0.5))
    assert got == [(CODE.encode(), False)] * 2 + [(b"5901234123457", False), (CODE.encode(), False)]


def test_half_a_code_makes_no_whole_one_a_repeat() -> None:
    framer, repeats = Framer(), Repeats(60)
    assert scan_all(framer, b"29", DeviceGone("unplugged"), repeats=repeats) == [(b"29", True)]
    assert scan_all(framer, b"29\r", repeats=repeats) == [(b"29", False)]
    assert scan_all(framer, b"29", DeviceGone("unplugged"), repeats=repeats) == [(b"29", True)]


def test_nothing_is_a_repeat_without_a_window() -> None:
    assert scan_all(Framer(), b"29\r29\r", repeats=Repeats(0)) == [(b"29", False)] * 2
