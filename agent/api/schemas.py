"""Bodies of the local API: what a request may hold and what an answer looks like, beside the structs of `agent.views`.

A reader ignores fields that it does not know. Sizes are bounded here; what the numbers mean is judged by the engine.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agent.views import PartState, Prints, ReceiptRef
from loyalty.quote import Line

Scope = Literal["scan", "sale", "print", "admin"]
Points = Annotated[int, Meta(ge=0, le=2**53)]
Code = Annotated[str, Meta(min_length=1, max_length=512)]
Short = Annotated[str, Meta(min_length=1, max_length=64)]


class IdentifyRequest(msgspec.Struct, frozen=True):
    """Who is this? `code` is what the scanner read or the cashier typed."""

    code: Code


class BasketRequest(msgspec.Struct, frozen=True):
    """The open receipt as it is now, and how many points shall pay."""

    lines: Annotated[tuple[Line, ...], Meta(max_length=1000)]
    redeem: Points | Literal["max"] = 0


class SaleRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The receipt of that quote is closed. The same body again gets the same answer."""

    quote_id: Short
    redeemed: Points
    receipt: ReceiptRef
    prints: Prints
    cashier: Annotated[str, Meta(max_length=64)] | None = None

    def fingerprint(self) -> str:
        """SHA-256 of the meaning of the body: layout, order of keys and unknown fields do not count."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


class EnrolRequest(msgspec.Struct, frozen=True):
    """Print an enrolment QR now."""


class Doubtful(msgspec.Struct, frozen=True):
    """A receipt of which nobody knows whether it came out: job number and since when."""

    job: int
    at: datetime


class DoubtfulReceipts(msgspec.Struct, frozen=True):
    """The newest first."""

    receipts: tuple[Doubtful, ...]


class Decision(msgspec.Struct, frozen=True):
    """`again` prints a copy that says that it is one; `leave` lets it be: it came out, or nobody wants it."""

    decision: Literal["again", "leave"]


class PairingRequest(msgspec.Struct, frozen=True):
    """A one-time code from `tillmate open`."""

    code: Short


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """What the code has bought. A page gets its token as an HttpOnly cookie instead and sees None here."""

    till: str
    scopes: tuple[Scope, ...]
    token: str | None


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the queue to the central server stands."""

    pending: int
    oldest_at: datetime | None
    rejected: int
    last_seq: int


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """How this agent is. `device` and `store` are None until the device is claimed, `queue` while there is none to read."""

    version: str
    device: str | None
    store: str | None
    parts: tuple[PartState, ...]
    queue: QueueState | None


class Health(msgspec.Struct, frozen=True):
    """Empty `failing` = well (200); else what is not (503)."""

    failing: tuple[str, ...]
