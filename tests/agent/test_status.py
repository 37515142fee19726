"""The status board: news is told once, in order, in words."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest

from agent.status import Board, Status


class HandClock:
    """Moves when the test says so."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def test_the_same_again_is_quiet_and_since_moves_with_the_state_only() -> None:
    clock = HandClock()
    status, told = Status(clock), list[Board]()
    status.subscribe(told.append)
    status.set("printer", "receipt", "down", "status.printer_paper_out")
    begun = clock.at
    clock.at += timedelta(minutes=5)
    status.set("printer", "receipt", "down", "status.printer_paper_out")
    assert len(told) == 1
    status.set("printer", "receipt", "down", "status.printer_cover_open")
    assert (len(told), told[-1][0].since) == (2, begun)
    status.set("printer", "receipt", "ok", "status.printer_ok")
    assert (len(told), told[-1][0].since) == (3, clock.at)
    assert told[-1] == status.snapshot()


def test_parts_of_one_kind_are_told_apart_and_stand_in_order() -> None:
    status = Status(HandClock())
    for part, name in (("scanner", "b"), ("printer", "p"), ("scanner", "a")):
        status.set(part, name, "ok", "status.scanner_ok")  # type: ignore[arg-type]
    assert [(each.part, each.name) for each in status.snapshot()] == [
        ("printer", "p"),
        ("scanner", "a"),
        ("scanner", "b"),
    ]


def test_nobody_is_told_an_older_board_last() -> None:
    status, told = Status(HandClock()), list[Board]()
    status.subscribe(told.append)

    def count(name: str) -> None:
        for number in range(200):
            status.set("till", name, "warning", "status.till_dropped", count=number)

    writers = [threading.Thread(target=count, args=(name,)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert told[-1] == status.snapshot()


def test_a_text_that_is_missing_shows_its_key_and_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    status = Status(HandClock())
    with caplog.at_level(logging.ERROR):
        status.set("till", "1", "ok", "status.no_such_text")
        status.set("till", "2", "ok", "status.till_dropped")
    assert [part.text["ru"] for part in status.snapshot()] == ["status.no_such_text", "status.till_dropped"]
    assert "status.no_such_text" in caplog.text
