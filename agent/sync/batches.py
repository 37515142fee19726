"""What goes out next: a run of rows without a hole, bounded in number and in bytes.

A batch that was made stays the same until its outcome is known: `next` gives the very same rows again.
"""

from __future__ import annotations

from itertools import pairwise

from agent.sync.errors import ServerRejected, TooLarge
from agent.sync.queue_access import Rows
from loyalty.wire import MAX_BATCH
from offline_queue import StoredRow

MOST_BYTES = 2 << 20
"""Bytes of the bodies in one batch."""
LARGE_ROW = 64 << 10
"""Bytes of a body that may be too large all by itself; a smaller one is not, whatever a proxy says."""
_FRAME = 400
"""Bytes that a row takes beside its body."""


class Batches:
    """For one thread."""

    def __init__(self, rows: Rows, first: int) -> None:
        self._rows = rows
        self._made: tuple[StoredRow, ...] = ()
        self._most_bytes = MOST_BYTES
        self._ceiling = MOST_BYTES
        self._guilty = 0
        self.first = first
        """The seq that the next batch begins with."""

    def begin(self, first: int) -> None:
        """Forget what was made; go on from there."""
        self.first, self._made, self._guilty = first, (), 0

    def next(self) -> tuple[StoredRow, ...] | None:
        """The batch to send, None when there is no row of that number."""
        if not self._made:
            self._made = self._make()
        return self._made or None

    def delivered(self, last: int) -> None:
        """The server has everything up to there."""
        self.first, self._made = last + 1, ()
        self._most_bytes = min(self._most_bytes * 2, self._ceiling)

    def halve(self, *, too_large: bool) -> bool:
        """The present batch was refused: the next one is its first half. False where it has but one row."""
        if len(self._made) <= 1:
            return False
        if too_large:
            self._ceiling = self._bytes() - 1
            self._most_bytes = self._bytes() // 2
        else:
            self._guilty = self._made[-1].seq  # one of these is meant; those that go through are not
        self._made = ()
        return True

    def may_be_given_up(self, refused: ServerRejected) -> bool:
        """Whether the one row of the present batch can be what the server does not take."""
        (row,) = self._made
        return row.kind != "damaged" and (not isinstance(refused, TooLarge) or len(row.body) >= LARGE_ROW)

    def _make(self) -> tuple[StoredRow, ...]:
        most = MAX_BATCH
        if self._guilty >= self.first:
            most = max((self._guilty - self.first + 1) // 2, 1)
        found = self._rows.rows(self.first, most)
        if not found or found[0].seq != self.first:
            return ()
        whole = next(
            (place for place, (one, two) in enumerate(pairwise(found), 1) if two.seq != one.seq + 1), len(found)
        )
        room, count = self._most_bytes, 0
        for row in found[:whole]:
            room -= len(row.body) + _FRAME
            if room < 0 and count:
                break
            count += 1
        return tuple(found[:count])

    def _bytes(self) -> int:
        return sum(len(row.body) + _FRAME for row in self._made)
