"""GS k: barcodes that the printer draws itself, as wide as the paper lets them be.

Code 128 in its set C holds each pair of digits as one byte, which may be any below 100: the pairs 16 04, 16 05 and 16 20
would spell a real-time command, so there the set is left for a moment.
"""

from __future__ import annotations

import re

from receipt_templates.barcodes import BarcodeKind, in_pairs, modules

_KINDS: dict[BarcodeKind, int] = {"upca": 65, "ean13": 67, "ean8": 68, "code39": 69, "itf": 70, "code128": 73}
_HEIGHT = 80  # dots, 10 mm
_MODULES = (3, 2)  # dots of a narrow bar: what scanners like best, what they still read
_QUIET = 10  # narrow bars at each side
_ESCAPED = b"{B16{C"
_ESCAPE = 33  # narrow bars that it takes more than the pair 16 in set C
_RISKY = re.compile(rb"\x10(?=[\x04\x05\x14])")


def barcode(kind: BarcodeKind, payload: str, dots: int) -> bytes | None:
    """The barcode, without its text; None when paper of `dots` has no room for it."""
    data = code_128(payload) if kind == "code128" else payload.encode("ascii")
    bars = modules(kind, payload) + _ESCAPE * data.count(_ESCAPED)
    module = next((size for size in _MODULES if (bars + 2 * _QUIET) * size <= dots), None)
    if module is None and bars * _MODULES[-1] <= dots:
        module = _MODULES[-1]
    if module is None or len(data) > 255:
        return None
    return b"\x1dh" + bytes([_HEIGHT]) + b"\x1dw" + bytes([module]) + b"\x1dk" + bytes([_KINDS[kind], len(data)]) + data


def code_128(payload: str) -> bytes:
    """The payload in the printer's notation: pairs of digits in set C, all else in set B."""
    if not in_pairs(payload):
        return b"{B" + payload.replace("{", "{{").encode("ascii")
    pairs = bytes(int(payload[at : at + 2]) for at in range(0, len(payload), 2))
    return b"{C" + _RISKY.sub(_ESCAPED, pairs)
