"""Messages of /v1/admin. Those of tills, some of which stand in these, are in `loyalty.wire`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from loyalty.wire import Count, Heartbeat, Named

After = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]


class ByName(msgspec.Struct, frozen=True, kw_only=True):
    """Which page: what comes behind `after`, which is the `next` of the page before."""

    after: After = ""
    limit: Limit = 100


class ByNumber(msgspec.Struct, frozen=True, kw_only=True):
    """Which page: what comes behind `after`, which is the `next` of the page before."""

    after: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)] = 0
    limit: Limit = 100


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """A store: its tills, how many devices it has that are not revoked."""

    id: str
    name: str
    tills: tuple[Named, ...]
    devices: int
    redemption_stopped_at: datetime | None


class Stores(msgspec.Struct, frozen=True):
    """200: a page of stores; `next` = there are more."""

    stores: tuple[Store, ...]
    next: str | None


class DeviceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A store PC: how far its queue is booked, and what it said last."""

    id: str
    store: str
    state: Literal["in_use", "revoked"]
    version: str
    claimed_at: datetime
    seen_at: datetime | None
    revoked_at: datetime | None
    redemption_stopped_at: datetime | None
    epoch: str
    last_seq: Count
    heartbeat: Heartbeat | None


class Devices(msgspec.Struct, frozen=True):
    """200: a page of devices; `next` = there are more."""

    devices: tuple[DeviceLine, ...]
    next: int | None
