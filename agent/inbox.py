"""The inbox of a till: bounded for the outside, ordered by urgency for the till.

Answers to what the till itself has asked for come first, then events that had to wait, then new ones. Only new ones
come in numbers that others decide, so only they are bounded: a full inbox refuses, and its caller says so.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

EventT = TypeVar("EventT")

BOUND = 256


class Inbox(Generic[EventT]):
    """Thread-safe; one thread takes, any thread puts."""

    def __init__(self, bound: int = BOUND) -> None:
        self._bound = bound
        self._new: deque[EventT] = deque()
        self._again: deque[EventT] = deque()
        self._answers: deque[EventT] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, event: EventT) -> bool:
        """A new event from outside. False: there is no room, or the till takes no more."""
        with self._changed:
            if self._closed or len(self._new) >= self._bound:
                return False
            self._new.append(event)
            self._changed.notify()
            return True

    def put_again(self, event: EventT) -> None:
        """An event that had to wait."""
        with self._changed:
            self._again.append(event)
            self._changed.notify()

    def put_answer(self, event: EventT) -> None:
        """An answer to what the till asked for."""
        with self._changed:
            self._answers.append(event)
            self._changed.notify()

    def put_once(self, event: EventT) -> None:
        """News without content: while it has not been taken, the same again says nothing more."""
        with self._changed:
            if event not in self._answers:
                self._answers.append(event)
                self._changed.notify()

    def take(self, timeout: float) -> EventT | None:
        """The next event; None when nothing came within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(self._any, timeout)
            for events in (self._answers, self._again, self._new):
                if events:
                    return events.popleft()
            return None

    def close(self) -> None:
        """Refuse new events from now on; what is inside can still be taken."""
        with self._changed:
            self._closed = True

    def _any(self) -> bool:
        return bool(self._answers or self._again or self._new)
