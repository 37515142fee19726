"""Finds out which device a scanner is: listens to everything that could be one until a known code comes from it.

Nothing is kept from other programs: a keyboard is only listened to, and what is typed on it is compared and forgotten. A
person who types the text of the code is no scanner: that takes longer.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agent.clock import Clock
from drivers import registry
from drivers.base import Candidate, DeviceError
from drivers.framing import Framing

BURST = 0.07
"""Seconds for each character that a scanner takes at the most: some type as slowly as 16 a second, people slower."""
_POLL = 0.05
_SILENCE = 0.3
_MOST = 512
_SHORTEST = 4
_AIM = re.compile(rb"(\][A-Za-z][0-9A-Za-z])$")
_LINE_ENDS, _STX, _ETX = b"\r\n\t", b"\x02", b"\x03"
_READABLE = re.compile(rb"[\x20-\x7e\r\n\t\x02\x03\x1d]*")


@dataclass(frozen=True)
class Place:
    """Something that could be a scanner, and by which driver it is read."""

    driver: str
    candidate: Candidate


@dataclass(frozen=True)
class Found:
    """The scanner. `framing` is what config.toml must say of it; `aim` and `ended`: it sends an AIM id, and a suffix."""

    place: Place
    framing: dict[str, object]
    aim: str
    ended: bool


@dataclass(frozen=True)
class Silent:
    """A place that cannot be listened to."""

    place: Place
    error: DeviceError


@dataclass(frozen=True)
class Another:
    """Something came, and not the code. `readable`: letters, so another code, or another keyboard country; else another speed."""

    place: Place
    readable: bool


News = Found | Silent | Another


def places() -> list[Place]:
    """Everything on this machine that could be a scanner."""
    return [
        Place(name, candidate)
        for name in registry.names("scanner")
        for candidate in registry.find("scanner", name).candidates()
    ]


def find(
    code: str, among: Iterable[Place], seconds: float, clock: Clock, tell: Callable[[News], None], stop: threading.Event
) -> Found | None:
    """Listen until `code` comes from one of them, `stop` is set or the time is over. `tell` hears of trouble meanwhile."""
    heard: queue.Queue[News] = queue.Queue()
    done = threading.Event()
    ears = [
        threading.Thread(target=_listen, args=(place, code.encode(), clock, done, heard.put), daemon=True)
        for place in among
    ]
    for ear in ears:
        ear.start()
    try:
        return _first(heard, clock.monotonic() + seconds, clock, tell, stop)
    finally:
        done.set()
        for ear in ears:
            ear.join(2)


def framing_of(driver: str, before: bytes, after: bytes) -> dict[str, object]:
    """What `framing` must say of a scanner that sends this before and behind a code, without its AIM id."""
    usual = registry.find("scanner", driver).framing
    if before == _STX and after.startswith(_ETX):
        return {"terminators": _ETX.decode(), "start": _STX.decode()}
    suffix, ends = _apart(after, usual)
    wanted: dict[str, object] = {"prefix": before.decode("latin-1"), "suffix": suffix.decode("latin-1")}
    if ends and not set(ends) & set(usual.terminators.encode()):
        wanted["terminators"] = ends[:1].decode()
    return {name: value for name, value in wanted.items() if value != getattr(usual, name)}


def _apart(after: bytes, usual: Framing) -> tuple[bytes, bytes]:
    """What is behind a code: what belongs to it, and what ends it."""
    suffix = after.rstrip(_LINE_ENDS + _ETX + usual.terminators.encode())
    return suffix, after[len(suffix) :]


def _first(
    heard: queue.Queue[News], end: float, clock: Clock, tell: Callable[[News], None], stop: threading.Event
) -> Found | None:
    while clock.monotonic() < end and not stop.is_set():
        try:
            news = heard.get(timeout=_POLL)
        except queue.Empty:
            continue
        if isinstance(news, Found):
            return news
        tell(news)
    return None


def _listen(place: Place, code: bytes, clock: Clock, done: threading.Event, tell: Callable[[News], None]) -> None:
    """One place, and then the same otherwise (at another speed) whenever only nonsense has come."""
    now: Place | None = place
    try:
        while now is not None and not done.is_set():
            now = _try(now, code, clock, done, tell)
    except DeviceError as error:
        tell(Silent(place, error))


def _try(place: Place, code: bytes, clock: Clock, done: threading.Event, tell: Callable[[News], None]) -> Place | None:
    """What to listen to next; None = the code has come. Raises DeviceError."""
    device = place.candidate.listen()
    try:
        burst, began, last = b"", 0.0, 0.0
        while not done.is_set():
            chunk = device.read(_POLL)
            at = clock.monotonic()
            if chunk:
                began = began if burst else at
                burst, last = (burst + chunk)[-_MOST:], at
            elif burst and at - last > _SILENCE:
                found = _recognised(place, burst, code, last - began)
                if found is not None:
                    tell(found)
                    return None
                if len(burst) >= _SHORTEST and last - began <= BURST * len(burst):
                    readable = _READABLE.fullmatch(burst) is not None
                    tell(Another(place, readable))
                    if not readable and place.candidate.instead is not None:
                        return Place(place.driver, place.candidate.instead())
                burst = b""
    finally:
        device.close()
    return None


def _recognised(place: Place, burst: bytes, code: bytes, seconds: float) -> Found | None:
    if code not in burst or seconds > BURST * len(burst):
        return None
    before, after = burst.split(code, 1)
    aim = _AIM.search(before)
    before = before[: aim.start()] if aim else before
    usual = registry.find("scanner", place.driver).framing
    ended = bool(_apart(after, usual)[1])
    return Found(place, framing_of(place.driver, before, after), aim.group().decode() if aim else "", ended)
