"""Jobs of which nobody heard whether they were printed, and what the printer must be freed of before the next one.

A printer goes on with what it holds after a connection has broken, so it may tell of such a job much later. One that
answers with the number of the job settles the doubt for good; a fence has no number, so a late one must be let pass.
"""

from __future__ import annotations

from collections.abc import Iterable

_NUMBERS = 95  # the printable characters of ASCII


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
        self.late = 0
        """Fences of earlier jobs that may still be answered."""
        self.flush = b""
        """What the next connection must send first."""
        self.open = False
        """The last receipt may have been printed or not."""

    def add(self, job: int, flush: bytes, *, fenced: bool) -> None:
        """Nobody knows of this job."""
        self._jobs[number_of(job)] = job
        self.flush = max(self.flush, flush, key=len)
        self.late += fenced
        self.open = True

    def settled_by(self, numbers: Iterable[bytes]) -> list[int]:
        """The jobs that these late answers tell of; each once."""
        return [self._jobs.pop(number) for number in numbers if number in self._jobs]
