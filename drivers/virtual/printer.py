"""A virtual receipt printer: prints real ESC/POS from a TCP port or a pty onto PNG and text, and answers status queries.

Each cut writes `NNNN.png` and `NNNN.txt` into the out folder. Control port (see drivers.virtual.control):

    paper_out  paper_near_end  paper_in     the roll; out: data is held, and printed once after paper_in
    cover_open  cover_close                 held likewise
    cutter_jam                              a recoverable error: held until the host sends DLE ENQ
    overheat  cool_down                     an error that ends by itself: held until then
    break_down                              an error that only power_off and power_on end
    mute  unmute                            prints, but answers nothing
    reset                                   breaks the connection
    unplug  plug                            the cable: not to be reached; what the printer holds, it keeps
    power_off  power_on                     gone; what was not on paper is lost, and errors are over
    tear                                    by hand, for jobs without a cut
    fault_after {"bytes": n, "fault": name} when n more bytes have been printed: paper_out, near_end, cover, cutter,
                                            overheated, broken, mute; when n more have been received, and not one
                                            of those that come after: reset, unplug, power_off
    state      {"receipts", "bytes", "held", "dropped": bytes that found the buffer full, "drawer_kicks",
                "paper": ok|near_end|out, "cover": open|closed, "cutter": ok|jammed, "head": ok|hot, "broken", "mute",
                "power": on|off, "plugged", "ready": what its DTR line says}
    receipts {"after": n}                   {"receipts": [{"number", "text", "png", "faults"}]}, those numbered above n
"""

from __future__ import annotations

import queue
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Event

from drivers.virtual.cable import Cable, PtyCable, TcpCable
from drivers.virtual.condition import FAULTS
from drivers.virtual.control import ControlError, ControlServer, Request, number, text
from drivers.virtual.line import FlowControl, Throttle
from drivers.virtual.mechanism import Mechanism
from drivers.virtual.options import Options
from drivers.virtual.tray import Tray

__all__ = ["Options", "VirtualPrinter", "run"]

_TICK = 0.1
_ANSWER_WITHIN = 5.0
_CHUNK = 16384
_FIFO = 16  # bytes that a host which obeys XOFF has on their way when it comes


