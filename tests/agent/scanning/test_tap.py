"""The agent lets its scans be seen, and keeps none for nobody."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.messages import Scanned
from agent.scanning.tap import LOOKS, ScanTap, scan_commands

if TYPE_CHECKING:
    from conftest import LeapingClock


def scan(number: int) -> Scanned:
    return Scanned("counter", str(number).encode(), datetime.now(UTC))


def test_only_what_comes_after_the_first_question_is_kept(leaping_clock: "LeapingClock") -> None:
    tap = ScanTap(leaping_clock)
    tap.put(scan(1))
    assert tap.since(0) == (0, [])
    second = scan(2)
    tap.put(second)
    assert tap.since(0) == (1, [second])
    assert tap.since(1) == (1, [])


def test_nothing_is_kept_when_nobody_has_asked_for_a_while(leaping_clock: "LeapingClock") -> None:
    tap = ScanTap(leaping_clock)
    tap.since(0)
    tap.put(scan(1))
    leaping_clock.ahead += LOOKS + 1
    tap.put(scan(2))
    assert list(tap._kept) == []
    assert tap.since(0) == (1, [])


def test_there_is_a_bound(leaping_clock: "LeapingClock") -> None:
    tap = ScanTap(leaping_clock)
    tap.since(0)
    for number in range(1000):
        tap.put(scan(number))
    last, kept = tap.since(0)
    assert last == 1000
    assert [each.data for each in kept] == [str(number).encode() for number in range(1000 - 64, 1000)]


def test_the_command_answers_in_plain_values(leaping_clock: "LeapingClock") -> None:
    tap = ScanTap(leaping_clock)
    ask = scan_commands(tap)["scans"]
    assert ask({"after": "nonsense"}) == {"last": 0, "scans": []}
    tap.put(scan(7))
    answer = ask({"after": 0})
    assert answer["last"] == 1
    (seen,) = answer["scans"]  # type: ignore[misc]
    assert {**seen, "at": ""} == {"scanner": "counter", "data": "37", "at": "", "partial": False}
