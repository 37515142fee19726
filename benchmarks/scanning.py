"""From a scanner's last byte to the classified code, how many scans get lost, what false splits cost, and what idling costs.

    python benchmarks/scanning.py [--full]

The product's own driver, framer, link and classifier read pseudo terminals that another process writes to. Beside it, in
the same run: pyserial's own reading up to the suffix, and the floor, bare select and read. `--full` runs four scanners for a minute, as the goal says; without
it the rounds are short. Ends with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import select
import statistics
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from serial import Serial

from agent.clock import SystemClock
from agent.link import Link, read_scanner
from agent.messages import Scanned
from agent.repeats import Repeats
from drivers.framing import Framer, Framing
from drivers.scanners import serial_port
from loyalty.codes import CodeRules, Rule, classify

P50_MS, P99_MS = 0.2, 5.0
IDLE_SHARE = 0.005
RATE, SOURCES = 50, 4
RUNS = 5
BYTE_AT_9600 = 10 / 9600
IDLE_MS = 50
RULES = CodeRules(member_card=(Rule(pattern="29xxxxxxxxxxC"),))
SHORT = b"]E02900000000117"
LONG = b"]d20104601234567893215" + b"abcdefghijkl\x1d91EE06\x1d92" + b"A" * 44
GAP = 0.004

Reader = Callable[[str, int, Callable[[], None]], list[float]]
"""What reads so many codes from a port, and says when it is open: what came before that is thrown away."""

fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Size:
    """How much is done."""

    codes: int
    seconds: int
    slow: int
    idle: int


SMALL, FULL = Size(1000, 8, 8, 8), Size(5000, 60, 60, 30)


@contextmanager
def cable() -> Iterator[tuple[int, str]]:
    """The scanner's end, and the name of ours."""
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        yield master, os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@contextmanager
def elsewhere(work: Callable[..., None], *args: object) -> Iterator[None]:
    """`work` in another process, so that it takes no time of ours."""
    process = fork.Process(target=work, args=args, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.join(120)
        process.terminate()


def scan_and_stamp(master: int, code: bytes, count: int, is_open: Event, stamps: Connection) -> None:
    """Type codes, once the port is open; the moment before the last byte of each goes to `stamps`."""
    is_open.wait()
    for _ in range(count):
        time.sleep(GAP)  # noqa: TID251 - plays a cashier, in a process of its own
        os.write(master, code)
        stamp = time.monotonic()
        os.write(master, b"\r")
        stamps.send(stamp)


def ours(name: str, count: int, opened: Callable[[], None]) -> list[float]:
    """When each code was classified."""
    told: list[float] = []
    stop = threading.Event()

    def emit(scanned: Scanned) -> None:
        classify(scanned.data, RULES, "serial", 1_763_769_600)
        told.append(time.monotonic())
        if len(told) == count:
            stop.set()

    with closing(serial_port.open_port(serial_port.Options(name))) as device:
        opened()
        read_scanner(device, stop, name="b", framer=Framer(), emit=emit, clock=SystemClock(), repeats=Repeats(0))
    return told


def theirs(name: str, count: int, opened: Callable[[], None]) -> list[float]:
    """The same with what readline() does, told to end at CR."""
    with Serial(name, timeout=1) as port:
        opened()
        told = []
        for _ in range(count):
            code = port.read_until(b"\r")
            classify(code[:-1], RULES, "serial", 1_763_769_600)
            told.append(time.monotonic())
    return told


def floor(name: str, count: int, opened: Callable[[], None]) -> list[float]:
    """What this machine needs to wake anybody up at all: bare bytes, no code, no class."""
    told: list[float] = []
    with closing(serial_port.open_port(serial_port.Options(name))), Path(name).open("rb", buffering=0) as node:
        opened()
        while len(told) < count:
            select.select([node], [], [])
            told += [time.monotonic()] * os.read(node.fileno(), 4096).count(b"\r")
    return told


def latency(read: Reader, code: bytes, count: int) -> tuple[float, float]:
    """p50 and p99 in milliseconds from the last byte to the class, each of the quietest of RUNS runs for it."""
    runs = [_latency(read, code, count // RUNS) for _ in range(RUNS)]
    return min(p50 for p50, _ in runs), min(p99 for _, p99 in runs)


def _latency(read: Reader, code: bytes, count: int) -> tuple[float, float]:
    near, far = fork.Pipe(duplex=False)
    is_open = fork.Event()
    with cable() as (master, name), elsewhere(scan_and_stamp, master, code, count, is_open, far):
        told = read(name, count, is_open.set)
        stamps = [near.recv() for _ in range(count)]
    took = [(after - before) * 1000 for before, after in zip(stamps, told, strict=True)]
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def scan_at_rate(masters: list[int], seconds: int, ready: Connection) -> None:
    """Every scanner types RATE numbered codes a second, once all ports are open."""
    ready.recv()
    begin = time.monotonic()
    for number in range(RATE * seconds):
        time.sleep(max(begin + number / RATE - time.monotonic(), 0))  # noqa: TID251 - plays four cashiers
        for master in masters:
            os.write(master, b"%012d\r\n" % number)


def lost(seconds: int) -> int:
    """How many of all scans did not come, or not in order, with four scanners at once."""
    seen: list[list[bytes]] = [[] for _ in range(SOURCES)]
    stop = threading.Event()
    with cables(SOURCES) as (masters, names):
        readers = [
            threading.Thread(target=follow, args=(name, each, stop)) for name, each in zip(names, seen, strict=True)
        ]
        far, near = fork.Pipe(duplex=False)
        with elsewhere(scan_at_rate, masters, seconds, far):  # before there are threads
            for reader in readers:
                reader.start()
            stop.wait(0.5)
            near.send("all are open")
        stop.wait(0.5)
        stop.set()
        for reader in readers:
            reader.join()
    wanted = [b"%012d" % number for number in range(RATE * seconds)]
    return sum(len(wanted) - sum(a == b for a, b in zip(each, wanted, strict=False)) for each in seen)


@contextmanager
def cables(count: int) -> Iterator[tuple[list[int], list[str]]]:
    """Several."""
    with cable() as (master, name):
        if count == 1:
            yield [master], [name]
            return
        with cables(count - 1) as (masters, names):
            yield [master, *masters], [name, *names]


def follow(name: str, seen: list[bytes], stop: threading.Event) -> None:
    """One source as the agent runs it."""

    def emit(scanned: Scanned) -> None:
        classify(scanned.data, RULES, "serial", 1_763_769_600)
        seen.append(scanned.data)

    link = Link(
        name, lambda: serial_port.open_port(serial_port.Options(name)), lambda _: None, SystemClock(), kind="scanner"
    )
    use = partial(read_scanner, name=name, framer=Framer(), emit=emit, clock=SystemClock(), repeats=Repeats(0.5))
    link.run(stop, use)


def type_slowly(master: int, count: int) -> None:
    """Codes without a suffix, byte by byte as at 9600 baud."""
    for _ in range(count):
        time.sleep(4 * IDLE_MS / 1000)  # noqa: TID251 - plays a cashier
        at = time.monotonic()
        for byte in LONG:
            at += BYTE_AT_9600
            time.sleep(max(at - time.monotonic(), 0))  # noqa: TID251 - plays a slow line
            os.write(master, bytes([byte]))


def false_splits(count: int) -> int:
    """How many frames too many came out of codes that only silence ends."""
    seen: list[bytes] = []
    stop = threading.Event()
    with cable() as (master, name), closing(serial_port.open_port(serial_port.Options(name))) as device:
        framer = Framer(Framing(terminators="", idle_ms=IDLE_MS))
        use = partial(read_scanner, name=name, framer=framer, clock=SystemClock(), repeats=Repeats(0))
        reader = threading.Thread(
            target=use, args=(device, stop), kwargs={"emit": lambda scanned: seen.append(scanned.data)}
        )
        reader.start()
        with elsewhere(type_slowly, master, count):
            pass
        stop.wait(4 * IDLE_MS / 1000)
        stop.set()
        reader.join()
    assert b"".join(seen) == LONG * count, "bytes were lost"
    return len(seen) - count


def idle_share(seconds: int) -> float:
    """What part of a core four sources take that send nothing."""
    stop = threading.Event()
    with cables(SOURCES) as (_, names):
        readers = [threading.Thread(target=follow, args=(name, [], stop)) for name in names]
        for reader in readers:
            reader.start()
        stop.wait(0.5)
        before = time.process_time()
        stop.wait(seconds)
        took = time.process_time() - before
        stop.set()
        for reader in readers:
            reader.join()
    return took / seconds


def main() -> int:
    """Print the figures; 1 when a goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    size = FULL if parser.parse_args().full else SMALL
    missed = []
    for title, code in (("EAN-13 card, 16 bytes", SHORT), ("marking code, 94 bytes", LONG)):
        p50, p99 = latency(ours, code, size.codes)
        peer50, peer99 = latency(theirs, code, size.codes)
        bare50, bare99 = latency(floor, code, size.codes)
        print(f"last byte to class, {title}: p50 {p50:.3f} ms, p99 {p99:.2f} ms")
        print(f"  pyserial's own reading: {peer50:.3f}, {peer99:.2f}; floor: {bare50:.3f}, {bare99:.2f}")
        missed += [title] * (p50 > P50_MS or p99 > P99_MS)
    gone = lost(size.seconds)
    print(f"{SOURCES} scanners x {RATE} scans/s for {size.seconds} s: {gone} of {SOURCES * RATE * size.seconds} lost")
    split = false_splits(size.slow)
    gaps = size.slow * (len(LONG) - 1)
    print(f"9600 baud byte by byte, ended by {IDLE_MS} ms of silence: {split} false splits in {gaps} gaps")
    share = idle_share(size.idle)
    print(f"{SOURCES} idle scanners: {share:.2%} of a core")
    missed += ["lost"] * (gone > 0) + ["split"] * (split > 0) + ["idle"] * (share >= IDLE_SHARE)
    print(f"missed: {', '.join(missed) or 'nothing'}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
