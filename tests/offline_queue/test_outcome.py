"""What a submitter of an operation may rely on."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from offline_queue.outcome import Outcome

WAIT = 10.0


def test_a_result_reaches_all_who_wait_for_it() -> None:
    outcome, heard = Outcome[int](), list[int]()
    waiting = [threading.Thread(target=lambda: heard.append(outcome.result(WAIT))) for _ in range(3)]
    for each in waiting:
        each.start()
    assert not outcome.done()
    outcome.succeed(7)
    for each in waiting:
        each.join(WAIT)
    assert heard == [7, 7, 7]
    assert (outcome.done(), outcome.exception(0), outcome.result(0)) == (True, None, 7)


def test_an_error_is_raised_and_can_be_looked_at() -> None:
    outcome = Outcome[int]()
    outcome.fail(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        outcome.result(0)
    assert isinstance(outcome.exception(), ValueError)


def test_who_waits_too_long_is_told_so_and_may_ask_again() -> None:
    outcome = Outcome[int]()
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError):
            outcome.result(timeout)
    outcome.succeed(1)
    assert outcome.result(0) == 1


def test_only_one_of_both_decides_whether_it_is_carried_out() -> None:
    dropped, begun = Outcome[int](), Outcome[int]()
    assert (dropped.cancel(), dropped.begin(), dropped.cancel()) == (True, False, False)
    assert (begun.begin(), begun.cancel()) == (True, False)
    with pytest.raises(CancelledError):
        dropped.result(0)


def test_callbacks_hear_it_once_before_or_after_and_their_faults_stay_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome, heard = Outcome[int](), list[str]()
    outcome.add_done_callback(lambda _: heard.append("first"))
    outcome.add_done_callback(lambda _: 1 // 0)
    outcome.add_done_callback(lambda settled: heard.append(f"last {settled.result()}"))
    outcome.succeed(2)
    outcome.add_done_callback(lambda _: heard.append("late"))
    assert heard == ["first", "last 2", "late"]
    assert "ZeroDivisionError" in caplog.text
