"""Reads a receipt off the wire without any of our code: only what the lines say, each letter by the slot that was chosen.

It knows just the commands that a receipt of ours may hold, and stops at any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_PLAIN = rb"\x1b@|\x1c\.|\x1b[!aJd].|\x1d[hw].|\x1dW..|\x1dV.."
_UNIT = re.compile(
    rb"(?P<text>[\x20-\xff]+)|(?P<end>\n)|(?P<page>\x1bt.)|(?P<jump>\x1b\$..)|(?P<bars>\x1dk[A-I].)|(?P<symbol>\x1d\(k..)"
    rb"|(?P<plain>" + _PLAIN + rb")",
    re.DOTALL,
)


def lines(stream: bytes, slots: Mapping[int, str]) -> list[list[str]]:
    """The words of each line that has any; a code is the words `[qr` and `PAYLOAD]`."""
    found, line, codec = [], "", "cp437"
    for kind, content in _units(stream):
        match kind:
            case "text":
                line += content.decode(codec)
            case "jump":
                line += " "
            case "page":
                codec = slots[content[2]]
            case "qr" | "barcode":
                found.append([f"[{kind}", f"{content.decode()}]"])
            case "end":
                found.append(line.split())
                line = ""
    return [words for words in found if words]


def _units(stream: bytes) -> Iterator[tuple[str, bytes]]:
    at, payload = 0, b""
    while at < len(stream):
        unit = _UNIT.match(stream, at)
        if unit is None:
            raise ValueError(f"what is {stream[at : at + 4]!r} doing on a receipt?")
        kind, at = str(unit.lastgroup), unit.end()
        if kind == "bars":
            size = unit[0][3]
            yield "barcode", stream[at : at + size].removeprefix(b"{B")
            at += size
        elif kind == "symbol":
            body = stream[at : at + int.from_bytes(unit[0][3:5], "little")]
            at += len(body)
            payload = body[3:] if body[1:2] == b"P" else payload
            if body[1:2] == b"Q":
                yield "qr", payload
        else:
            yield kind, unit[0]
