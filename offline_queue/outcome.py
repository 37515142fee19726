"""What the writer owes to whoever handed an operation in: a Future's part of it, with two plain locks in place of a condition.

To make, settle and await one of `concurrent.futures` takes as long as the rest of a commit without the disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Generic, TypeVar, cast

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class Outcome(Generic[ResultT]):
    """Of one operation. `begin`, `succeed` and `fail` are the writer's, the rest is for any thread."""

    __slots__ = ("_begun", "_callbacks", "_error", "_owed", "_result", "_settled")

    def __init__(self) -> None:
        self._begun = threading.Lock()  # whoever gets it decides: the writer carries it out, or the asker takes it back
        self._owed = threading.Lock()  # held until it is settled
        self._owed.acquire()
        self._settled = False
        self._result: ResultT | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Outcome[ResultT]], object]] = []

    def done(self) -> bool:
        """Whether it is settled."""
        return self._settled

    def result(self, timeout: float | None = None) -> ResultT:
        """Wait for it. Raises what the operation raised, CancelledError, and TimeoutError after so many seconds."""
        error = self.exception(timeout)
        try:
            if error is not None:
                raise error
            return cast(ResultT, self._result)
        finally:
            del error, self  # or the error's traceback would hold on to itself

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `result` would raise, or None. Raises TimeoutError after so many seconds."""
        if not self._settled:
            if not self._owed.acquire(timeout=-1 if timeout is None else timeout):
                raise TimeoutError
            self._owed.release()  # for others who wait
        return self._error

    def add_done_callback(self, callback: Callable[[Outcome[ResultT]], object]) -> None:
        """Call it once this is settled, in the writer's thread, or at once."""
        self._callbacks.append(callback)
        if self._settled:
            self._call_back()

    def cancel(self) -> bool:
        """Take the operation back; False when the writer has begun with it."""
        if self._begun.acquire(blocking=False):
            self.fail(CancelledError())
            return True
        return False

    def begin(self) -> bool:
        """Whether it is still to be carried out."""
        return self._begun.acquire(blocking=False)

    def succeed(self, result: ResultT) -> None:
        """It is done."""
        self._result = result
        self._settle()

    def fail(self, error: BaseException) -> None:
        """It is not done."""
        self._error = error
        self._settle()

    def _settle(self) -> None:
        self._settled = True
        self._owed.release()
        if self._callbacks:
            self._call_back()

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.pop(0)
            except IndexError:  # the writer and the asker are both here
                return
            try:
                callback(self)
            except Exception:
                log.exception("queue callback=failed")  # it must not end the writer
