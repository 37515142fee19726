"""A virtual receipt printer: prints real ESC/POS from a TCP port or a pty onto PNG and text, and answers status queries.

Each cut writes `NNNN.png` and `NNNN.txt` into the out folder. Control port (see drivers.virtual.control):

    paper_out  paper_near_end  paper_in     the roll; out: data is held, and printed once after paper_in
    paper_out_after {"bytes": n}            the roll ends when n more bytes have been printed
    cover_open  cover_close                 held likewise
    mute  unmute                            prints, but answers nothing
    reset                                   breaks the connection
    power_off  power_on                     gone; what was not on paper is lost
    tear                                    by hand, for jobs without a cut
    state      {"receipts", "bytes", "held", "paper": ok|near_end|out, "cover": open|closed, "mute", "power": on|off}
    receipts {"after": n}                   {"receipts": [{"number", "text", "png", "faults"}]}, those numbered above n
"""

from __future__ import annotations

import queue
import select
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from drivers.printers.escpos.paper import Paper
from drivers.virtual.cable import Cable, PtyCable, TcpCable
from drivers.virtual.control import ControlError, ControlServer, Request, number
from drivers.virtual.mechanism import Mechanism, PaperState

_TICK = 0.1
_ANSWER_WITHIN = 5.0


@dataclass(frozen=True)
class Options:
    """Where it can be reached (on TCP, or with `pty` on a pseudo terminal under that path) and where the paper falls.

    `dots` is the width of its head: 512 or 576 for 80 mm paper, 384 for 58 mm. `buffer` is what it takes while it
    cannot print; a host that sends more has to wait.
    """

    listen: str = "127.0.0.1:0"
    pty: str = ""
    control_port: int = 0
    out: str = ""
    dots: int = 512
    buffer: int = 65536


@dataclass(frozen=True)
class _Receipt:
    number: int
    text: str
    png: str | None
    faults: tuple[str, ...]


class Tray:
    """Where the receipts fall: in memory, and as files when there is a folder. Numbers go on from those in the folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.receipts: list[_Receipt] = []
        self._last = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._last = max((int(file.stem) for file in folder.glob("[0-9]*.png") if file.stem.isdigit()), default=0)

    def take(self, paper: Paper) -> None:
        """Keep a receipt; its files are there, whole, before anybody hears of it."""
        self._last += 1
        png = self._write(paper) if self._folder is not None else None
        self.receipts.append(_Receipt(self._last, paper.text, png, paper.faults))

    def _write(self, paper: Paper) -> str:
        path = (self._folder or Path()) / f"{self._last:04}.png"
        for file, content in ((path, paper.png()), (path.with_suffix(".txt"), paper.text.encode())):
            fresh = file.with_name(f".{file.name}.new")
            fresh.write_bytes(content)
            fresh.replace(file)
        return str(path.absolute())


class VirtualPrinter:
    """The thread that calls `run` owns cable and mechanism; `commands` may be called from another one."""

    def __init__(self, cable: Cable, tray: Tray, dots: int, buffer: int) -> None:
        self._cable, self._tray, self._buffer = cable, tray, buffer
        self._mechanism = Mechanism(dots, tray.take)
        self._power = True
        self._asked: queue.Queue[tuple[Callable[[], Request], Future[Request]]] = queue.Queue()
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self.commands = {name: partial(self._ask, action) for name, action in self._actions().items()}

    def run(self, stop: Event) -> None:
        """Print until `stop` is set."""
        while not stop.is_set():
            waits = [self._bell.fileno()]
            if self._mechanism.held < self._buffer:
                waits += self._cable.waits_for()
            if self._bell.fileno() in select.select(waits, [], [], _TICK)[0]:
                self._bell.recv(4096)
            self._do_as_asked()
            if self._power and self._mechanism.held < self._buffer:
                self._cable.send(self._mechanism.receive(self._cable.receive()))
        self._cable.unplug()
        self._bell.close()
        self._button.close()

    def _ask(self, action: Callable[[Request], Request], request: Request) -> Request:
        answer: Future[Request] = Future()
        self._asked.put((partial(action, request), answer))
        self._button.send(b"\0")
        return answer.result(_ANSWER_WITHIN)

    def _do_as_asked(self) -> None:
        while not self._asked.empty():
            action, answer = self._asked.get()
            try:
                answer.set_result(action())
            except ControlError as error:
                answer.set_exception(error)
            if self._power:
                self._cable.send(self._mechanism.work())

    def _actions(self) -> dict[str, Callable[[Request], Request]]:
        return {
            "paper_out": lambda _: self._change(paper="out"),
            "paper_near_end": lambda _: self._change(paper="near_end"),
            "paper_in": lambda _: self._done(self._mechanism.new_roll),
            "paper_out_after": lambda request: self._done(
                partial(self._mechanism.end_paper_after, number(request, "bytes"))
            ),
            "cover_open": lambda _: self._change(cover_open=True),
            "cover_close": lambda _: self._change(cover_open=False),
            "mute": lambda _: self._change(mute=True),
            "unmute": lambda _: self._change(mute=False),
            "reset": lambda _: self._done(self._cable.hang_up),
            "power_off": self._power_off,
            "power_on": self._power_on,
            "tear": lambda _: self._done(self._mechanism.tear),
            "state": self._state,
            "receipts": self._receipts,
        }

    def _change(
        self, *, paper: PaperState | None = None, cover_open: bool | None = None, mute: bool | None = None
    ) -> Request:
        state = self._mechanism
        state.paper = paper or state.paper
        state.cover_open = state.cover_open if cover_open is None else cover_open
        state.mute = state.mute if mute is None else mute
        return {}

    def _done(self, action: Callable[[], None]) -> Request:
        action()
        return {}

    def _power_off(self, _: Request) -> Request:
        self._power = False
        self._cable.unplug()
        self._mechanism.lose_power()
        return {}

    def _power_on(self, _: Request) -> Request:
        try:
            self._cable.plug()
        except OSError as error:
            raise ControlError(f"{self._cable.address}: {error}") from error
        self._power = True
        return {}

    def _state(self, _: Request) -> Request:
        return {
            "receipts": len(self._tray.receipts),
            "bytes": self._mechanism.taken,
            "held": self._mechanism.held,
            "paper": self._mechanism.paper,
            "cover": "open" if self._mechanism.cover_open else "closed",
            "mute": self._mechanism.mute,
            "power": "on" if self._power else "off",
        }

    def _receipts(self, request: Request) -> Request:
        after = number(request, "after", 0)
        found = [receipt for receipt in self._tray.receipts if receipt.number > after]
        return {
            "receipts": [
                {"number": each.number, "text": each.text, "png": each.png, "faults": list(each.faults)}
                for each in found
            ]
        }


def run(options: Options, stop: Event, announce: Callable[[str], None] | None = None) -> None:
    """Be a printer until `stop` is set.

    Says `ready device=... control=...` once it can be used, on stdout or to `announce`. Raises OSError when it cannot
    have its port or folder.
    """
    cable = PtyCable(Path(options.pty)) if options.pty else TcpCable(options.listen)
    tray = Tray(Path(options.out) if options.out else None)
    printer = VirtualPrinter(cable, tray, options.dots, options.buffer)
    control = ControlServer(printer.commands, options.control_port)
    server = threading.Thread(target=control.run, args=(stop,), name="printer-control", daemon=True)
    server.start()
    (announce or _say)(f"ready device={cable.address} control={control.address}")
    printer.run(stop)
    server.join()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
