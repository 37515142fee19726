"""A USB receipt printer: class 7, protocol 02 (bulk OUT and IN), with the virtual printer's mechanism inside.

It answers the standard requests, GET_DEVICE_ID (IEEE 1284), GET_PORT_STATUS and SOFT_RESET; its end points have unusual
numbers, because drivers must read the descriptors. Faults strike at a byte of the stream, and all that
passes is kept in `journal`, with monotonic times, so that tests can tell what the host knew when.

    printer = UsbPrinter("receipt", 0x0416, 0x5011, "A1")
    printer.plug()
    printer.arm("pull", after=64, head=b"...", back=1.5)     # 64 bytes into what begins with `head`
"""

from __future__ import annotations

import base64
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

from usbip import DONE, STALL, Cable, Unlink, Urb

from drivers.printers.escpos.paper import Paper
from drivers.virtual.mechanism import Mechanism

OUT, IN = 0x03, 0x86
PACKET = 64
HEAD = 8  # bytes by which the beginning of a job is known
DOTS = 512

Fault = Literal["pull", "stall", "hang", "mute", "paper_out"]

_STRINGS = {1: "Tillmate", 2: "Virtual printer"}
_SERIAL = 3
_DEVICE_ID = b"MFG:Tillmate;MDL:Virtual printer;CMD:ESC/POS;CLS:PRINTER;"
_READY, _NO_PAPER = 0x18, 0x30  # GET_PORT_STATUS: selected, no error; selected, paper empty, error
_DESCRIPTOR, _SET_CONFIGURATION, _SET_INTERFACE, _CLEAR_FEATURE = 0x06, 0x09, 0x0B, 0x01


@dataclass
class _Armed:
    fault: Fault
    after: int
    head: bytes
    back: float | None
    at: int | None = None  # the place in the stream, once it is known


