"""What is wrong with a till is shown for a while, what stays wrong all the time."""

from __future__ import annotations

from agent.clock import SystemClock
from agent.status import Status
from agent.till_trouble import TillTrouble


class Clock(SystemClock):
    """The real time, plus what the test adds."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Board:
    """A till's part of the status board."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.status = Status(self.clock)
        self.trouble = TillTrouble("1", self.status, self.clock)

    def later(self, seconds: float) -> None:
        self.clock.ahead += seconds
        self.trouble.fade()

    def says(self) -> str:
        return "".join(part.text["en"] for part in self.status.snapshot())


def test_what_has_passed_is_taken_off_after_a_while() -> None:
    board = Board()
    board.later(1000)
    assert board.says() == ""
    for happen in (board.trouble.scan_lost, board.trouble.restarted):
        happen()
        board.later(50)
        assert board.says() not in ("", "The till works.")
        board.later(10)
        assert board.says() == "The till works."


def test_scans_are_counted_anew_after_a_quiet_while() -> None:
    board = Board()
    board.trouble.scan_lost()
    board.trouble.scan_lost()
    assert "2 scans" in board.says()
    board.later(100)
    board.trouble.scan_lost()
    assert "1 scans" in board.says()


def test_a_till_that_the_server_does_not_know_does_not_look_well_again_because_something_else_has_passed() -> None:
    board = Board()
    board.trouble.recognised(True)
    assert board.says() == ""
    board.trouble.recognised(False)
    board.trouble.scan_lost()
    assert "scans were lost" in board.says()
    board.later(100)
    assert "know till 1" in board.says()
    board.trouble.recognised(True)
    assert board.says() == "The till works."
