"""What the server says no with: RFC 9457 problems with a stable type, code and `retryable`.

A `Refused` is raised by the parts behind the HTTP edge and becomes the reply there. Rows of a batch are refused one by
one instead: their problem goes into the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, TypedDict, Unpack

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from loyalty.wire import Problem


class _Kind(NamedTuple):
    status: int
    title: str
    retryable: bool = False


_KINDS = {
    # who asks
    "bad_signature": _Kind(401, "The request is not signed by a known device"),
    "clock": _Kind(401, "The clocks of device and server differ", retryable=True),
    "device_revoked": _Kind(401, "This device may not ask any more"),
    "operator_unknown": _Kind(401, "The token is no operator's"),
    "operator_reads_only": _Kind(403, "This operator may only read"),
    "wrong_host": _Kind(421, "This server does not answer under that name"),
    # claims
    "claim_code_unknown": _Kind(403, "The code is not known or has expired"),
    "claim_code_used": _Kind(409, "The code has made another device"),
    "key_known": _Kind(409, "The key belongs to another device"),
    "key_old": _Kind(409, "Only the key in force may be changed for another"),
    "key_unproved": _Kind(403, "The proof is not signed by the new key"),
    # requests
    "not_found": _Kind(404, "There is nothing here"),
    "method_not_allowed": _Kind(405, "Not with this method"),
    "malformed": _Kind(400, "The request cannot be read"),
    "too_large": _Kind(413, "The request is too large"),
    "header_too_large": _Kind(431, "The header is too large"),
    "media_type": _Kind(415, "The body is neither plain nor gzip"),
    "too_many_requests": _Kind(429, "This device or operator asks too often", retryable=True),
    "too_slow": _Kind(408, "The body did not come in time", retryable=True),
    "busy": _Kind(503, "The server is busy", retryable=True),
    "internal": _Kind(500, "The server failed", retryable=True),
    # joining at the till
    "phone_unreadable": _Kind(422, "This is no telephone number"),
    "consent_missing": _Kind(422, "Nobody joins without agreeing to the use of his data"),
    "consent_text_unknown": _Kind(422, "There is no such version of the text that was agreed to"),
    "enrolment_unknown": _Kind(404, "The token is not one of this device"),
    "enrolment_expired": _Kind(410, "The token's time is over"),
    "enrolment_used": _Kind(410, "Somebody has joined by this token"),
    "too_many_codes": _Kind(429, "Too many codes for this phone or token: tomorrow again"),
    "too_many_claims": _Kind(429, "This phone has claimed enough receipts: tomorrow again"),
    "code_wrong": _Kind(422, "Not the code that was sent"),
    "code_void": _Kind(410, "The code does not hold any more: ask for a new one"),
    "code_not_sent": _Kind(503, "The code did not leave", retryable=True),
    # what people do
    "flag_closed": _Kind(409, "Somebody has closed this flag before, with another note"),
    "card_unknown": _Kind(404, "The member has no such card"),
    "card_taken": _Kind(409, "The new card is somebody's, or was blocked"),
    "correction_conflict": _Kind(409, "Something else was corrected under this id"),
    "programme_invalid": _Kind(422, "The document is no programme"),
    "revision_taken": _Kind(409, "This revision says something else already, or there is a later one"),
    # programme and feed
    "no_programme": _Kind(404, "No programme is in force", retryable=True),
    "refill": _Kind(410, "The cursor is of another life of this server: begin from nothing"),
    # holds
    "redemption_stopped": _Kind(409, "Points cannot be paid with here at present"),
    "member_unknown": _Kind(404, "There is no such member"),
    "points_short": _Kind(409, "So many points are not there, or are held for another receipt"),
    "coupon_not_free": _Kind(409, "A coupon is not the member's, or is held for another receipt"),
    "hold_over": _Kind(409, "This hold has been used or released, or is another member's"),
    # batches
    "gap": _Kind(409, "Rows are missing before the first one", retryable=True),
    "fork": _Kind(409, "These rows are not a continuation of what this device has sent"),
    # epochs
    "epoch_unknown": _Kind(409, "Open this epoch first", retryable=True),
    "epoch_taken": _Kind(409, "The epoch is closed, or another device's"),
    "epoch_code": _Kind(403, "Another queue of this device is at work: claim it again with a code"),
    # rows
    "row_malformed": _Kind(422, "The row cannot be read"),
    "row_damaged": _Kind(422, "The row could not be read any more on the till"),
    "row_hash": _Kind(422, "The row does not match its hash"),
    "row_kind": _Kind(422, "Rows of this kind are not known here"),
    "row_schema": _Kind(422, "Rows of this schema are not known here"),
    "row_id_reused": _Kind(422, "Another row has this id"),
    "row_not_booked": _Kind(422, "The row could not be booked"),
    "foreign_epoch": _Kind(422, "The row was carried over from an epoch of another store"),
    "foreign_store": _Kind(422, "The receipt is of another store than the device"),
    "receipt_conflict": _Kind(409, "Something else is booked under this receipt"),
}
CODES = tuple(_KINDS)


class More(TypedDict, total=False):
    """What some problems say besides, as fields of their own (see `loyalty.wire.Problem`)."""

    expect: int
    server_time: datetime
    retry_after: int
    left: int
    most: int
    coupons: tuple[str, ...]


def problem(code: str, detail: str = "", **more: Unpack[More]) -> Problem:
    """Return the problem of this code."""
    kind = _KINDS[code]
    return Problem(
        type=f"urn:tillmate:problem:{code}",
        title=kind.title,
        status=kind.status,
        code=code,
        retryable=kind.retryable,
        detail=detail,
        **more,
    )


class Refused(Exception):
    """The answer to the request is this problem."""

    def __init__(self, said: Problem) -> None:
        super().__init__(said.code)
        self.problem = said


def refuse(code: str, detail: str = "", **more: Unpack[More]) -> Refused:
    """Return the exception to raise."""
    return Refused(problem(code, detail, **more))


def reply(said: Problem) -> Response:
    """Return the HTTP response that carries a problem."""
    headers: Mapping[str, str] = {"cache-control": "no-store"}
    if said.status == 503 or said.retry_after is not None:
        headers = {**headers, "retry-after": str(said.retry_after or 1)}
    if said.status == 401:
        headers = {**headers, "www-authenticate": "Bearer"}
    content = msgspec.json.encode(said)
    return _ProblemReply(content, said.status, headers, said.code)


class _ProblemReply(Response):
    """Leaves its code where the log finds it."""

    media_type = "application/problem+json"

    def __init__(self, content: bytes, status: int, headers: Mapping[str, str], code: str) -> None:
        super().__init__(content, status, headers)
        self._code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        scope.setdefault("state", {})["problem"] = self._code
        await super().__call__(scope, receive, send)