class VirtualPrinter:
    """The thread that calls `run` owns cable and mechanism; `commands` may be called from another one."""

    def __init__(self, options: Options, cable: Cable, tray: Tray, clock: Callable[[], float]) -> None:
        self._cable, self._tray = cable, tray
        self._mechanism = Mechanism(options, tray.take, clock)
        self._throttle = Throttle(options.baud, clock)
        self._flow = FlowControl(options.flow, options.buffer)
        self._after_xoff = 0  # bytes taken since XOFF was sent
        self._power = self._plugged = True
        self._break: tuple[int, Callable[[], object]] | None = None  # after so many bytes this happens to the cable
        self._asked: queue.Queue[tuple[Callable[[], Request], Future[Request]]] = queue.Queue()
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self.commands = {name: partial(self._ask, action) for name, action in self._actions().items()}

    def run(self, stop: Event) -> None:
        """Print until `stop` is set."""
        while not stop.is_set():
            self._wait()
            self._do_as_asked()
            if self._power:
                self._turn()
        self._cable.unplug()
        self._bell.close()
        self._button.close()

    def _wait(self) -> None:
        """Until something comes, or time has made a difference."""
        pauses = [_TICK, self._mechanism.busy_for or _TICK, self._throttle.pause or _TICK]
        waits = [self._bell.fileno()]
        if self._throttle.pause is None and self._room() > 0:
            waits += self._cable.waits_for()
        if self._bell.fileno() in select.select(waits, [], [], min(pauses))[0]:
            self._bell.recv(4096)

    def _turn(self) -> None:
        """Take what may be taken, print, answer."""
        allowed, room = self._throttle.allowance(_CHUNK), self._room()
        chunk = self._cable.receive(min(allowed, room))
        if allowed:
            self._throttle.took(len(chunk), min(allowed, room) or 1)
        replies = self._mechanism.receive(chunk)
        self._after_xoff = self._after_xoff + len(chunk) if self._flow.sent_xoff else 0
        self._send(replies)
        self._break_if_due(len(chunk))

    def _send(self, replies: bytes) -> None:
        self._cable.send(replies + self._flow.signals(self._mechanism.room))

    def _room(self) -> int:
        """Bytes that the line may bring before something has to happen."""
        limits = [_CHUNK]
        if self._flow.holds_back:
            limits.append(self._mechanism.room)
        if (room := self._flow.until_signal(self._mechanism.room)) is not None:
            limits.append(room)
        if self._flow.sent_xoff and self._cable.obeys_xoff:
            limits.append(max(_FIFO - self._after_xoff, 0))
        if self._break is not None:
            limits.append(self._break[0])
        return min(limits)

    def _break_if_due(self, count: int) -> None:
        if self._break is not None:
            left, happens = self._break[0] - count, self._break[1]
            self._break = (left, happens) if left > 0 else None
            if left <= 0:
                happens()

    def _ask(self, action: Callable[[Request], Request | None], request: Request) -> Request:
        answer: Future[Request] = Future()
        self._asked.put((lambda: action(request) or {}, answer))
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
                self._send(self._mechanism.work())

    def _actions(self) -> dict[str, Callable[[Request], Request | None]]:
        mechanism = self._mechanism
        return {
            "paper_out": lambda _: setattr(mechanism, "paper", "out"),
            "paper_near_end": lambda _: setattr(mechanism, "paper", "near_end"),
            "paper_in": lambda _: mechanism.new_roll(),
            "cover_open": lambda _: setattr(mechanism, "cover_open", True),
            "cover_close": lambda _: setattr(mechanism, "cover_open", False),
            "cutter_jam": lambda _: setattr(mechanism, "cutter_jammed", True),
            "overheat": lambda _: setattr(mechanism, "hot", True),
            "cool_down": lambda _: setattr(mechanism, "hot", False),
            "break_down": lambda _: setattr(mechanism, "broken", True),
            "mute": lambda _: setattr(mechanism, "mute", True),
            "unmute": lambda _: setattr(mechanism, "mute", False),
            "reset": lambda _: self._cable.hang_up(),
            "unplug": lambda _: self._unplug(),
            "plug": lambda _: self._plug(),
            "power_off": lambda _: self._power_off(),
            "power_on": lambda _: self._power_on(),
            "tear": lambda _: mechanism.tear(),
            "fault_after": lambda request: self._fault_after(number(request, "bytes"), text(request, "fault")),
            "state": lambda _: self._state(),
            "receipts": lambda request: self._receipts(number(request, "after", 0)),
        }

    def _fault_after(self, count: int, fault: str) -> None:
        of_cable = {"reset": self._cable.hang_up, "unplug": self._unplug, "power_off": self._power_off}
        if fault in FAULTS:
            self._mechanism.fail_after(count, fault)
        elif fault in of_cable:
            self._break = (count, of_cable[fault])
            self._break_if_due(0)
        else:
            raise ControlError(f"unknown fault {fault!r}, known: {', '.join([*FAULTS, *of_cable])}")

    def _unplug(self) -> None:
        self._plugged = False
        self._cable.unplug()

    def _plug(self) -> None:
        self._plugged = True
        if self._power:
            self._reach()

    def _power_off(self) -> None:
        self._power = False
        self._cable.unplug()
        self._mechanism.lose_power()

    def _power_on(self) -> None:
        if self._plugged:
            self._reach()
        self._power = True

    def _reach(self) -> None:
        try:
            self._cable.plug()
        except OSError as error:
            raise ControlError(f"{self._cable.address}: {error}") from error

    def _state(self) -> Request:
        mechanism = self._mechanism
        return {
            "receipts": len(self._tray.receipts),
            "bytes": mechanism.taken,
            "held": mechanism.held,
            "dropped": mechanism.dropped,
            "drawer_kicks": mechanism.drawer_kicks,
            "paper": mechanism.paper,
            "cover": "open" if mechanism.cover_open else "closed",
            "cutter": "jammed" if mechanism.cutter_jammed else "ok",
            "head": "hot" if mechanism.hot else "ok",
            "broken": mechanism.broken,
            "mute": mechanism.mute,
            "power": "on" if self._power else "off",
            "plugged": self._plugged,
            "ready": self._flow.ready,
        }

    def _receipts(self, after: int) -> Request:
        found = [receipt for receipt in self._tray.receipts if receipt.number > after]
        return {"receipts": [asdict(receipt) | {"faults": list(receipt.faults)} for receipt in found]}


def run(
    options: Options,
    stop: Event,
    announce: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Be a printer until `stop` is set.

    Says `ready device=... control=...` once it can be used, on stdout or to `announce`. Raises OSError when it cannot
    have its port or folder.
    """
    cable = PtyCable(Path(options.pty)) if options.pty else TcpCable(options.listen)
    tray = Tray(Path(options.out) if options.out else None)
    printer = VirtualPrinter(options, cable, tray, clock)
    control = ControlServer(printer.commands, options.control_port)
    server = threading.Thread(target=control.run, args=(stop,), name="printer-control", daemon=True)
    server.start()
    (announce or _say)(f"ready device={cable.address} control={control.address}")
    printer.run(stop)
    server.join()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
