"""The words of the checkout: what it is told (events), what it knows (State, Context) and what it asks for (effects).

All of it is frozen data. Calls of the POS carry the future of their asker as an opaque token; an effect that takes time
goes to its owner thread and comes back as an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agent.messages import Answer, CommitSale, PutBasket, Reply, TillEvent
from agent.views import CodeKind, Sold, View
from loyalty.codes import CodeRules
from loyalty.i18n import Language
from loyalty.programme import Programme
from loyalty.quote import Basket, MemberState, Quote, Texts
from loyalty.wire import Included, Sale
from receipt_templates import templates
from receipt_templates.document import Document

Redeem = int | Literal["max"]

Render = Callable[[str, Language, Mapping[str, object]], Document]
"""Fills in the template of that name: `templates.render`, or one that puts the retailer's own templates first."""


@dataclass(frozen=True, slots=True)
class Known:
    """A member of this store as he is now: the replica with this till's own unsent sales counted in."""

    member: str
    greeting: str | None
    state: MemberState


@dataclass(frozen=True, slots=True)
class Told:
    """A member as the server shows him to a till whose replica does not hold him."""

    member: str
    greeting: str | None
    state: MemberState
    includes: Included

    def counted_in(self, epoch: str) -> int:
        """The last own row of this epoch that `state` holds already."""
        return self.includes.seq if self.includes.epoch == epoch else 0


@dataclass(frozen=True, slots=True)
class Attached:
    """The card that belongs to the open receipt. `known` is None for a card of somebody whom nobody here knows.

    A member who was found by telephone has his number in the place of the card, and is always known.
    """

    card: str
    known: Known | None

    @property
    def state(self) -> MemberState:
        """What the engine is told about the member."""
        return self.known.state if self.known else MemberState(as_of=None)


@dataclass(frozen=True, slots=True)
class Held:
    """Points and coupons that the server keeps for this receipt, or is asked to keep."""

    id: str
    member: str
    points: int
    coupons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A quote that may be committed: the basket, for whom, by which programme, at which time."""

    id: str
    at: datetime
    basket: Basket
    redeem: Redeem
    quote: Quote
    attached: Attached | None
    state: MemberState | None  # the member as the engine was told, with his counters rolled to the receipt's day
    token: str | None  # the enrolment token on its slip; None with a card
    programme: Programme
    store: str = ""
    offline: bool = True  # what may be paid with points follows the offline policy
    hold: Held | None = None
    taken: tuple[str, ...] = ()  # coupons of the member that the server keeps for another receipt, so not for this one


@dataclass(frozen=True, slots=True)
class Finding:
    """A card is being looked up: for the POS that waits for `reply`, or for a scan of `device`.

    With neither it is the card that is attached already, looked up again because something fresher may be known, or (`told`)
    what the server was asked about, whose own sales have to be counted in.
    """

    card: str
    reply: Reply | None = None
    device: str | None = None
    told: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """The server is asked who holds a card, or a telephone, until that tick at most: for `reply` or for `device`.

    `beside` is the card of the receipt meanwhile; with another one the answer is of no use any more.
    """

    key: str
    phone: bool
    beside: str | None
    until: float
    reply: Reply | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Storing:
    """A commit is under way. `offer` is None while the queue is asked for an older sale."""

    call: CommitSale
    offer: Offer | None


@dataclass(frozen=True, slots=True)
class Holding:
    """The server is asked to hold points and coupons of `offer`, until that tick at most."""

    call: PutBasket
    offer: Offer
    until: float
    most: int | None = None  # points that the server would hold, where it has said so


@dataclass(frozen=True, slots=True)
class State:
    """One till. The empty state is idle."""

    attached: Attached | None = None
    offer: Offer | None = None
    previous: Offer | None = None  # the offer as the POS was told it, where `offer` has been made anew since
    token: str | None = None  # the enrolment token of the open receipt
    finding: Finding | None = None
    storing: Storing | None = None
    holding: Holding | None = None
    asking: Asking | None = None
    waiting: tuple[TillEvent | Refreshed | Searched, ...] = ()  # came while finding, storing or holding
    sold: View | None = None  # the last sale, shown until the next one begins
    unknown: bool = False  # the last scan was not a loyalty code
    notice: Texts | None = None
    notice_until: float | None = None
    idle_at: float | None = None  # when a sold receipt, or a member without a receipt, leaves the screen
    shown: View | None = None
    used: tuple[tuple[str, int], ...] = ()  # rotating codes that were taken: id and period

    @property
    def busy(self) -> bool:
        """True while something is under way that must end first."""
        return self.finding is not None or self.storing is not None or self.holding is not None


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may use from outside. `new_id` and `next_token` are fresh; a step that uses the token says TakeToken."""

    till: str
    store: str | None  # None: this device has not been claimed yet
    now: datetime
    tick: float  # monotonic seconds
    new_id: str
    next_token: str | None
    enrolment_url: str
    programme: Programme | None
    rules: CodeRules
    language: Language
    shop: str
    valid_days: int
    columns: int
    prints: bool  # the till has a slip printer
    live: bool = False  # the server answers while a customer waits
    may_search: bool = False  # and can be asked who somebody is
    render: Render = templates.render

    @property
    def ready(self) -> bool:
        """True once the device is claimed and a programme has arrived."""
        return self.programme is not None and self.store is not None


