"""Messages of /v1/admin. Those of tills, some of which stand in these, are in `loyalty.wire`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from loyalty.ledger import EntryKind
from loyalty.quote import Lot, Texts
from loyalty.wire import Count, Heartbeat, Named

After = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Said = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""What somebody has typed, for people."""
CardNumber = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern=r"^[^\x00-\x1f\x7f]*$")]
Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]


class Nothing(msgspec.Struct, frozen=True):
    """A call whose address says all."""


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


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """Something odd that nobody has seen to yet, and what a person should do."""

    id: int
    at: datetime
    kind: str
    device: str
    till: str | None
    member: str | None
    row_id: str | None
    detail: str
    todo: Texts


class Flags(msgspec.Struct, frozen=True):
    """200: a page of open flags, the oldest first; `next` = there are more."""

    flags: tuple[Flag, ...]
    next: int | None


class Close(msgspec.Struct, frozen=True):
    """Somebody has seen to it; what came of it."""

    note: Said


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """200: the flag is closed. The same note of the same operator again gets the same answer."""

    id: int
    closed_at: datetime
    closed_by: str
    note: str


class Find(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who holds this card, or has this telephone; one of the two."""

    card: After = ""
    phone: After = ""


class Found(msgspec.Struct, frozen=True):
    """200: his id; None = nobody."""

    member: str | None


class Card(msgspec.Struct, frozen=True):
    """A card, and since when it is blocked."""

    card: str
    since: datetime
    blocked_at: datetime | None


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed to, in which version of the text, when and where."""

    purpose: str
    text_version: int
    language: str
    accepted_at: datetime
    channel: str
    store: str | None
    withdrawn_at: datetime | None


class EntryLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger; of a correction with its reason."""

    kind: EntryKind
    points: int
    at: datetime
    booked_at: datetime
    row_id: str
    store: str | None
    till: str | None
    number: str | None
    reason: str | None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """200: a member as people see him; a balance below zero is a debt. `entries` are the last fifty, the newest first."""

    id: str
    joined: str | None
    erased_at: datetime | None
    balance: int
    lots: tuple[Lot, ...]
    tier: str | None
    stamps: dict[str, int]
    coupons: tuple[str, ...]
    pays_offline: bool
    consent: str
    greeting: str | None
    phone: str | None  # masked
    cards: tuple[Card, ...]
    consents: tuple[Agreed, ...]
    entries: tuple[EntryLine, ...]


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """Which days, both included; all stores, or one. `after` = the `next` of the page before."""

    since: date
    until: date
    store: After = ""
    after: After = ""
    limit: Limit = 100


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A business day of a store: receipts and what was paid for them, points earned and paid with, and what returns gave and
    took back of both.
    """

    day: date
    store: str
    receipts: int
    turnover: int
    earned: int
    paid: int
    given_back: int
    taken_back: int


class DayReport(msgspec.Struct, frozen=True):
    """200: a page of days, of each day all stores; `next` = there are more."""

    days: tuple[Day, ...]
    next: str | None


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """200: what all members have together, and what they owe."""

    members: int
    points: int
    debtors: int
    debt: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """PUT: points to give to a member, or below zero to take from him, and why."""

    member: Id
    points: Annotated[int, msgspec.Meta(ge=-(10**12), le=10**12)]
    reason: Said


class Corrected(msgspec.Struct, frozen=True):
    """200: booked. The same id and words again get the same answer."""

    id: str
    member: str
    points: int
    at: datetime


class Revoked(msgspec.Struct, frozen=True):
    """200: whatever this device asks is refused."""

    device: str


class CodeFor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A store, which gets one more device by the code, or a device, which goes on with a new key; one of the two."""

    store: After = ""
    device: After = ""


class ClaimCode(msgspec.Struct, frozen=True):
    """200: `claim_code` of a store PC's configuration, good once and until then."""

    code: str
    expires_at: datetime


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A programme that was published."""

    revision: int
    starts_at: datetime
    published_at: datetime
    in_force: bool


class Revisions(msgspec.Struct, frozen=True):
    """200: a page of revisions; `next` = there are more."""

    revisions: tuple[Revision, ...]
    next: int | None


class NewProgramme(msgspec.Struct, frozen=True):
    """A programme document, in the shape of its JSON Schema (`tillmate programme schema`)."""

    document: msgspec.Raw


class Published(msgspec.Struct, frozen=True):
    """200: tills get it from now on; not `new` = it was published before."""

    revision: int
    new: bool


class LostCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card of the member that is refused from now on, and one that takes its place; "" = none yet."""

    lost: CardNumber
    new: After = ""


class Cards(msgspec.Struct, frozen=True):
    """200: the member's cards, the oldest first."""

    cards: tuple[Card, ...]


class Erased(msgspec.Struct, frozen=True):
    """200: nothing tells who he was, since then."""

    member: str
    erased_at: datetime
