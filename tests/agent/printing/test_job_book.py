"""Noting the state of a job: what is stored counts as stored, also when it was stored at the last moment."""

from __future__ import annotations

import pytest

from agent.printing.job_book import JobBook
from offline_queue.outcome import Outcome
from offline_queue.print_jobs import SetJob


class LastMoment(Outcome[None]):
    """Is done just when the wait for it has ended."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error, self.asked = error, 0

    def result(self, timeout: float | None = None) -> None:
        self.asked += 1
        if self.asked == 1:
            self.begin()
            if self.error:
                self.fail(self.error)
            else:
                self.succeed(None)
            raise TimeoutError
        super().result(timeout)


class Writer:
    def __init__(self, answer: Outcome[None]) -> None:
        self.answer = answer

    def submit(self, _: SetJob) -> Outcome[None]:
        return self.answer


@pytest.mark.parametrize(("error", "stored"), [(None, True), (TimeoutError(), False)])
def test_what_is_stored_at_the_last_moment_is_stored(error: Exception | None, stored: bool) -> None:
    assert JobBook("receipt", Writer(LastMoment(error)), 0.1).set(1, "sending") is stored
