"""USB scanners: a keyboard, a HID POS device, a serial port (CDC-ACM). Each answers the standard requests and types codes.

    scanner = Keyboard("left", 0x0C2E, 0x0B61, "A1")
    scanner.plug()
    scanner.scan("32393030300d", pace=0.004)     # hex; one report each `pace` seconds, as a polled scanner has them

What the host says is kept in `journal` with monotonic times.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque

from scanner_reports import WAKE, Form, keyboard_reports
from usbip import DONE, STALL, Cable, Unlink, Urb

IN, DATA_IN, DATA_OUT, NOTIFY = 0x81, 0x82, 0x03, 0x84
PACKET = 64
_HID, _REPORT_DESCRIPTOR = 0x21, 0x22
_STRINGS = {1: "Tillmate", 2: "Virtual scanner"}
_SERIAL = 3
_GET_DESCRIPTOR, _SET_CONFIGURATION, _SET_REPORT = 0x06, 0x09, 0x09
_SET_LINE, _GET_LINE, _CONTROL_LINES = 0x20, 0x21, 0x22


class UsbScanner:
    """Any thread may call the public methods. What a device is, its subclass says."""

    device_class = 0
    configuration = b""
    interfaces = 1
    point = IN

    def __init__(self, name: str, vendor: int, product: int, serial: str) -> None:
        self.name = name
        self.journal: list[tuple[float, str, object]] = []
        self._ids = (vendor, product)
        self._strings = {**_STRINGS, **({_SERIAL: serial} if serial else {})}
        self._lock = threading.RLock()
        self._tick = threading.Event()  # never set
        self._cable: Cable | None = None
        self._reading: deque[Urb] = deque()
        self._typed: deque[bytes] = deque()

    # What a person does to it

    def plug(self) -> None:
        """Put the cable in."""
        with self._lock:
            self._cable = Cable()
            self._note("plugged")
            threading.Thread(target=self._serve, args=(self._cable,), daemon=True).start()

    def pull(self) -> None:
        """Pull the cable out; what was not read is forgotten."""
        with self._lock:
            if self._cable is not None:
                self._note("pulled")
                self._cable.pull()
            self._unplugged()

    def scan(self, code: str, pace: float = 0.004, only: int | None = None) -> int:
        """Type a code (hex), or its first `only` pieces; how many pieces it has."""
        pieces = self.pieces(bytes.fromhex(code))
        for piece in pieces[:only]:
            with self._lock:
                self._typed.append(piece)
                self._pump()
            self._tick.wait(pace)
        return len(pieces)

    def break_off(self, code: str, pieces: int) -> None:
        """Pull the cable out when the host has read so many pieces of a code."""
        for piece in self.pieces(bytes.fromhex(code))[:pieces]:
            with self._lock:
                self._typed.append(piece)
                self._pump()
        while self.look()["waiting"]:
            self._tick.wait(0.001)
        self.pull()

    def look(self) -> dict[str, object]:
        """All that there is to know."""
        with self._lock:
            return {"plugged": self._cable is not None, "waiting": len(self._typed), "journal": list(self.journal)}

    # What a kind of device is

    def pieces(self, code: bytes) -> list[bytes]:
        """What a code is sent in."""
        raise NotImplementedError

    def answer_of_class(self, setup: tuple[int, ...], data: bytes) -> bytes | None:
        """To a request that only this kind knows; None = it does not."""
        raise NotImplementedError

    # What the host does to it

    def _unplugged(self) -> None:
        self._cable = None
        self._reading.clear()
        self._typed.clear()

    def _serve(self, cable: Cable) -> None:
        while (message := cable.receive()) is not None:
            with self._lock:
                if self._cable is not cable:
                    break
                if isinstance(message, Unlink):
                    found = [urb for urb in self._reading if urb.number == message.urb]
                    for urb in found:
                        self._reading.remove(urb)
                    cable.answer_unlink(message, found=bool(found))
                else:
                    self._take(cable, message)
        cable.close()
        with self._lock:
            if self._cable is cable:
                self._note("detached")
                self._unplugged()

    def _take(self, cable: Cable, urb: Urb) -> None:
        if urb.endpoint & 0x0F == 0:
            data = self._control(struct.unpack("<BBHHH", urb.setup), urb.data)
            urb.done = len(urb.data)
            cable.answer(urb, DONE if data is not None else STALL, data or b"")
        elif urb.endpoint == self.point:
            self._reading.append(urb)
            self._pump()
        elif not urb.endpoint & 0x80:
            urb.done = len(urb.data)
            cable.answer(urb)  # what is said to a scanner

    def _pump(self) -> None:
        while self._cable is not None and self._reading and self._typed:
            urb, piece = self._reading.popleft(), self._typed.popleft()
            self._cable.answer(urb, DONE, piece[: urb.length])

    def _control(self, setup: tuple[int, ...], data: bytes) -> bytes | None:
        kind, request, value, _, length = setup
        if (kind, request) == (0x80, _GET_DESCRIPTOR):
            found = self._descriptor(value >> 8, value & 0xFF)
            return None if found is None else found[:length]
        if (kind, request) == (0x00, _SET_CONFIGURATION):
            self._note("configured")
            return b""
        if kind & 0x60:
            answer = self.answer_of_class(setup, data)
            return None if answer is None else answer[:length]
        standard = {(0x80, 8): b"\1", (0x81, 10): b"\0", (0x80, 0): b"\0\0", (0x81, 0): b"\0\0", (0x82, 0): b"\0\0"}
        return standard.get((kind, request)) if kind & 0x80 else b""

    def _descriptor(self, kind: int, number: int) -> bytes | None:
        if kind == 1:
            serial = _SERIAL if _SERIAL in self._strings else 0
            return struct.pack(
                "<BBH4BHHH4B", 18, 1, 0x0200, self.device_class, 0, 0, PACKET, *self._ids, 0x0100, 1, 2, serial, 1
            )
        if kind == 2:
            body = self.configuration
            return struct.pack("<BBH5B", 9, 2, 9 + len(body), self.interfaces, 1, 0, 0xC0, 1) + body
        if kind == 3 and number == 0:
            return b"\x04\x03\x09\x04"
        if kind == 3 and number in self._strings:
            text = self._strings[number].encode("utf-16-le")
            return bytes([len(text) + 2, 3]) + text
        return None

    def _note(self, what: str, value: object = None) -> None:
        self.journal.append((time.monotonic(), what, value))


class HidScanner(UsbScanner):
    """What a keyboard and a HID POS device have in common."""

    def __init__(self, name: str, vendor: int, product: int, serial: str, form: Form) -> None:
        super().__init__(name, vendor, product, serial)
        self.form = form
        self._asleep = form.wakes
        interface = struct.pack("<9B", 9, 4, 0, 0, 1, 3, form.boots, form.boots, 0)
        about = struct.pack("<BBHBBBH", 9, _HID, 0x0111, 0, 1, _REPORT_DESCRIPTOR, len(form.descriptor))
        point = struct.pack("<4BHB", 7, 5, IN, 3, min(max(form.size, 8), PACKET), 1)
        self.configuration = interface + about + point

    def pieces(self, code: bytes) -> list[bytes]:
        return self.form.reports(code)

    def answer_of_class(self, setup: tuple[int, ...], data: bytes) -> bytes | None:
        kind, request, value, _, _ = setup
        if request == _SET_REPORT and kind == 0x21:
            self._note("set_report", [value, data.hex()])
            self._asleep = self._asleep and data != bytes([WAKE, 1])
        return b"" if not kind & 0x80 else bytes(self.form.size)

    def _pump(self) -> None:
        if self._asleep:
            self._typed.clear()
        super()._pump()

    def _unplugged(self) -> None:
        super()._unplugged()
        self._asleep = self.form.wakes

    def _control(self, setup: tuple[int, ...], data: bytes) -> bytes | None:
        kind, request, value, _, length = setup
        if (kind, request, value >> 8) == (0x81, _GET_DESCRIPTOR, _REPORT_DESCRIPTOR):
            return self.form.descriptor[:length]
        return super()._control(setup, data)


class Keyboard(HidScanner):
    """A scanner in keyboard mode, set to the layout of the United States."""

    def pieces(self, code: bytes) -> list[bytes]:
        return keyboard_reports(code)


class SerialPort(UsbScanner):
    """A scanner in USB COM mode (CDC-ACM)."""

    device_class = 2
    interfaces = 2
    point = DATA_IN
    configuration = (
        struct.pack("<9B", 9, 4, 0, 0, 1, 2, 2, 1, 0)
        + bytes.fromhex("0524001001 0524010001 04240202 0524060001".replace(" ", ""))
        + struct.pack("<4BHB", 7, 5, NOTIFY, 3, 16, 32)
        + struct.pack("<9B", 9, 4, 1, 0, 2, 10, 0, 0, 0)
        + struct.pack("<4BHB", 7, 5, DATA_OUT, 2, PACKET, 0)
        + struct.pack("<4BHB", 7, 5, DATA_IN, 2, PACKET, 0)
    )

    def pieces(self, code: bytes) -> list[bytes]:
        return [code[at : at + PACKET - 1] for at in range(0, len(code), PACKET - 1)]

    def answer_of_class(self, setup: tuple[int, ...], data: bytes) -> bytes | None:
        kind, request, value, _, _ = setup
        if request == _SET_LINE:
            self._note("line", data.hex())
        elif request == _CONTROL_LINES:
            self._note("lines", value)
        return struct.pack("<IBBB", 9600, 0, 0, 8) if request == _GET_LINE and kind & 0x80 else b""
