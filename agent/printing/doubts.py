"""Jobs of which nobody heard whether they were printed, and what the printer must be freed of before the next one.

A printer goes on with what it holds after a connection has broken, so it may tell of such a job much later. One that
answers with the number of the job settles the doubt for good; a fence has no number, so late ones must be counted.
"""

from __future__ import annotations

from collections.abc import Iterable

_NUMBERS = 95  # the printable characters of ASCII
_FEW = 3
"""Fences in doubt that the next job is sent behind; each job that gets lost so leaves twice as many."""


def number_of(job: int) -> bytes:
    """The four characters by which a printer names a job when it is on the paper."""
    digits = bytearray()
    for _ in range(4):
        job, rest = divmod(job, _NUMBERS)
        digits.append(0x20 + rest)
    return bytes(reversed(digits))


class Doubts:
    """Of one printer; lives as long as the agent's thread for it."""

    def __init__(self) -> None:
        self._jobs: dict[bytes, int] = {}
        self._late = 0
        self._settled_at: float | None = None
        self.flush = b""
        """What the next connection must send first."""
        self._asked: int | None = None

    @property
    def open(self) -> bool:
        """The last receipt may have been printed or not."""
        return self._asked is not None

    def decided(self, job: int) -> None:
        """Nothing needs to be asked any more about that job."""
        if self._asked == job:
            self._asked = None

    def add(self, job: int, flush: bytes, fences: int) -> None:
        """Nobody knows of this job, behind which stood so many fences."""
        self._jobs[number_of(job)] = job
        self.flush = max(self.flush, flush, key=len)
        self._asked = job
        self.expect(fences)

    def expect(self, fences: int) -> None:
        """So many more may be answered late."""
        self._late += fences
        self._settled_at = None

    def settle(self, now: float) -> None:
        """A later job has come to its end, so what is still to come of earlier ones comes right behind it."""
        self._settled_at = now
        self._asked = None

    def late_fences(self, now: float, settled_for: float) -> int:
        """How many fences of earlier jobs may still be answered; none when the last job ended `settled_for` seconds ago."""
        if self._settled_at is not None and now - self._settled_at >= settled_for:
            self._late = 0
        return self._late

    def let_pass(self, now: float, settled_for: float) -> float:
        """Seconds to let late answers pass before the next job, where there may be many of them and an end to them is known."""
        few = self.late_fences(now, settled_for) <= _FEW
        return 0.0 if few or self._settled_at is None else self._settled_at + settled_for - now

    def settled_by(self, numbers: Iterable[bytes]) -> list[int]:
        """The jobs that these late answers tell of; each once."""
        jobs = [self._jobs.pop(number) for number in numbers if number in self._jobs]
        for job in jobs:
            self.decided(job)
        return jobs