class UsbPrinter:
    """Any thread may call the public methods."""

    def __init__(self, name: str, vendor: int, product: int, serial: str) -> None:
        self.name = name
        self._buffer = 4096
        self.journal: list[tuple[float, str, object]] = []
        self.papers: list[Paper] = []
        self._ids = (vendor, product)
        self._strings = {**_STRINGS, _SERIAL: serial}
        self._mechanism = Mechanism(DOTS, self.papers.append)
        self._lock = threading.RLock()
        self._cable: Cable | None = None
        self._replies = bytearray()
        self._armed: _Armed | None = None
        self._hung = False
        self._submitted = 0
        self._unplugged()

    def _unplugged(self) -> None:
        """What ends with a connection; the mechanism knows nothing of it."""
        self._cable = None
        self._outs: deque[Urb] = deque()
        self._ins: deque[Urb] = deque()
        self._halted: set[int] = set()
        self._replies.clear()
        self._submitted = self._mechanism.taken
        self._tail = b""

    # What a person does to it

    def plug(self) -> None:
        """Put the cable in."""
        with self._lock:
            self._cable = Cable()
            self._note("plugged")
            threading.Thread(target=self._serve, args=(self._cable,), daemon=True).start()

    def pull(self, back: float | None = None) -> None:
        """Pull the cable out; with `back`, put it in again after so many seconds."""
        with self._lock:
            if self._cable is not None:
                self._note("pulled")
                self._cable.pull()
                self._unplugged()
        if back is not None:
            timer = threading.Timer(back, self.plug)
            timer.daemon = True
            timer.start()

    def arm(self, fault: Fault, after: int, head: bytes = b"", back: float | None = None) -> None:
        """Let `fault` strike `after` bytes into what begins with `head`, or from now; at 0 before the first one.

        A stall strikes before the packet with that byte, since a packet is taken whole or not at all. A cable may be
        pulled in the middle of one.
        """
        with self._lock:
            self._armed = _Armed(fault, after, head[:HEAD], back, None if head else self._mechanism.taken + after)
            self._work()

    def cure(self) -> None:
        """End faults and troubles; what was held is printed."""
        with self._lock:
            self._armed, self._hung, self._mechanism.mute = None, False, False
            self._mechanism.new_roll()
            self._halted.clear()
            self._work()

    def paper_out(self) -> None:
        """Let the paper run out."""
        with self._lock:
            self._mechanism.fail_after(0, "paper_out")
            self._work()

    def set_buffer(self, size: int) -> None:
        """How many bytes it takes while it cannot print; then it NAKs."""
        self._buffer = size

    def tear(self) -> None:
        """Tear off what is not cut."""
        with self._lock:
            self._mechanism.tear()

    def forget(self) -> None:
        """Throw papers and journal away; a beginning of a slip in the printer is torn off."""
        with self._lock:
            self._mechanism.tear()
            self.papers.clear()
            self.journal.clear()

    def look(self) -> dict[str, object]:
        """All that there is to know."""
        with self._lock:
            papers = [{"text": each.text, "faults": list(each.faults)} for each in self.papers]
            state = {"taken": self._mechanism.taken, "held": self._mechanism.held, "plugged": self._cable is not None}
            return {**state, "papers": papers, "journal": list(self.journal)}

    def picture(self, number: int) -> str:
        """A paper as PNG, base64."""
        return base64.b64encode(self.papers[number].png()).decode()

    # What the host does to it

    def _serve(self, cable: Cable) -> None:
        while (message := cable.receive()) is not None:
            with self._lock:
                if self._cable is not cable:
                    break
                if isinstance(message, Unlink):
                    self._unlink(message)
                elif message.endpoint & 0x0F == 0:
                    self._control(message)
                else:
                    self._submit(message)
                self._work()
        cable.close()
        with self._lock:
            if self._cable is cable:
                self._note("detached")
                self._unplugged()

    def _submit(self, urb: Urb) -> None:
        if urb.endpoint == IN:
            self._ins.append(urb)
            return
        armed, stream = self._armed, self._tail + urb.data
        if armed is not None and armed.at is None and (found := stream.find(armed.head)) >= 0:
            armed.at = self._submitted - len(self._tail) + found + armed.after
        self._submitted += len(urb.data)
        self._tail = stream[-HEAD + 1 :]
        self._outs.append(urb)

    def _unlink(self, unlink: Unlink) -> None:
        for waiting in (self._outs, self._ins):
            for urb in waiting:
                if urb.number == unlink.urb:
                    waiting.remove(urb)
                    self._submitted -= len(urb.data) - urb.done
                    self._note("unlinked", len(urb.data))
                    self._plugged.answer_unlink(unlink, found=True)
                    return
        self._plugged.answer_unlink(unlink, found=False)

    @property
    def _plugged(self) -> Cable:
        assert self._cable is not None
        return self._cable

    def _work(self) -> None:
        """Take, print and answer what can be."""
        self._replies += self._mechanism.work()
        while self._cable is not None and self._outs and self._step():
            pass
        if self._cable is not None:
            self._reply()

    def _step(self) -> bool:
        """One packet of the transfer that waits first. False: it has to wait on."""
        urb = self._outs[0]
        self._strike(len(urb.data) - urb.done)
        if self._cable is None or not self._outs:
            return False
        if OUT in self._halted:
            self._note("stalled", urb.done)
            self._end_out(STALL)
            return True
        if self._hung or (self._mechanism.offline and self._mechanism.held >= self._buffer):
            return False
        portion = urb.data[urb.done : urb.done + self._room()]
        urb.done += len(portion)
        self._note("took", portion.hex())
        self._replies += self._mechanism.receive(portion)
        self._strike()
        if self._cable is not None and self._outs and urb.done == len(urb.data) and OUT not in self._halted:
            self._end_out(DONE)
        return True

    def _room(self) -> int:
        """How many bytes until something happens."""
        if self._armed is None or self._armed.at is None or self._armed.fault == "stall":
            return PACKET
        return min(PACKET, self._armed.at - self._mechanism.taken)

    def _end_out(self, status: int) -> None:
        urb = self._outs.popleft()
        self._submitted -= len(urb.data) - urb.done
        self._plugged.answer(urb, status)

    def _reply(self) -> None:
        if IN in self._halted or self._hung:
            return
        while self._ins and self._replies:
            urb = self._ins.popleft()
            data = bytes(self._replies[: urb.length])
            del self._replies[: len(data)]
            self._note("told", data.hex())
            self._plugged.answer(urb, DONE, data)

    def _strike(self, coming: int = 0) -> None:
        armed = self._armed
        if armed is None or armed.at is None:
            return
        if self._mechanism.taken + (min(coming, PACKET) - 1 if armed.fault == "stall" else 0) < armed.at:
            return
        self._armed = None
        self._note("fault", armed.fault)
        if armed.fault == "pull":
            self.pull(armed.back)
        elif armed.fault == "stall":
            self._halted.add(OUT)
        elif armed.fault == "hang":
            self._hung = True
        elif armed.fault == "paper_out":
            self._mechanism.fail_after(0, "paper_out")
        else:
            self._mechanism.mute = True

    def _control(self, urb: Urb) -> None:
        kind, request, value, index, length = struct.unpack("<BBHHH", urb.setup)
        if kind & 0x80:
            data = self._read_request(kind, request, value)
            self._plugged.answer(urb, DONE if data is not None else STALL, (data or b"")[:length])
        else:
            self._write_request(kind, request, value, index)
            self._plugged.answer(urb)

    def _read_request(self, kind: int, request: int, value: int) -> bytes | None:
        if (kind, request) == (0x80, _DESCRIPTOR):
            return self._descriptor(value >> 8, value & 0xFF)
        if (kind, request) == (0xA1, 0):  # GET_DEVICE_ID
            return struct.pack(">H", len(_DEVICE_ID) + 2) + _DEVICE_ID
        if (kind, request) == (0xA1, 1):  # GET_PORT_STATUS
            status = _NO_PAPER if self._mechanism.paper == "out" else _READY
            self._note("port_status", status)
            return bytes([status])
        return {(0x80, 8): b"\1", (0x81, 10): b"\0"}.get((kind, request), b"\0\0" if request == 0 else None)

    def _write_request(self, kind: int, request: int, value: int, index: int) -> None:
        if (kind, request) == (0x00, _SET_CONFIGURATION) and value:
            self._note("configured")
            self._halted.clear()
        elif (kind, request) == (0x01, _SET_INTERFACE):
            self._halted.clear()
        elif (kind, request, value) == (0x02, _CLEAR_FEATURE, 0):
            self._note("clear_halt", index)
            self._halted.discard(index & 0xFF)
        elif request == 2 and kind & 0x60 == 0x20:  # SOFT_RESET
            self._note("soft_reset")
            self._halted.clear()

    def _descriptor(self, kind: int, number: int) -> bytes | None:
        if kind == 1:
            return struct.pack("<BBH4BHHH4B", 18, 1, 0x0200, 0, 0, 0, PACKET, *self._ids, 0x0100, 1, 2, _SERIAL, 1)
        if kind == 2:
            interface = struct.pack("<9B", 9, 4, 0, 0, 2, 7, 1, 2, 0)
            points = b"".join(struct.pack("<4BHB", 7, 5, point, 2, PACKET, 0) for point in (OUT, IN))
            body = interface + points
            return struct.pack("<BBH5B", 9, 2, 9 + len(body), 1, 1, 0, 0xC0, 1) + body
        if kind == 3 and number == 0:
            return b"\x04\x03\x09\x04"
        if kind == 3 and number in self._strings:
            text = self._strings[number].encode("utf-16-le")
            return bytes([len(text) + 2, 3]) + text
        return None

    def _note(self, what: str, value: object = None) -> None:
        self.journal.append((time.monotonic(), what, value))
