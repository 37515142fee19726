"""Messages between till and central server (protocol section 1): the same structs on both sides.

JSON, UTF-8. A reader ignores fields that it does not know, so that a newer peer may add some. Bytes travel as base64url
without padding, hashes as lower-case hex, times as RFC 3339. Secrets travel in bodies and headers, never in a URL.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec

from loyalty.quote import Basket, MemberState, Quote, Texts

SCHEMA = 1
"""Version of the row bodies below; every row carries it."""

MAX_BATCH = 500
"""Most rows in one POST /v1/events."""

MOST = (1 << 62) - 1
"""No number on the wire is larger: each fits into 64 bits, with room to count on."""

Time = Annotated[datetime, msgspec.Meta(tz=True)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
PublicKey = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
"""A raw Ed25519 key, base64url without padding."""
EpochName = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9]{1,64}$")]


class Named(msgspec.Struct, frozen=True):
    """A store or a till, as people call it."""

    id: str
    name: str


class ClaimRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/devices: a one-time code buys an identity for the public key that the store PC has just made."""

    code: str
    public_key: PublicKey
    machine: str  # machine id, so that a cloned disk image is refused with 409
    version: str
    epoch: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9]{0,64}$")] = ""  # the one that the till has begun already;
    # "" = the server makes one


class ClaimReply(msgspec.Struct, frozen=True, kw_only=True):
    """201: who this device is and the keys it works with."""

    device: str
    device_number: int  # 28 bits, goes into enrolment tokens
    store: Named
    tills: tuple[Named, ...]
    epoch: str
    programme_key: str  # raw Ed25519 public key, base64url; pinned
    token_key: str  # HMAC key of enrolment tokens, base64url
    token_generation: int
    ident_key: str  # HMAC key of this store's replica idents, base64url
    enrolment_url: str  # scheme and host of the QR on paper, "https://example.org"


class Programmes(msgspec.Struct, frozen=True):
    """GET /v1/programme: compact JWS (alg Ed25519) over the programme as JSON."""

    current: str
    next: str | None = None


class Included(msgspec.Struct, frozen=True):
    """The last row of this device that a page of changes has counted in; seq 0 = none yet."""

    epoch: str
    seq: int


class MemberChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member of the replica as he is now, or a tombstone (`state` is None)."""

    member: str
    idents: tuple[str, ...] | None = None  # of each card, see loyalty.codes.ident; None = as the till has them already
    greeting: str | None = None  # first name, only where the member allowed it
    state: MemberState | None = None


class ChangesPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of members who have changed. `next` is the cursor for the next page.

    `includes` speaks of the epoch that was asked about: the one in which the till numbers its rows now.
    """

    changes: tuple[MemberChange, ...]
    next: str
    complete: bool
    includes: Included


class Column(msgspec.Struct, frozen=True, array_like=True):
    """One field of all members of a page: the names that lead to it in a MemberChange, and a value for each member."""

    path: tuple[str, ...]
    values: tuple[Any, ...]  # null = the field is not there


