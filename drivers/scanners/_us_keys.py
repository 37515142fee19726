"""Pure: what the keys of one keyboard have typed, by their places on a US keyboard, whatever layout the system is set to.

Scanners type as on a US keyboard unless they are told otherwise. Control characters come as Ctrl and a letter or sign
(GS is Ctrl+]), or GS as F8; scanners set to "Alt codes" (emulated keypad) hold Alt and type the number of each character.
"""

from __future__ import annotations

_CTRL, _SHIFT, _ALT, _CAPS = {29, 97}, {42, 54}, {56, 100}, 58
_KEYPAD = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (86, "\\", "|"),
    (57, " ", " "),
    (55, "*", "*"),
    (74, "-", "-"),
    (78, "+", "+"),
    (83, ".", "."),
    (98, "/", "/"),
)
_PLAIN = {first + place: sign for first, plain, _ in _ROWS for place, sign in enumerate(plain)}
_SHIFTED = {first + place: sign for first, _, shifted in _ROWS for place, sign in enumerate(shifted)}
_FIXED = {1: b"\x1b", 14: b"\x08", 15: b"\t", 28: b"\r", 96: b"\r", 101: b"\n", 66: b"\x1d"}
_CONTROL = {"2": 0x00, "@": 0x00, " ": 0x00, "6": 0x1E, "-": 0x1F, "/": 0x1F, "?": 0x1F}
_PRESSED, _RELEASED = 1, 0
MOST_DIGITS = 5

LETTERS = frozenset(key for key, sign in _PLAIN.items() if sign.isalpha())
DIGITS = frozenset(range(2, 12))


class Keys:
    """One keyboard: knows which of its keys are held, and its own CapsLock."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._caps = False
        self._number = ""  # typed on the keypad while Alt is held

    def press(self, key: int, state: int) -> bytes:
        """Return what that key has typed; `state` as the kernel has it: 1 pressed, 0 released, 2 repeated, which is nothing."""
        if state == _RELEASED:
            self._held.discard(key)
            return self._end_number() if key in _ALT else b""
        if state != _PRESSED:
            return b""
        self._held.add(key)
        if key == _CAPS:
            self._caps = not self._caps
        return self._typed(key)

    def _typed(self, key: int) -> bytes:
        if key in _FIXED:
            return _FIXED[key]
        if key in _KEYPAD and self._held & _ALT:
            self._number = (self._number + _KEYPAD[key])[-MOST_DIGITS:]
            return b""
        if key in _KEYPAD:
            return _KEYPAD[key].encode()
        if key not in _PLAIN:
            return b""
        shifted = bool(self._held & _SHIFT) != (self._caps and key in LETTERS)
        sign = (_SHIFTED if shifted else _PLAIN)[key]
        return _control(sign) if self._held & _CTRL else sign.encode()

    def _end_number(self) -> bytes:
        number, self._number = self._number, ""
        return bytes([int(number) & 0xFF]) if number else b""


def _control(sign: str) -> bytes:
    """Ctrl+A is 0x01, Ctrl+] is GS; digits and other signs that have no control character are nothing."""
    if sign in _CONTROL:
        return bytes([_CONTROL[sign]])
    code = ord(sign.upper())
    return bytes([code & 0x1F]) if 0x40 <= code < 0x60 else b""
