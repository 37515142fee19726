"""What people should look at: booked or not, something about it is odd."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from loyalty_server.devices import Device
from loyalty_server.storage.statements import within
from loyalty_server.storage.tables import flags

Kind = Literal[
    "clock_ahead",  # a receipt from the future: booked at its arrival
    "coupon_reused",  # a coupon that its member has used before
    "epoch",  # a queue goes on under a new epoch: salvaged, restored, forked
    "epoch_refused",  # two queues of one device are at work, or one on another machine: a copied disk
    "fork",  # rows that do not continue what the device has sent: a cloned or restored disk
    "late",  # receipts that were long under way
    "quote_differs",  # the engine says other numbers than the till printed
    "rejected",  # a row that was not booked
    "return_pending",  # a return whose sale has not come in all this time
    "returned_too_much",  # more came back than was sold
    "shortfall",  # points were paid that the member did not have, or that were held for another receipt
    "sums",  # the printed numbers do not add up
    "token_forged",  # an enrolment token that this device cannot have made
    "token_reused",  # an enrolment token that stands on another receipt
    "unknown_card",  # nobody's card: booked without a member
    "unknown_member",  # a member whom the server does not have: booked without him
    "unknown_programme",  # a revision that the server does not have: its points never burn
    "unknown_till",  # a till that the store does not have
]

REPEATED = 2
"""So many shortfalls of a member within `WATCHED`, and he pays with points only while the server is asked."""
WATCHED = timedelta(days=90)

COLUMNS = ("at", "kind", "device", "row_id", "till", "member", "detail")


def line(
    kind: Kind,
    now: datetime,
    device: Device,
    *,
    row_id: str | None = None,
    till: str | None = None,
    member: str | None = None,
    detail: str = "",
) -> tuple[object, ...]:
    """What to write down, in the order of the columns."""
    return (now, kind, device.id, row_id, till, member, detail)


def flag(
    connection: Connection, kind: Kind, now: datetime, device: Device, *, row_id: str | None = None, detail: str = ""
) -> None:
    """Write it down."""
    values = line(kind, now, device, row_id=row_id, detail=detail)
    connection.execute(insert(flags).values(dict(zip(COLUMNS, values, strict=True))))


def shortfalls(connection: Connection, now: datetime, members: Collection[str]) -> dict[str, int]:
    """Return how often each of these members has paid with points that were not there."""
    lately = select(flags.c.member, func.count()).where(flags.c.kind == "shortfall", flags.c.at > now - WATCHED)
    found = lately.where(within(connection, flags.c.member, members)).group_by(flags.c.member)
    return {row[0]: row[1] for row in connection.execute(found)}