class PackedPage(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/members/changes?since=CURSOR&epoch=EPOCH: a ChangesPage, by columns. 410 = refill from nothing."""

    count: int
    columns: tuple[Column, ...]
    next: str
    complete: bool
    includes: Included


class MemberSearch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """POST /v1/members/search: who holds this card, or this telephone; one of the two. `epoch` as in a ChangesPage."""

    card: str = ""
    phone: str = ""
    epoch: str = ""


class MemberSearchReply(msgspec.Struct, frozen=True, kw_only=True):
    """200: the member as he is now; None = nobody. `includes` as in a ChangesPage."""

    found: MemberChange | None
    includes: Included


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """PUT /v1/holds/{hold}: reserve points, and coupons, of a member for an open receipt. The id is the till's own."""

    member: str
    till: str
    points: int
    coupons: tuple[str, ...] = ()


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """200: they are held until then, or until the sale that carries the id is booked."""

    id: str
    points: int
    coupons: tuple[str, ...]
    expires_at: datetime


class ReceiptId(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The identity of a paper receipt. Unique together with the store; fiscal tills add fn, fd, fp."""

    store: str
    till: str
    business_day: date
    shift: str
    number: str
    fn: str | None = None
    fd: str | None = None
    fp: str | None = None


class Sale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a row of kind `sale`: everything that is needed to book what the till printed and to check it."""

    receipt: ReceiptId
    basket: Basket
    quote: Quote
    offline: bool
    member: str | None = None  # from the replica
    card: str | None = None  # a recognised card that the replica does not hold
    member_state: MemberState | None = None
    token: str | None = None  # enrolment token (32 base32 characters) printed on a receipt without a card
    cashier: str | None = None
    hold: str | None = None  # id of the hold that the points were reserved with


class Return(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a row of kind `return`, and what it did to a member (see `loyalty.returns`): points both ways, and what
    leaves the sale's own counters. `pending` = the till did not know the sale and says no points: they follow from it.
    """

    receipt: ReceiptId  # the return's own
    sale: ReceiptId
    day: date  # the sale's local day, whose periods the counters are of
    refund: int
    points_back: int = 0
    clawback: int = 0
    purchases: int = 0
    turnover: int = 0
    earnings: int = 0
    redemptions: int = 0
    units: tuple[int, ...] = ()  # thousandths of each line of the sale that came back; () = all that is left
    pending: bool = False
    member: str | None = None
    cashier: str | None = None


class Cancellation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a row of kind `cancellation`: a sale that was sent never came to be; all of it is taken back."""

    sale: ReceiptId
    cashier: str | None = None


class Consent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a row of kind `consent`: what a member, named by id or by card, has said at the till."""

    till: str
    consent: Literal["given", "withdrawn"]
    member: str | None = None
    card: str | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a row of kind `shown`: the sentence that the cashier was given to say."""

    till: str
    prompt: Texts
    member: str | None = None
    receipt: ReceiptId | None = None  # once there was one
    programme_revision: int | None = None


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a row of kind `enrolment`: an enrolment QR was asked for at the till, outside a sale."""

    till: str
    token: str


class Origin(msgspec.Struct, frozen=True):
    """Where a row stood before it was carried into a new epoch; if it is booked there, it is a duplicate here."""

    epoch: str
    seq: int


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a device's queue as it travels. `body` is the stored JSON text, byte for byte, because `hash` covers it.

    A row that cannot be read any more travels as `damaged`: with an empty body and the hash it was stored with, so that
    numbering and chain go on.
    """

    seq: int
    id: str  # UUIDv4; a row that is carried over keeps it
    kind: Literal["sale", "return", "cancellation", "enrolment", "consent", "shown", "damaged"]
    at: str  # RFC 3339, exactly as hashed
    body: str
    schema: int
    hash: str
    origin: Origin | None = None
    corrects: int | None = None  # seq of a rejected row that a person sends again as this one


class EventBatch(msgspec.Struct, frozen=True):
    """POST /v1/events, gzip: up to MAX_BATCH rows of one epoch, in order, without a hole."""

    epoch: str
    rows: tuple[Row, ...]
    after: str = ""  # hash of the row before the first, where that one is settled; "" = not said


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 problem details with a stable `code`; also the reason of a rejected row."""

    type: str
    title: str
    status: int
    code: str
    retryable: bool
    detail: str = ""
    expect: int | None = (
        None  # 409 gap and fork: the seq behind the last one that is booked of the epoch, as far as it is this till's
    )
    server_time: datetime | None = None  # 401 clock
    retry_after: int | None = None  # 429: seconds, as in Retry-After
    most: int | None = None  # 409 points_short: so many can be held
    coupons: tuple[str, ...] = ()  # 409 coupon_not_free: those that cannot be held
    left: int | None = None  # 422 code_wrong: tries that are left


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one row."""

    seq: int
    verdict: Literal["accepted", "duplicate", "rejected"]
    problem: Problem | None = None


EpochReason = Literal["lost", "damaged", "restored", "fork", "pruned", "moved", "claimed"]
"""Why a queue goes on under a new epoch: its file was lost or unreadable, is an old copy, went two ways; the server asks
for rows that are kept no longer, or does not know the epoch any more; the file was moved to another machine; the device
was claimed again."""


class EpochRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/devices/epochs: the queue goes on as `epoch`, which the till has made itself; the old one is closed.

    `last_seq` and `last_hash` say where the old epoch ended as far as this till knows; 0 and "" = it does not.
    """

    epoch: EpochName
    old_epoch: str
    last_seq: Count
    last_hash: str
    reason: EpochReason
    machine: str
    instance: str = ""  # the opening of the queue file that asks, as in heartbeats


class EpochReply(msgspec.Struct, frozen=True, kw_only=True):
    """200: rows of `epoch` are taken from now on. `old_watermark` = last row that is booked of the old epoch."""

    device: str
    epoch: str
    old_watermark: int


class EventReply(msgspec.Struct, frozen=True):
    """200 to an event batch. `watermark` = last seq booked of this epoch; a row is done only up to it."""

    device: str
    epoch: str
    watermark: int
    verdicts: tuple[Verdict, ...]


class KeyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """PUT /v1/devices/me/key: the device goes on with another key, `proof` = a request token that the new key has signed.
    The same again gets the same answer.
    """

    public_key: PublicKey
    proof: str


class KeyReply(msgspec.Struct, frozen=True, kw_only=True):
    """200: the new key is in force; the old one is good until then, too (None = there is none)."""

    device: str
    old_key_until: Time | None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """POST /v1/heartbeat: how this device is, and where its queue stands."""

    epoch: str
    last_seq: Count
    last_hash: str
    pending: Count
    oldest_pending_at: Time | None
    version: str
    programme_revision: int | None
    devices: dict[str, str]  # device name -> state word
    at: Time
    opened: Count = 0  # how often the queue file has been opened, and a name for this opening: two copies of a file
    instance: str = ""  # differ in one of them
    settled_hash: str = ""  # of the row last_seq - pending; "" = there is none


class HeartbeatReply(msgspec.Struct, frozen=True):
    """Server time and what to do: `fetch_programme`, `open_epoch`, `stop_redemption`, `rotate_key`.

    `watermark` and `last_hash` say what is booked of the epoch that was asked about (None = the server does not know
    it); a till compares them with its own past. `diverged`: under the number of its last settled row another one is booked.
    `spread` = after an outage, spread the first delivery over so many seconds.
    """

    at: datetime
    commands: tuple[str, ...] = ()
    watermark: int | None = None
    last_hash: str = ""
    spread: int = 60
    diverged: bool = False