# Events that come from inside the agent; those from outside are in agent.messages.


@dataclass(frozen=True, slots=True)
class MemberFound:
    """The answer to FindMember."""

    card: str
    known: Known | None


@dataclass(frozen=True, slots=True)
class Stored:
    """The queue holds the sale. `created` is False when it held it before."""

    sale_id: str
    request_hash: str
    sold: Sold
    created: bool


@dataclass(frozen=True, slots=True)
class NotStored:
    """The queue does not hold the sale; `code` is the problem to answer with."""

    sale_id: str
    code: str


@dataclass(frozen=True, slots=True)
class HoldAnswered:
    """The answer to HoldPoints. Not granted, `most` is what the server would hold, or `taken` which coupons it would not;
    neither = it has not answered.
    """

    hold: Held
    granted: bool
    most: int | None = None
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Searched:
    """The answer to AskServer. `asked` is False where none was to be had; else `told` None means nobody."""

    key: str
    asked: bool
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Woke:
    """A WakeAt is due."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Something is known anew: a programme arrived, the device was claimed, the replica has taken over a page."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """The till's thread was restarted: whatever was under way will not be answered any more."""


Event = TillEvent | MemberFound | Stored | NotStored | HoldAnswered | Searched | Woke | Refreshed | Recovered


# Effects.


@dataclass(frozen=True, slots=True)
class FindMember:
    """Look the card up; answer with MemberFound. `told` is for a card that the replica does not know."""

    card: str
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class AskServer:
    """Ask the server who holds this card, or this telephone; answer with Searched, late or never."""

    key: str
    phone: bool


@dataclass(frozen=True, slots=True)
class FindSale:
    """Look a stored sale up; answer with Stored or NotStored("quote_unknown")."""

    sale_id: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Write sale, outbox row and print job in one transaction; answer with Stored or NotStored."""

    sale_id: str
    request_hash: str
    at: datetime
    sale: Sale
    sold: Sold  # seq and job are filled in by the queue
    slip: Document | None


@dataclass(frozen=True, slots=True)
class HoldPoints:
    """Ask the server; answer with HoldAnswered, late or never."""

    hold: Held


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """Tell the server that these points are not needed; nobody waits for it."""

    hold: str


@dataclass(frozen=True, slots=True)
class StoreEnrolment:
    """Write the token down, print its slip, then answer the asker."""

    token: str
    url: str
    slip: Document | None
    reply: Reply


@dataclass(frozen=True, slots=True)
class TakeToken:
    """`next_token` has been used."""


@dataclass(frozen=True, slots=True)
class Respond:
    """Give the POS its answer."""

    reply: Reply
    answer: Answer


@dataclass(frozen=True, slots=True)
class Show:
    """Paint the cashier page."""

    view: View


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell those who listen to the till's events what kind of code was scanned."""

    device: str
    kind: CodeKind


@dataclass(frozen=True, slots=True)
class Again:
    """Take this event again, before new ones."""

    event: TillEvent | Refreshed | Searched


@dataclass(frozen=True, slots=True)
class Dropped:
    """A scan was lost because too much was waiting."""


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send Woke at that tick. Only the latest counts."""

    tick: float


Effect = (
    FindMember
    | AskServer
    | FindSale
    | Commit
    | HoldPoints
    | ReleaseHold
    | StoreEnrolment
    | TakeToken
    | Respond
    | Show
    | Announce
    | Again
    | Dropped
    | WakeAt
)
