"""The server's time, as far as the replies tell it: requests are signed with it, whatever this PC's clock says.

Thread-safe; both sync threads share one, so that what one has learnt the other need not.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

from agent.clock import Clock

log = logging.getLogger(__name__)

NOTEWORTHY = timedelta(seconds=5)
"""The Date of a reply has whole seconds and has travelled; less than this is no difference."""


class ServerClock:
    """This PC's clock, moved by the offset that was learnt."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offset = timedelta()
        self._sure = False

    @property
    def offset(self) -> timedelta:
        """How far the server's clock is ahead of ours."""
        return self._offset

    def now(self) -> datetime:
        """What the server's clock says."""
        try:
            return self._clock.now() + self._offset
        except OverflowError:  # our clock has leapt to the end of time since
            return self._clock.now()

    def learn(self, server_time: datetime) -> None:
        """The server has just said what its clock says."""
        with self._lock:
            self._sure = True
            self._set(server_time)

    def hint(self, date: datetime) -> None:
        """Somebody on the way has, too. It counts as long as the server itself has not spoken: a proxy has its own clock."""
        with self._lock:
            if not self._sure:
                self._set(date)

    def _set(self, there: datetime) -> None:
        aware = there if there.tzinfo else there.replace(tzinfo=UTC)
        offset = aware - self._clock.now()
        if abs(offset - self._offset) >= NOTEWORTHY:
            self._offset = offset
            log.warning("clock offset=%ds", offset.total_seconds())
