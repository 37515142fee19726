"""What scanners put into their reports: keys of a US keyboard, and codes in forms that a report descriptor describes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

KEYBOARD = bytes.fromhex(
    # a boot keyboard: eight modifiers, a reserved byte, five LEDs, six keys
    "05010906a101050719e029e71500250175019508810295017508810395057501050819012905910295017503910395067508150025650507"
    "190029658100c0"
)
_CTRL, _SHIFT = 0x01, 0x02
_SIGNS = {sign: 0x1E + place for place, sign in enumerate("1234567890")}
_SIGNS |= {chr(ord("a") + place): 0x04 + place for place in range(26)}
_SIGNS |= {"\r": 0x28, "\t": 0x2B, " ": 0x2C, "-": 0x2D, "=": 0x2E, "[": 0x2F, "]": 0x30, "\\": 0x31}
_SIGNS |= {";": 0x33, "'": 0x34, "`": 0x35, ",": 0x36, ".": 0x37, "/": 0x38}
_SHIFTED = dict(zip('!@#$%^&*()_+{}|:"~<>?', "1234567890-=[]\\;'`,./", strict=True))
_F8 = 0x41
WAKE = 254
F8_FOR_GS = 0xFF  # in a code: GS as F8; 0x1D is Ctrl+]


def keyboard_reports(code: bytes) -> list[bytes]:
    """A key down, all keys up, and so on."""
    return [report for byte in code for report in (_key(byte), bytes(8))]


def _key(byte: int) -> bytes:
    if byte == F8_FOR_GS:
        return struct.pack("8B", 0, 0, _F8, *bytes(5))
    sign, held = chr(byte), 0
    if byte == 0x1D:
        sign, held = "]", _CTRL
    elif sign in _SHIFTED or sign.isupper():
        sign, held = _SHIFTED.get(sign, sign.lower()), _SHIFT
    return struct.pack("8B", held, 0, _SIGNS[sign], *bytes(5))


@dataclass(frozen=True)
class Form:
    """A report of a HID POS scanner: its number (0 = none), AIM id, count (bytes of it), characters, more or not.

    `wakes`: it has a feature report 254, and says nothing before that is set to 1. `boots`: it is a boot keyboard instead.
    """

    number: int = 2
    count: int = 1
    data: int = 56
    aim: str = "]Q1"
    reserved: int = 2
    count_last: bool = False
    wakes: bool = False
    boots: int = 0

    @property
    def size(self) -> int:
        """Of a report in bytes."""
        return 8 if self.boots else bool(self.number) + self.count + 3 + self.data + self.reserved + 1

    @property
    def descriptor(self) -> bytes:
        """The report descriptor."""
        if self.boots:
            return KEYBOARD
        number = bytes([0x85, self.number]) if self.number else b""
        head = bytes.fromhex("058c0902a101") + number + bytes.fromhex("150026ff007508")
        count = bytes([0x75, 8 * self.count, 0x95, 1]) + bytes.fromhex("0501093b8102058c7508") if self.count else b""
        aim = bytes.fromhex("950309fb09fc09fd8102")
        data = b"\x96" + struct.pack("<H", self.data) + bytes.fromhex("09fe820201")
        reserved = bytes([0x95, self.reserved]) + bytes.fromhex("810395") + b"\1" if self.reserved else b""
        more = bytes.fromhex("25017501950109ff81029507810326ff00")
        body = aim + data + count if self.count_last else count + aim + data
        wakes = bytes.fromhex("85fe7508950106 00ff0901b102".replace(" ", "")) if self.wakes else b""
        return head + body + reserved + more + wakes + b"\xc0"

    def reports(self, code: bytes) -> list[bytes]:
        """A code in as many reports as it takes; its AIM id is in each."""
        parts = [code[at : at + self.data] for at in range(0, len(code), self.data)]
        return [self._report(part, more=part is not parts[-1]) for part in parts]

    def _report(self, part: bytes, *, more: bool) -> bytes:
        number = bytes([self.number]) if self.number else b""
        count = len(part).to_bytes(self.count, "little") if self.count else b""
        body = self.aim.encode() + part.ljust(self.data, b"\0")
        body = body + count if self.count_last else count + body
        return number + body + bytes(self.reserved) + bytes([more])
