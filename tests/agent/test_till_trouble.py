"""What is wrong with a till is shown for a while, what stays wrong all the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.status import Status
from agent.till_trouble import TillTrouble

if TYPE_CHECKING:
    from conftest import LeapingClock


class Board:
    """A till's part of the status board."""

    def __init__(self, clock: LeapingClock) -> None:
        self.clock = clock
        self.status = Status(clock)
        self.trouble = TillTrouble("1", self.status, clock)

    def later(self, seconds: float) -> None:
        self.clock.ahead += seconds
        self.trouble.fade()

    def says(self) -> str:
        return "".join(part.text["en"] for part in self.status.snapshot())


@pytest.fixture
def board(leaping_clock: LeapingClock) -> Board:
    return Board(leaping_clock)


def test_what_has_passed_is_taken_off_after_a_while(board: Board) -> None:
    board.later(1000)
    assert board.says() == ""
    for happen in (board.trouble.scan_lost, board.trouble.restarted):
        happen()
        board.later(50)
        assert board.says() not in ("", "The till works.")
        board.later(10)
        assert board.says() == "The till works."


def test_scans_are_counted_anew_after_a_quiet_while(board: Board) -> None:
    board.trouble.scan_lost()
    board.trouble.scan_lost()
    assert "2 scans" in board.says()
    board.later(100)
    board.trouble.scan_lost()
    assert "1 scans" in board.says()


def test_a_till_that_the_server_does_not_know_stays_so_when_something_else_has_passed(board: Board) -> None:
    board.trouble.recognised(True)
    assert board.says() == ""
    board.trouble.recognised(False)
    board.trouble.scan_lost()
    assert "scans were lost" in board.says()
    board.later(100)
    assert "know till 1" in board.says()
    board.trouble.recognised(True)
    assert board.says() == "The till works."
