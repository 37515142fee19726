"""A scan in words, for store IT: its bytes, AIM id, class, and why. The number of a payment card is never among them."""

from __future__ import annotations

import re

import msgspec

from agent.messages import Scanned
from loyalty.codes import CodeRules, Reading, classify
from loyalty.codes.pan import mask
from loyalty.i18n import Language, text

_NAMES = (
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
)  # fmt: skip
_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_LINE = 16
_HEAD = 7


def lines(scanned: Scanned, rules: CodeRules, language: Language) -> list[str]:
    """One scan, for people."""
    at = scanned.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
    head = text("scan.head", language, scanner=scanned.device, at=at, count=len(scanned.data))
    if scanned.partial:
        return [head, *_raw(scanned.data, language), text("scan.partial", language)]
    reading = _read(scanned, rules)
    fields = [_line("", f"{name} = {value}") for name, value in reading.fields().items()]
    why = [_line("why" if not place else "", word) for place, word in enumerate(reading.why)]
    named = [_line("aim", reading.aim or text("scan.no_aim", language)), _line("class", reading.code.name)]
    return [head, *_raw(scanned.data, language), *named, *fields, *why]


def record(scanned: Scanned, rules: CodeRules) -> bytes:
    """One scan as a line of JSON; `hex` is missing where it would hold the number of a payment card."""
    table: dict[str, object] = {"scanner": scanned.device, "at": scanned.at.isoformat(), "partial": scanned.partial}
    table["text"] = readable(scanned.data)
    if not _secret(scanned.data):
        table["hex"] = scanned.data.hex()
    return msgspec.json.encode(table | ({} if scanned.partial else _read(scanned, rules).table()))


def readable(data: bytes) -> str:
    """As text, with the names of control characters: `]d2<GS>0104600...`."""
    try:
        letters = data.decode()
    except UnicodeDecodeError:
        letters = data.decode("latin-1")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"<{_name(ord(found.group()))}>", _masked(letters))


def _read(scanned: Scanned, rules: CodeRules) -> Reading:
    return classify(scanned.data, rules, "serial", int(scanned.at.timestamp()))


def _raw(data: bytes, language: Language) -> list[str]:
    if _secret(data):
        return [_line("hex", text("scan.secret", language)), _line("text", readable(data))]
    rows = [data[at : at + _LINE].hex(" ") for at in range(0, len(data), _LINE)]
    return [*(_line("hex" if not place else "", row) for place, row in enumerate(rows)), _line("text", readable(data))]


def _secret(data: bytes) -> bool:
    letters = data.decode("latin-1")
    return _masked(letters) != letters


def _masked(letters: str) -> str:
    aim = _AIM.match(letters)
    head = aim.group() if aim else ""  # its digit is none of the number
    return head + mask(letters[len(head) :])


def _line(name: str, value: str) -> str:
    return f"  {name:{_HEAD}}{value}"


def _name(code: int) -> str:
    return _NAMES[code] if code < len(_NAMES) else f"{code:02X}"
