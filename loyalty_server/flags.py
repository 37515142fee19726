"""What people should look at: booked or not, something about it is odd."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, insert

from loyalty_server.devices import Device
from loyalty_server.storage.tables import flags

Kind = Literal[
    "clock_ahead",  # a receipt from the future: booked at its arrival
    "epoch",  # a queue goes on under a new epoch: salvaged, restored, forked
    "epoch_refused",  # two queues of one device are at work, or one on another machine: a copied disk
    "fork",  # rows that do not continue what the device has sent: a cloned or restored disk
    "rejected",  # a row that was not booked
    "shortfall",  # points were paid that the member did not have, or that were held for another receipt
    "sums",  # the printed numbers do not add up
    "token_forged",  # an enrolment token that this device cannot have made
    "token_reused",  # an enrolment token that stands on another receipt
    "unknown_card",  # nobody's card: booked without a member
    "unknown_member",  # a member whom the server does not have: booked without him
    "unknown_till",  # a till that the store does not have
]


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
