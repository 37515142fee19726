"""What a response means: a message of our server, or the error that says what to do.

Only a well-formed reply counts. A proxy's login page with 200, half a reply and another server's error page are all the
same: nobody knows what became of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from agent.sync.errors import (
    EpochTaken,
    EpochUnknown,
    Fork,
    Gap,
    Gone,
    NotAuthorised,
    ServerBusy,
    ServerRejected,
    ServerUnreachable,
    TooLarge,
)
from loyalty.columns import unpack
from loyalty.errors import TillmateError
from loyalty.wire import ChangesPage, PackedPage, Problem

LONGEST_PAUSE = 3600.0
"""Seconds; a server may not send a till away for longer."""

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """An HTTP response, read to its end. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def read(answer: Answer, shape: type[T]) -> T:
    """The message in a successful answer. Raises ServerUnreachable."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ServerUnreachable(
            f"status {answer.status} with something else than a {shape.__name__}", "reply"
        ) from error


def page(answer: Answer) -> ChangesPage:
    """The page of members in a successful answer. Raises ServerUnreachable."""
    try:
        return unpack(read(answer, PackedPage))
    except msgspec.ValidationError as error:
        raise ServerUnreachable(f"a page of members that is none: {error}", "reply") from error


def refusal(answer: Answer, now: datetime) -> TillmateError:
    """What an unsuccessful answer means. `now` is for a date in Retry-After where the answer itself has none."""
    problem = _problem(answer)
    if answer.status in (429, 503):
        return ServerBusy(
            f"the server answers {answer.status}",
            retry_after(answer.headers.get("retry-after", ""), date_of(answer) or now),
        )
    if answer.status in (401, 403):
        return NotAuthorised(
            f"the server answers {answer.status}", problem.code if problem else f"http_{answer.status}"
        )
    if answer.status == 413:
        return TooLarge(problem or _plain(413, "too_large"))
    if problem is None:
        return ServerUnreachable(f"the server answers {answer.status}", "server")
    if problem.code in _KNOWN:
        return _KNOWN[problem.code](problem)
    return (
        ServerBusy(f"the server answers {problem.code}", 0.0, problem.code)
        if problem.retryable
        else ServerRejected(problem)
    )


def clock_of(answer: Answer) -> datetime | None:
    """The server's time, when it answers that the clocks differ."""
    problem = _problem(answer) if answer.status == 401 else None
    return (problem.server_time or date_of(answer)) if problem and problem.code == "clock" else None


def date_of(answer: Answer) -> datetime | None:
    """When the server says that it answered."""
    return _date(answer.headers.get("date", ""))


def retry_after(value: str, now: datetime) -> float:
    """Seconds to wait by a Retry-After header, in seconds or as a date; 0 for nothing or nonsense, at most an hour."""
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value[:9]), LONGEST_PAUSE)
    at = _date(value)
    return 0.0 if at is None else min(max((at - now).total_seconds(), 0.0), LONGEST_PAUSE)


_KNOWN: Mapping[str, Callable[[Problem], ServerRejected]] = {
    "gap": Gap,
    "fork": Fork,
    "epoch_unknown": EpochUnknown,
    "epoch_taken": EpochTaken,
    "refill": Gone,
}


def _date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _problem(answer: Answer) -> Problem | None:
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return problem if problem.status == answer.status else None


def _plain(status: int, code: str) -> Problem:
    return Problem(type="about:blank", title=code, status=status, code=code, retryable=False)
