"""Carries out what the checkout asks for. Used by the thread of one till; answers of the queue come back by its inbox."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from agent.checkout import (
    Again,
    Announce,
    AskServer,
    Commit,
    Dropped,
    Effect,
    Event,
    FindMember,
    FindSale,
    HoldAnswered,
    HoldPoints,
    MemberFound,
    NotStored,
    ReleaseHold,
    Respond,
    Searched,
    Show,
    Stored,
    StoreEnrolment,
    TakeToken,
    Told,
    WakeAt,
)
from agent.clock import Clock
from agent.inbox import Inbox
from agent.lookup import Lookup, Members, OwnSales
from agent.messages import Answer, Reply
from agent.problems import problem
from agent.sync.live import HoldAnswer
from agent.till_trouble import TillTrouble
from agent.token_source import TokenKey, TokenSource
from agent.views import Enrolled, ScanSeen, Sold
from loyalty.errors import TillmateError
from loyalty.wire import Enrolment, HoldRequest, MemberSearch, MemberSearchReply
from offline_queue.enrolments import QueueEnrolment
from offline_queue.outcome import Outcome
from offline_queue.print_jobs import NewJob
from offline_queue.sales import CommitSale, Committed, Conflict, StoredSale
from offline_queue.transaction import Operation
from receipt_templates.document import Document, to_json

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

_PROBLEMS = {
    "queue_full": "queue_full",
    "queue_closed": "stopping",
    "queue_unclaimed": "no_programme",
    "queue_damaged": "queue_damaged",
    "queue_mismatch": "queue_damaged",
    "disk_failed": "queue_damaged",
    "row_spoiled": "queue_damaged",
}


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: Operation[ResultT], /) -> Outcome[ResultT]:
        """Carry it out. Raises a TillmateError where it cannot even be taken."""
        ...


class Live(Protocol):
    """The server, for what a customer waits for."""

    @property
    def well(self) -> bool:
        """Whether it is worth asking."""
        ...

    @property
    def may_search(self) -> bool:
        """Whether it is worth asking who somebody is."""
        ...

    def search(self, wish: MemberSearch, answer: Callable[[MemberSearchReply | None], None], /) -> None:
        """Ask who holds a card or a telephone; the answer comes in another thread, None where there is none."""
        ...

    def hold(self, name: str, wish: HoldRequest, answer: Callable[[HoldAnswer], None], /) -> None:
        """Reserve points and coupons; the answer comes in another thread."""
        ...

    def release(self, name: str, /) -> None:
        """Let a hold be over."""
        ...


class Sales(OwnSales, Protocol):
    """The queue, read-only."""

    def sale(self, sale_id: str) -> StoredSale | None:
        """A committed sale."""
        ...


@dataclass(frozen=True)
class Claim:
    """What a till needs of this device's identity."""

    store: str
    tills: frozenset[str]
    enrolment_url: str
    token_key: TokenKey
    members: Members


