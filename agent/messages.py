"""Everything that crosses from one thread to another, frozen.

A till's inbox takes scans, device news and the calls of the POS. A call carries the `Future` that its asker waits for;
the till puts a struct of `agent.views` into it, or a `loyalty.wire.Problem`. The pure checkout passes that future on
as an opaque token and never looks inside.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agent.views import Cancelled, Enrolled, Identified, Prints, Quoted, ReceiptRef, SaleAnswer
from drivers.base import Kind
from loyalty.quote import Basket
from loyalty.wire import Problem

Answer = Identified | Quoted | SaleAnswer | Cancelled | Enrolled | Problem
Reply = Future[Answer]


@dataclass(frozen=True, slots=True)
class Scanned:
    """A whole code from a scanner. `partial` = the device went away in the middle of it."""

    device: str
    data: bytes
    at: datetime
    partial: bool = False


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A device came or went. `code` is the stable code of the DeviceError, "" when up."""

    device: str
    kind: Kind
    up: bool
    code: str = ""


@dataclass(frozen=True, slots=True)
class Identify:
    """POS: who is this? `code` is what its scanner read or its cashier typed. -> Identified"""

    code: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class PutBasket:
    """POS: the open receipt as it is now, and how many points shall pay. -> Quoted"""

    basket: Basket
    redeem: int | Literal["max"]
    reply: Reply


@dataclass(frozen=True, slots=True)
class CommitSale:
    """POS: the receipt of that quote is closed. The same `quote_id` and `request_hash` again is the same sale. -> SaleAnswer"""

    quote_id: str
    redeemed: int
    receipt: ReceiptRef
    prints: Prints
    request_hash: str
    reply: Reply
    cashier: str | None = None


@dataclass(frozen=True, slots=True)
class CancelBasket:
    """POS: the receipt is not going to happen; the member leaves too. -> Cancelled"""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Enrol:
    """POS or cashier page: print an enrolment QR now, outside a sale. -> Enrolled"""

    reply: Reply


PosCall = Identify | PutBasket | CommitSale | CancelBasket | Enrol
TillEvent = Scanned | PosCall
"""What may be posted to a till from outside."""
