"""How soon a receipt begins to come out, beside python-escpos in the same run: the reference receipt, `example("sale", "ru")`.

    python benchmarks/printing.py

Timed from the order that reaches the queue to the first byte of the receipt on the wire; two commits that survive a power
cut lie in it, four questions to the printer, and the whole receipt as one job. python-escpos stores nothing and sends each
piece as it comes; its two questions are asked first, as a careful user would. The other figures are against the virtual
printer, on TCP and on a pty that takes 960 bytes a second, as a line of 9600 baud does. Times are the quietest of nine
rounds. Exits 1 when a figure is over its limit.
"""

from __future__ import annotations

import contextlib
import queue
import runpy
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from escpos.printer import Network, Serial
from rich.console import Console
from rich.table import Table

from agent.clock import SystemClock
from agent.printing.loop import PrinterSettings, PrintLoop
from agent.printing.talk import PrinterTalk
from agent.status import Status
from drivers.base import Printer
from drivers.printers import serial_port, tcp
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.profile import load_profile
from drivers.printers.escpos.status import FENCE
from drivers.virtual import printer as virtual
from drivers.virtual.control import call
from offline_queue import NewJob, Queue, QueuePrint, Reader
from receipt_templates.document import to_json
from receipt_templates.templates import example, render

PAPER = runpy.run_path(str(Path(__file__).with_name("paper.py")))  # its receipt by python-escpos
ROUNDS, JOBS, QUESTIONS = 9, 100, 20
WITHIN = 10.0
CLOCK, PROFILE, WIDTH = SystemClock(), load_profile("default"), 80
DOCUMENT = render("sale", "ru", example("sale", "ru"))

Times = list[float]


def main() -> int:
    """Print the table; 1 when one of our figures is over its limit."""
    warnings.filterwarnings("ignore", module="escpos")
    results = Results()
    ours, theirs = first_bytes()
    results.add("request to first byte, p50 ms", ours[0], 10, theirs[0])
    results.add("request to first byte, p99 ms", ours[1], None, theirs[1])  # the disk's: it has no limit of ours
    with a_printer() as device, closing(tcp.DRIVER.open(tcp.Options(*device.tcp))) as opened:
        took = asked(opened)
    with a_printer() as device:
        results.add("4 questions on TCP (theirs: 2), p50 ms", took, 20, asked_by_escpos(Network(*device.tcp)))
    took, ended, theirs_took, theirs_ended = on_a_line()
    results.add("4 questions at 9600 baud (theirs: 2), p50 ms", took, 60, theirs_took)
    results.add("whole receipt at 9600 baud, s", ended, 0.95, theirs_ended)
    results.show()
    return int(results.missed)


class Results:
    """The table, and whether a limit was missed."""

    def __init__(self) -> None:
        self.missed = False
        self._table = Table(title="the reference receipt, beside python-escpos in the same run")
        for head in ("", "limit", "ours", "python-escpos", "ours / theirs"):
            self._table.add_column(head, justify="right" if head else "left")

    def add(self, what: str, ours: float, limit: float | None, theirs: float) -> None:
        """One figure."""
        over = limit is not None and ours > limit
        self.missed |= over
        mark = " OVER" if over else ""
        most = "" if limit is None else f"{limit:,}"
        self._table.add_row(what, most, f"{ours:,.2f}{mark}", f"{theirs:,.2f}", f"{ours / theirs:.2f}")

    def show(self) -> None:
        """Print it, in full width whatever the terminal is."""
        Console(width=120).print(self._table)


# The first byte


