"""What a call to the server may end in, by what the till does about it.

TillmateError
├── ServerUnreachable      unknown outcome: the same again, with jitter
├── ServerBusy             the same again, not before `retry_after`
├── NotAuthorised          longest wait at once, own alarm: 401, 403
└── ServerRejected         a refusal by our server, with its problem: never the same again by itself
    ├── Gap                409: go on at `expect`
    ├── Fork               409: go on under a new epoch
    ├── EpochUnknown       409: open the epoch first
    ├── EpochTaken         409: open it under another name
    ├── Gone               410: the cursor is void, refill the replica
    └── TooLarge           413: halve the batch
"""

from __future__ import annotations

from typing import Literal

from loyalty.errors import TillmateError
from loyalty.wire import Problem

Reason = Literal["network", "tls", "tls_time", "reply", "server"]


class ServerUnreachable(TillmateError):
    """No usable answer: nobody knows whether the server has done it. `reason` says where it broke."""

    code = "server_unreachable"

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message, reason=reason)
        self.reason = reason


class ServerBusy(TillmateError):
    """Not now: 429, 503 or a problem that calls itself retryable. `retry_after` in seconds, 0 = it did not say."""

    code = "server_busy"

    def __init__(self, message: str, retry_after: float, why: str = "busy") -> None:
        super().__init__(message, why=why)
        self.retry_after = retry_after
        self.why = why


class NotAuthorised(TillmateError):
    """The server does not take this device's word; `why` is its code (`clock`, `device_revoked`, ...)."""

    code = "not_authorised"

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message, why=why)
        self.why = why


class ServerRejected(TillmateError):
    """Our server refused this request for a reason of its own."""

    code = "server_rejected"

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.title}", why=problem.code)
        self.problem = problem


class Gap(ServerRejected):
    """The server waits for an older row: `expect`."""

    code = "gap"

    @property
    def expect(self) -> int:
        """The seq to go on with; 0 where the server did not say."""
        return self.problem.expect or 0


class Fork(ServerRejected):
    """The server holds other rows under these numbers."""

    code = "fork"

    @property
    def expect(self) -> int | None:
        """The seq behind the last row that the server has booked of this epoch, where it says so."""
        return self.problem.expect


class EpochUnknown(ServerRejected):
    """The server has not opened this epoch, or has lost it with a backup that was put back."""

    code = "epoch_unknown"


class EpochTaken(ServerRejected):
    """The epoch is closed, or another device's."""

    code = "epoch_taken"


class Gone(ServerRejected):
    """The cursor is of another life of the server."""

    code = "gone"


class TooLarge(ServerRejected):
    """The batch is too large for the server or for a proxy before it."""

    code = "too_large"