class Effects:
    """One till's hands."""

    def __init__(
        self,
        *,
        till: str,
        printer: str | None,
        writer: Writer,
        reader: Sales,
        inbox: Inbox[Event],
        publish: Callable[[str, str, object], None],
        trouble: TillTrouble,
        live: Live,
        clock: Clock,
    ) -> None:
        self._till = till
        self._printer = printer
        self._writer = writer
        self._reader = reader
        self._inbox = inbox
        self._publish = publish
        self._trouble = trouble
        self._live = live
        self._clock = clock
        self._claim: Claim | None = None
        self._lookup: Lookup | None = None
        self._tokens: TokenSource | None = None
        self._handlers: dict[type, Callable[[Any], float | None]] = {
            FindMember: self._find_member,
            AskServer: self._ask_server,
            FindSale: self._find_sale,
            Commit: self._commit,
            HoldPoints: self._hold,
            ReleaseHold: lambda effect: live.release(effect.hold),
            StoreEnrolment: self._store_enrolment,
            TakeToken: self._take_token,
            Respond: lambda effect: _respond(effect.reply, effect.answer),
            Show: lambda effect: publish(till, "view", effect.view),
            Announce: lambda effect: publish(till, "scan", ScanSeen(effect.device, effect.kind)),
            Again: lambda effect: inbox.put_again(effect.event),
            Dropped: lambda _: trouble.scan_lost(),
            WakeAt: lambda effect: effect.tick,
        }

    def serve(self, claim: Claim | None) -> None:
        """Work for this claim from now on."""
        if claim is None or claim is self._claim:
            return
        self._claim = claim
        self._lookup = Lookup(claim.members, self._reader)
        self._tokens = TokenSource(claim.token_key, self._writer, self._clock)
        self._trouble.recognised(self._till in claim.tills)

    def next_token(self) -> str | None:
        """The next unused enrolment token."""
        return self._tokens.peek() if self._tokens else None

    def carry_out(self, effect: Effect) -> float | None:
        """Do it, or set it going. Returns the tick of a WakeAt."""
        return self._handlers[type(effect)](effect)

    def _find_member(self, effect: FindMember) -> None:
        known = self._lookup.find(effect.card, effect.told) if self._lookup else None
        self._inbox.put_answer(MemberFound(effect.card, known))

    def _ask_server(self, effect: AskServer) -> None:
        key, epoch = effect.key, self._reader.depth().epoch or ""
        wish = MemberSearch(phone=key, epoch=epoch) if effect.phone else MemberSearch(card=key, epoch=epoch)
        self._live.search(wish, lambda said: self._inbox.put_answer(_searched(key, said, self._clock.now())))

    def _find_sale(self, effect: FindSale) -> None:
        found = self._reader.sale(effect.sale_id)
        self._inbox.put_answer(
            _stored(effect.sale_id, found.request_hash, found.answer, found.seq, found.job_id, created=False)
            if found
            else NotStored(effect.sale_id, "quote_unknown")
        )

    def _commit(self, effect: Commit) -> None:
        operation = CommitSale(
            sale_id=effect.sale_id,
            request_hash=effect.request_hash,
            kind="sale",
            at=effect.at,
            body=effect.sale,
            answer=msgspec.json.encode(effect.sold),
            print_job=self._job(effect.slip, effect.sale_id),
        )

        def done(outcome: Outcome[Committed | Conflict]) -> None:
            self._inbox.put_answer(_outcome(effect, outcome))

        try:
            self._writer.submit(operation).add_done_callback(done)
        except TillmateError as error:
            self._inbox.put_answer(NotStored(effect.sale_id, _code(error)))

    def _hold(self, effect: HoldPoints) -> None:
        hold = effect.hold
        wish = HoldRequest(member=hold.member, till=self._till, points=hold.points, coupons=hold.coupons)
        self._live.hold(hold.id, wish, lambda said: self._inbox.put_answer(HoldAnswered(hold, *said)))

    def _store_enrolment(self, effect: StoreEnrolment) -> None:
        body = Enrolment(till=self._till, token=effect.token)
        operation = QueueEnrolment(self._clock.now(), body, self._job(effect.slip, None))

        def done(outcome: Outcome[int | None]) -> None:
            error = outcome.exception()
            stored = Enrolled(effect.token, effect.url, outcome.result()) if error is None else problem(_code(error))
            _respond(effect.reply, stored)

        try:
            self._writer.submit(operation).add_done_callback(done)
        except TillmateError as error:
            _respond(effect.reply, problem(_code(error)))

    def _take_token(self, _: TakeToken) -> None:
        if self._tokens:
            self._tokens.take()

    def _job(self, slip: Document | None, sale_id: str | None) -> NewJob | None:
        if slip is None or self._printer is None:
            return None
        return NewJob(self._printer, to_json(slip), sale_id)


def _searched(key: str, said: MemberSearchReply | None, now: datetime) -> Searched:
    if said is None:
        return Searched(key, asked=False)
    found = said.found
    if found is None or found.state is None:
        return Searched(key, asked=True)
    state = msgspec.structs.replace(found.state, as_of=now)
    return Searched(key, asked=True, told=Told(found.member, found.greeting, state, said.includes))


def _outcome(effect: Commit, outcome: Outcome[Committed | Conflict]) -> Stored | NotStored:
    error = outcome.exception()
    if error is not None:
        log.error("sale not_stored code=%s error=%s", _code(error), error)
        return NotStored(effect.sale_id, _code(error))
    result = outcome.result()
    if isinstance(result, Conflict):
        return NotStored(effect.sale_id, result.code)
    return _stored(
        effect.sale_id, effect.request_hash, result.answer, result.seq, result.job_id, created=result.created
    )


def _stored(sale_id: str, request_hash: str, answer: bytes, seq: int, job: int | None, *, created: bool) -> Stored:
    sold = msgspec.structs.replace(msgspec.json.decode(answer, type=Sold), seq=seq, job=job)
    return Stored(sale_id, request_hash, sold, created)


def _respond(reply: Reply, answer: Answer) -> None:
    if not reply.done():
        reply.set_result(answer)


def _code(error: BaseException) -> str:
    return _PROBLEMS.get(error.code, "internal") if isinstance(error, TillmateError) else "internal"
