"""The board that says in words how each part of the till is: network, queue, printers, scanners, programme.

Any thread writes with `set`; the cashier page, `tillmate status` and the heartbeat read `snapshot`. A change is told to
the subscribers once; saying the same again is quiet, so callers may set as often as they like.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from agent.clock import Clock
from agent.views import Health, Part, PartState
from loyalty import i18n
from loyalty.quote import Texts

log = logging.getLogger(__name__)

Board = tuple[PartState, ...]
Listener = Callable[[Board], None]


class Status:
    """Thread-safe. Listeners are called in the thread of the writer, outside the lock, and must not block."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._telling = threading.RLock()  # keeps boards in order: nobody is told an older board after a newer one
        self._parts: dict[tuple[str, str], PartState] = {}
        self._listeners: tuple[Listener, ...] = ()

    def set(self, part: Part, name: str, state: Health, key: str, **params: str | int) -> None:
        """Put the text `key` (ru and en) for that part; `since` moves only when the state changes."""
        text = _words(key, params)
        with self._lock:
            old = self._parts.get((part, name))
            if old is not None and (old.state, old.text) == (state, text):
                return
            since = old.since if old is not None and old.state == state else self._clock.now()
            self._parts[part, name] = PartState(part=part, name=name, state=state, text=text, since=since)
        self._tell()

    def snapshot(self) -> Board:
        """Return every part, in a stable order."""
        with self._lock:
            return self._board()

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the whole board after each change."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def _tell(self) -> None:
        with self._telling:
            board = self.snapshot()
            for listener in self._listeners:
                listener(board)

    def _board(self) -> Board:
        return tuple(self._parts[key] for key in sorted(self._parts))


def _words(key: str, params: Mapping[str, str | int]) -> Texts:
    """A text that is missing is a mistake of ours, but no reason for a thread to end: then the key is shown."""
    try:
        return i18n.texts(key, **params)
    except KeyError:
        log.exception("status key=%s has no text for its parameters", key)
        return dict.fromkeys(i18n.LANGUAGES, key)
