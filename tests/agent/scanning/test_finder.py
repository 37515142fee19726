"""Which device is the scanner: found among several by the code that comes from it."""

import queue
import threading
from collections.abc import Callable, Iterable

import pytest

from agent.clock import SystemClock
from agent.scanning.finder import Another, Found, News, Place, Silent, find, framing_of, places
from drivers.base import Candidate, DeviceBusy, DeviceGone

CODE = "TILLMATE-4F9K2Z"


class Source:
    """Says what it is told to, at the pace that it is told, once it is listened to."""

    def __init__(self, *said: bytes, gap: float = 0.0, error: Exception | None = None) -> None:
        self._said = list(said)
        self._gap = gap
        self._error = error
        self.closed = threading.Event()
        self.tick = threading.Event()

    def listen(self) -> "Source":
        if self._error is not None:
            raise self._error
        return self

    def read(self, timeout: float) -> bytes:
        self.tick.wait(self._gap or timeout / 10)
        return self._said.pop(0) if self._said else b""

    def close(self) -> None:
        self.closed.set()


def place(source: Source, driver: str = "serial_port", instead: Callable[[], Candidate] | None = None) -> Place:
    return Place(driver, Candidate(f"{driver} {id(source)}", {"port": "/dev/ttyS0"}, source.listen, instead))


def search(among: Iterable[Place], seconds: float = 5.0) -> tuple[Found | None, list[News]]:
    told: list[News] = []
    return find(CODE, among, seconds, SystemClock(), told.append, threading.Event()), told


def letters(text: bytes) -> list[bytes]:
    return [bytes([letter]) for letter in text]


def test_it_is_the_one_that_the_code_comes_from() -> None:
    silent, noisy, right = Source(), Source(b"4600000000017\r"), Source(*letters(b"]Q1" + CODE.encode() + b"\r\n"))
    wanted = place(right)
    found, told = search([place(silent), place(noisy), wanted])
    assert found == Found(wanted, {}, "]Q1", ended=True)
    assert [type(each) for each in told] in ([], [Another])
    assert all(each.closed.wait(5) for each in (silent, noisy, right))


def test_a_person_who_types_the_code_is_no_scanner() -> None:
    slow = Source(*letters(CODE.encode() + b"\r"), gap=0.1)
    assert search([place(slow, "hid_keyboard")], seconds=2.5)[0] is None


def test_a_slow_scanner_is_one() -> None:
    slow = Source(*letters(CODE.encode() + b"\r"), gap=0.04)
    found, _ = search([place(slow, "hid_keyboard")])
    assert found is not None
    assert found.ended


@pytest.mark.parametrize(
    ("driver", "said", "framing", "aim", "ended"),
    [
        ("serial_port", b"%s", {}, "", False),
        ("serial_port", b"%s\r\r", {}, "", True),
        ("serial_port", b"%s\t", {"terminators": "\t"}, "", True),
        ("hid_keyboard", b"%s\t", {}, "", True),
        ("hid_pos", b"]Q1%s\0", {}, "]Q1", True),
        ("serial_port", b"\x02]Q1%s\x03", {"start": "\x02", "terminators": "\x03"}, "]Q1", True),
        ("serial_port", b"\x02]Q1%s\x03\r\n", {"start": "\x02", "terminators": "\x03"}, "]Q1", True),
        ("serial_port", b"#%s*\r", {"prefix": "#", "suffix": "*"}, "", True),
    ],
)
def test_what_stands_around_the_code_says_how_it_is_framed(
    driver: str, said: bytes, framing: dict[str, object], aim: str, ended: bool
) -> None:
    source = Source(said % CODE.encode())
    found, _ = search([place(source, driver)])
    assert found is not None
    assert (found.framing, found.aim, found.ended) == (framing, aim, ended)


def test_no_framing_is_needed_for_what_is_usual() -> None:
    assert framing_of("serial_port", b"", b"\r\n") == framing_of("tcp", b"", b"") == {}


def test_nonsense_is_told_and_tried_at_another_speed() -> None:
    right = Source(CODE.encode() + b"\r")
    faster = Candidate("faster", {"port": "/dev/ttyS0", "baudrate": 115200}, right.listen)
    wrong = Source(b"\x80\xf8\x00\x78\x80\x00")
    first = place(wrong, instead=lambda: faster)
    found, told = search([first])
    assert told == [Another(first, readable=False)]
    assert found == Found(Place("serial_port", faster), {}, "", ended=True)
    assert wrong.closed.wait(5)


def test_another_code_is_told_and_the_same_place_is_listened_to_further() -> None:
    source = Source(b"4600000000017\r", *[b""] * 80, CODE.encode() + b"\r")
    wanted = place(source)
    found, told = search([wanted])
    assert told == [Another(wanted, readable=True)]
    assert found is not None


@pytest.mark.parametrize("error", [DeviceBusy("in use"), DeviceGone("pulled")])
def test_what_cannot_be_listened_to_is_told_and_stops_nobody(error: DeviceBusy | DeviceGone) -> None:
    closed, right = place(Source(error=error)), place(Source(*[b""] * 20, CODE.encode() + b"\r"))
    found, told = search([closed, right])
    assert told == [Silent(closed, error)]
    assert found is not None
    assert found.place == right


def test_it_ends_when_it_is_told_to() -> None:
    stop, done = threading.Event(), queue.Queue[Found | None]()
    search = threading.Thread(
        target=lambda: done.put(find(CODE, [place(Source())], 60, SystemClock(), lambda _: None, stop))
    )
    search.start()
    stop.set()
    assert done.get(timeout=3) is None
    search.join()


def test_every_driver_of_ours_is_asked_for_places() -> None:
    assert {each.driver for each in places()} <= {"serial_port", "hid_keyboard", "hid_pos"}
