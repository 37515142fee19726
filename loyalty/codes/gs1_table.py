"""The application identifiers of the GS1 General Specifications: how long each value is and what is checked in it.

One line: identifiers (`-` is from to), then the parts of the value:

    N14c     14 digits, the last one a check digit     X..20  1 to 20 characters of the GS1 set 82
    N6d      a date YYMMDD whose day may be 00         Y, Z   characters of the sets 39 and 64
    N6D      a date with its day                       [..]   may be missing
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TABLE = """
00: N18c
01-03: N14c
10 21-22: X..20
11-13 15-17: N6d
20: N2
235: X..28
240-241 250-251: X..30
242: N..6
243: X..20
253: N13c [X..17]
254: X..20
255: N13c [N..12]
30 37: N..8
3100-3105 3110-3115 3120-3125 3130-3135 3140-3145 3150-3155 3160-3165: N6
3200-3205 3210-3215 3220-3225 3230-3235 3240-3245 3250-3255 3260-3265 3270-3275 3280-3285 3290-3295: N6
3300-3305 3310-3315 3320-3325 3330-3335 3340-3345 3350-3355 3360-3365 3370-3375: N6
3400-3405 3410-3415 3420-3425 3430-3435 3440-3445 3450-3455 3460-3465 3470-3475 3480-3485 3490-3495: N6
3500-3505 3510-3515 3520-3525 3530-3535 3540-3545 3550-3555 3560-3565 3570-3575: N6
3600-3605 3610-3615 3620-3625 3630-3635 3640-3645 3650-3655 3660-3665 3670-3675 3680-3685 3690-3695: N6
3900-3909 3920-3929: N..15
3910-3919 3930-3939: N3 N..15
3940-3943: N4
3950-3955: N6
400-401 403: X..30
402: N17c
410-417: N13c
420: X..20
421: N3 X..9
422 424 426: N3
423 425: N3 [N3] [N3] [N3] [N3]
427: X..3
4300-4301 4310-4311 4320: X..35
4302-4306 4312-4316: X..70
4307 4317: X2
4308 4319: X..30
4309: N20
4318: X..20
4321-4323: N1
4324-4325: N6d N4
4326: N6D
4330-4333: N6 [X1]
7001: N13
7002: X..30
7003: N6D N4
7004: N..4
7005: X..12
7006: N6D
7007: N6D [N6D]
7008: X..3
7009: X..10
7010: X..2
7011: N6D [N4]
7020-7022: X..20
7023: X..30
7030-7039: N3 X..27
7040: N1 X3
7041: X..4
710-717: X..20
7230-7239: X2 X..28
7240: X..20
7241: N2
7242: X..25
7250: N8
7251: N12
7252: N1
7253-7254 7259: X..40
7255: X..10
7256: X..90
7257: X..70
7258: X3
8001: N14
8002 8012: X..20
8003: N14c [X..16]
8004: X..30
8005: N6
8006 8026: N14c N4
8007: X..34
8008: N6D N2 [N2] [N2]
8009: X..50
8010: Y..30
8011: N..12
8013-8014: X..25
8017-8018: N18c
8019: N..10
8020: X..25
8030: Z..90
8040-8041: N15
8042: N32
8043: N18 [N..2]
8110: X..70
8111: N4
8112: X..70
8200: X..70
90: X..30
91-99: X..90
"""

_CHARACTERS = {"N": "[0-9]", "X": r"[!\"%-?A-Z_a-z]", "Y": "[#\\-/0-9A-Z]", "Z": "[-0-9A-Z_a-z=]"}
_DAY = "[0-9]{2}(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|[12][0-9]))"


def _counted(counts: range, more: int) -> str:
    """A digit that says how many digits come behind it, without the first `more` of them."""
    return "(?:" + "|".join(f"{count}[0-9]{{{count + more}}}" for count in counts) + ")"


_COMPANY, _SERIAL, _AMOUNT = _counted(range(7), 6), _counted(range(10), 6), _counted(range(1, 6), 0)
_PURCHASE = rf"{_AMOUNT}[0-49][0-9]{{3}}"
_BUILT = {
    "8003": "0.*",
    "8110": rf"{_COMPANY}[0-9]{{6}}{_AMOUNT}{_PURCHASE}(?:1[0-3]{_PURCHASE}(?:{_COMPANY}|9))?(?:2{_PURCHASE}(?:{_COMPANY}|9))?"
    rf"(?:3{_DAY})?(?:4{_DAY})?(?:5{_SERIAL})?(?:6{_counted(range(1, 8), 6)})?(?:9[01256][0-2][0-9][01])?",
    "8112": rf"[01]{_COMPANY}[0-9]{{6}}{_SERIAL}",
}
"""How values are built beyond that: the digits of a North American coupon say how many digits follow them."""

_PART = re.compile(r"(\[?)([NXYZ])(\.\.)?([0-9]+)([cdD]?)\]?")

SET_ENDS = frozenset(("00", "01", "02", "03", "11", "12", "13", "15", "16", "17", "20", "41"))
"""First two digits of the identifiers whose values end by themselves, without a GS; so do all from 31 to 36."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One value: its shape, its least and most length, where check digits end runs (start, end) and dates start."""

    shape: re.Pattern[str]
    least: int
    most: int
    checks: tuple[tuple[int, int], ...]
    dates: tuple[tuple[int, bool], ...]  # start, day may be 00
    built: re.Pattern[str] | None

    @property
    def fixed(self) -> bool:
        """There is only one length."""
        return self.least == self.most


def _spec(text: str, built: str | None) -> Spec:
    shape, least, most = "", 0, 0
    checks, dates = [], []
    for optional, kind, up_to, length, check in _PART.findall(text):
        size = int(length)
        counted = f"{{1,{size}}}" if up_to else f"{{{size}}}"
        shape += f"(?:{_CHARACTERS[kind]}{counted}){'?' if optional else ''}"
        if check == "c":
            checks.append((most, most + size))
        elif check and not optional:
            dates.append((most, check == "d"))
        least += 0 if optional else 1 if up_to else size
        most += size
    return Spec(
        re.compile(shape), least, most, tuple(checks), tuple(dates), None if built is None else re.compile(built)
    )


def _numbers(text: str) -> Iterator[str]:
    for each in text.split():
        first, _, last = each.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield f"{number:0{len(first)}}"


def _read(table: str) -> Iterator[tuple[str, Spec]]:
    for line in table.split("\n"):
        identifiers, _, parts = line.partition(": ")
        if parts:
            spec = _spec(parts, _BUILT.get(identifiers))
            yield from ((each, spec) for each in _numbers(identifiers))


IDENTIFIERS: Mapping[str, Spec] = dict(_read(_TABLE))
LENGTHS: Mapping[str, int] = {identifier[:2]: len(identifier) for identifier in IDENTIFIERS}
"""How long an identifier is, by its first two digits."""


def ends_by_itself(identifier: str) -> bool:
    """Tell whether the value of that identifier needs no GS behind it."""
    return identifier[:2] in SET_ENDS or "31" <= identifier[:2] <= "36"