class Well:
    """A printer that is well and prints in no time; it tells when the first byte of each receipt came, and when the cut."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.begun: queue.Queue[float] = queue.Queue()
        self.cut: queue.Queue[float] = queue.Queue()

    def run(self) -> None:
        """Serve one host after the other."""
        with contextlib.suppress(OSError):  # closed
            while True:
                peer, _ = self._listener.accept()
                with peer:
                    self._serve(peer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = False
        while chunk := peer.recv(65536):
            at, questions, fences = time.perf_counter(), chunk.count(b"\x10\x04"), chunk.count(FENCE)
            if not begun and len(chunk) > 3 * (questions + fences):
                begun = True
                self.begun.put(at)
            if b"\x1dV" in chunk:
                begun = False
                self.cut.put(at)
            peer.sendall(b"\x12" * questions + b"\0" * fences)


def first_bytes() -> tuple[tuple[float, float], tuple[float, float]]:
    """p50 and p99 in ms: ours and theirs."""
    well = Well()
    server = threading.Thread(target=well.run, daemon=True)
    server.start()
    with closing(well):
        return rounds(ours_to(well)), rounds(escpos_to(well))


@contextmanager
def our_till(well: Well) -> Iterator[tuple[Queue, Reader]]:
    """Queue, print loop and their file, as the agent puts them together."""
    stop, options = threading.Event(), tcp.Options(*well.address)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queue.db"
        store = Queue.open(path, CLOCK)
        settings = PrinterSettings("receipt", PROFILE, WIDTH)
        loop = PrintLoop(settings, lambda: tcp.DRIVER.open(options), store, path, Status(CLOCK), CLOCK)
        store.subscribe(lambda changed: loop.wake() if changed.printers else None)
        threads = [threading.Thread(target=each.run, args=(stop,)) for each in (store, loop)]
        for thread in threads:
            thread.start()
        with closing(Reader(path)) as reader:
            yield store, reader
        stop.set()
        for thread in threads:
            thread.join()


def ours_to(well: Well) -> Callable[[], Times]:
    """A round of ours."""

    def play() -> Times:
        took, document = [], to_json(DOCUMENT)
        with our_till(well) as (store, reader):
            for number in range(JOBS + 1):
                begin = time.perf_counter()
                job = store.submit(QueuePrint(NewJob("receipt", document))).result(WITHIN)
                after = well.begun.get(timeout=WITHIN) - begin
                well.cut.get(timeout=WITHIN)
                if number:  # the first one waits for the connection
                    took.append(after)
                wait_for(lambda job=job: (found := reader.job(job)) is not None and found.state == "printed")
        return took

    return play


def escpos_to(well: Well) -> Callable[[], Times]:
    """A round of python-escpos."""

    def play() -> Times:
        took, printer = [], Network(*well.address, profile="default")
        rows = PAPER["rows_of"](DOCUMENT, PROFILE, WIDTH)
        for _ in range(JOBS):
            begin = time.perf_counter()
            printer.is_online()
            printer.paper_status()
            PAPER["print_by_escpos"](printer, rows, native=True)
            took.append(well.begun.get(timeout=WITHIN) - begin)
            well.cut.get(timeout=WITHIN)
        printer.close()
        return took

    return play


def rounds(play: Callable[[], Times]) -> tuple[float, float]:
    """p50 and p99 in ms: of each the quietest of the rounds."""
    played = [sorted(play()) for _ in range(ROUNDS)]
    p50, p99 = (min(took[(len(took) - 1) * part // 100] for took in played) * 1000 for part in (50, 99))
    return p50, p99


def wait_for(happens: Callable[[], bool]) -> None:
    """Until it does."""
    end, tick = time.monotonic() + WITHIN, threading.Event()
    while not happens():
        assert time.monotonic() < end
        tick.wait(0.002)


# Questions and lines


@dataclass(frozen=True)
class Device:
    """A virtual printer that runs."""

    address: str
    control: str

    @property
    def tcp(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.address.split(":")
        return host, int(port)

    @property
    def receipts(self) -> int:
        """How many have come out."""
        return int(str(call(self.control, {"do": "state"})["receipts"]))


@contextmanager
def a_printer(pty: str = "", baud: int = 0) -> Iterator[Device]:
    """A virtual printer."""
    said: queue.Queue[str] = queue.Queue()
    stop, options = threading.Event(), virtual.Options(pty=pty, baud=baud)
    thread = threading.Thread(target=virtual.run, args=(options, stop, said.put))
    thread.start()
    _, device, control = said.get(timeout=WITHIN).split(" ")
    yield Device(device.removeprefix("device="), control.removeprefix("control="))
    stop.set()
    thread.join()


def asked(printer: Printer) -> float:
    """ms that our four questions take."""
    talk = PrinterTalk(printer, CLOCK, numbers=False)
    took = []
    for _ in range(QUESTIONS):
        begin = time.perf_counter()
        assert talk.ask() is not None
        took.append(time.perf_counter() - begin)
    return sorted(took)[QUESTIONS // 2] * 1000


def asked_by_escpos(printer: Network | Serial) -> float:
    """ms that its two questions take."""
    took = []
    for _ in range(3):
        begin = time.perf_counter()
        assert printer.is_online()
        assert printer.paper_status() == 2
        took.append(time.perf_counter() - begin)
    printer.close()
    return sorted(took)[1] * 1000


def on_a_line() -> tuple[float, float, float, float]:
    """At 9600 baud: ms of our questions, s of our receipt until it is cut off; the same of python-escpos."""
    job, rows = encode(DOCUMENT, PROFILE, WIDTH), PAPER["rows_of"](DOCUMENT, PROFILE, WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        options = serial_port.Options(f"{folder}/ours", 9600)
        with a_printer(options.port, 9600) as device, closing(serial_port.DRIVER.open(options)) as printer:
            took = asked(printer)
            ended = until_cut(device, lambda: printer.write(job, WITHIN))
        with a_printer(f"{folder}/theirs", 9600) as device:
            port = Serial(device.address, 9600, profile="default", dsrdtr=False)
            port.open()
            theirs_ended = until_cut(device, lambda: PAPER["print_by_escpos"](port, rows, native=True))
            theirs_took = asked_by_escpos(port)
    return took, ended, theirs_took, theirs_ended


def until_cut(device: Device, send: Callable[[], None]) -> float:
    """s from the first byte until the receipt is cut off: the quietest of three."""
    took = []
    for _ in range(3):
        before, begin = device.receipts, time.perf_counter()
        send()
        wait_for(lambda before=before: device.receipts > before)
        took.append(time.perf_counter() - begin)
    return min(took)


if __name__ == "__main__":
    sys.exit(main())
