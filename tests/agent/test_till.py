"""A till's thread with a real queue and a real replica: what is answered is on the disk, and nothing hangs."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.inbox import BOUND
from agent.messages import Answer, CancelBasket, CommitSale, Enrol, Identify, PosCall, PutBasket, Scanned
from agent.status import Status
from agent.sync import Live
from agent.threads import end
from agent.till import Facts, Till, TillSettings
from agent.till_effects import Claim
from agent.token_source import TokenKey
from agent.views import Cancelled, Enrolled, Identified, ReceiptRef, View
from agent.wiring import till_worker
from loyalty import enrolment_token, programme
from loyalty.codes import CodeRules, Rule, ident
from loyalty.quote import Basket, Line, MemberState
from loyalty.wire import ChangesPage, Hold, HoldRequest, Included, MemberChange, MemberSearch, MemberSearchReply
from offline_queue import Replica, ReplicaWriter

from .shop import PROGRAMME, SOMEBODY

if TYPE_CHECKING:
    from conftest import Store, Threads, Until

CARD, STRANGER = "2900000000117", "2900000000414"
IDENT_KEY, TOKEN_KEY = b"i" * 32, b"t" * 32
RULES = programme.load(PROGRAMME, "toml")
PAYING = programme.load(PROGRAMME + "[redeem]\ncap_bp = 5000\n", "toml")
CLOCK = SystemClock()


@dataclass
class Desk:
    """A till and everything around it; `facts` may be changed while it runs."""

    store: Store
    threads: Threads
    facts: Facts
    published: list[tuple[str, str, object]] = field(default_factory=list)
    status: Status = field(default_factory=lambda: Status(CLOCK))
    failing: list[Exception] = field(default_factory=list)
    live: Live = field(default_factory=lambda: Live(lambda _: None, lambda: None, CLOCK))

    def __post_init__(self) -> None:
        settings = TillSettings(
            id="1",
            printer="receipt",
            columns=42,
            rules=CodeRules(member_card=(Rule(pattern="29xxxxxxxxxxC"),)),
            language="ru",
            shop="Ромашка",
            valid_days=14,
        )
        publish = lambda *event: self.published.append(event)  # noqa: E731 - a listener
        self.till = Till(settings, self.store.queue, self.store.path, self.now, publish, self.status, self.live, CLOCK)

    def now(self) -> Facts:
        if self.failing:
            raise self.failing.pop()
        return self.facts

    def start(self) -> threading.Event:
        return self.threads.start(self.till.run)

    def ask(self, make: Callable[[Future[Answer]], PosCall]) -> Answer:
        reply: Future[Answer] = Future()
        assert self.till.post(make(reply))
        return reply.result(5)

    def identify(self, code: str = CARD) -> Answer:
        return self.ask(lambda reply: Identify(code, reply))

    def basket(self, total: int = 50000, redeem: int = 0) -> Answer:
        return self.ask(lambda reply: PutBasket(Basket((Line(sum=total),)), redeem, reply))

    def commit(self, quote_id: str, number: str = "1", body: str = "h", redeemed: int = 0) -> Answer:
        receipt = ReceiptRef(business_day=date(2026, 11, 20), shift="1", number=number)
        return self.ask(lambda reply: CommitSale(quote_id, redeemed, receipt, "agent", body, reply))

    def views(self) -> list[View]:
        return [data for _, event, data in self.published if event == "view" and isinstance(data, View)]

    @property
    def view(self) -> View | None:
        return next(reversed(self.views()), None)


@pytest.fixture
def claim(tmp_path: Path) -> Claim:
    replica = Replica(tmp_path / "members.db")
    writer = ReplicaWriter(replica, CLOCK.now)
    member = MemberChange(
        member="m1",
        idents=(ident(IDENT_KEY, CARD),),
        greeting="Анна",
        state=MemberState(balance=300, as_of=datetime(2026, 11, 20, tzinfo=UTC)),
    )
    writer.apply(ChangesPage(changes=(member,), next="c1", complete=True, includes=Included(epoch="e1", seq=0)))
    writer.close()
    tills, token_key = frozenset({"1"}), TokenKey(TOKEN_KEY, 7, 1)
    return Claim("S1", tills, "https://example.org", token_key, replica.reader(IDENT_KEY))


@pytest.fixture
def desk(store: Store, threads: Threads, claim: Claim) -> Desk:
    desk = Desk(store, threads, Facts(RULES, claim))
    desk.start()
    return desk


def test_a_sale_from_the_scan_to_the_disk(desk: Desk, until: Until) -> None:
    desk.till.post(Scanned("counter", CARD.encode(), CLOCK.now()))
    until(lambda: desk.view is not None and desk.view.state == "member")
    quoted = desk.basket()
    answer = desk.commit(quoted.quote_id)
    assert (answer.created, answer.sold.earned, answer.sold.balance_after, answer.sold.seq) == (True, 5, 305, 1)
    (row,) = desk.store.reader.pending(10)
    assert (row.seq, row.kind) == (1, "sale")
    (job,) = desk.store.reader.jobs(("queued",))
    assert (job.id, job.printer, job.sale_id) == (answer.sold.job, "receipt", quoted.quote_id)
    assert [view.state for view in desk.views()][-1] == "sold"
    assert [data.kind for _, event, data in desk.published if event == "scan"] == ["member_card"]


def test_the_next_visit_sees_the_sale_that_the_server_has_not(desk: Desk) -> None:
    assert desk.identify().view.balance == 300
    desk.commit(desk.basket().quote_id)
    assert desk.identify().view.balance == 305


def test_a_sale_that_the_server_has_counted_in_is_not_counted_twice(desk: Desk) -> None:
    desk.identify()
    desk.commit(desk.basket().quote_id)
    desk.identify()
    desk.commit(desk.basket().quote_id, number="2", body="2")
    replica = ReplicaWriter(Replica(desk.store.path.with_name("members.db")), CLOCK.now)
    member = MemberChange(member="m1", idents=(ident(IDENT_KEY, CARD),), state=MemberState(balance=305))
    replica.apply(ChangesPage(changes=(member,), next="c2", complete=True, includes=Included(epoch="e1", seq=1)))
    replica.close()
    assert desk.identify().view.balance == 310


def test_the_same_commit_gets_its_answer_after_a_restart_too(desk: Desk, claim: Claim) -> None:
    quote_id = desk.basket().quote_id
    first = desk.commit(quote_id)
    second = desk.commit(quote_id)
    desk.store.reopen()
    later = Desk(desk.store, desk.threads, Facts(RULES, claim))
    later.start()
    third = later.commit(quote_id)
    assert (first.created, second.created, third.created) == (True, False, False)
    assert first.sold == second.sold == third.sold
    assert later.commit(quote_id, number="2", body="other").code == "sale_conflict"
    assert later.commit("unknown", body="x").code == "quote_unknown"
    assert len(desk.store.reader.pending(10)) == 1


def test_one_paper_receipt_is_one_sale(desk: Desk) -> None:
    desk.commit(desk.basket().quote_id, number="7")
    assert desk.commit(desk.basket().quote_id, number="7").code == "receipt_conflict"


def test_tokens_are_genuine_and_never_the_same_not_even_after_a_restart(desk: Desk, claim: Claim, until: Until) -> None:
    seen = set()
    for number in range(70):  # more than one block
        until(lambda: isinstance(desk.basket(), object) and desk.basket().slip.qr is not None)
        sold = desk.commit(desk.basket().quote_id, number=str(number)).sold
        assert enrolment_token.genuine(sold.token, TOKEN_KEY)
        seen.add(sold.token)
    later = Desk(desk.store, desk.threads, Facts(RULES, claim))
    later.start()
    until(lambda: later.basket().slip.qr is not None)
    seen.add(later.commit(later.basket().quote_id, number="later").sold.token)
    assert len(seen) == 71


def test_an_enrolment_is_a_row_and_a_job(desk: Desk, until: Until) -> None:
    until(lambda: isinstance(desk.basket(), object) and desk.basket().slip.qr is not None)
    enrolled = desk.ask(Enrol)
    assert isinstance(enrolled, Enrolled)
    assert enrolled.url == f"HTTPS://EXAMPLE.ORG/E/{enrolled.token}"
    (row,) = desk.store.reader.pending(10)
    assert row.kind == "enrolment"
    assert [job.id for job in desk.store.reader.jobs(("queued",))] == [enrolled.job]


def test_a_fresher_answer_of_the_server_repaints_the_screen(desk: Desk, until: Until) -> None:
    identified = desk.identify(STRANGER)
    assert (identified.kind, desk.view.state) == ("card_only", "card_only")
    quoted = desk.basket()
    writer = ReplicaWriter(Replica(desk.store.path.with_name("members.db")), CLOCK.now)
    stranger = MemberChange(
        member="m2",
        idents=(ident(IDENT_KEY, STRANGER),),
        greeting="Борис",
        state=MemberState(balance=70, as_of=CLOCK.now()),
    )
    writer.apply(ChangesPage(changes=(stranger,), next="c2", complete=True, includes=Included(epoch="e1", seq=0)))
    writer.close()
    desk.till.refresh()
    until(lambda: desk.view.state == "member")
    assert (desk.view.greeting, desk.view.balance, desk.view.total) == ("Борис", 70, 50000)
    assert desk.commit(quoted.quote_id).sold.balance_after == 75
    assert [data.kind for _, event, data in desk.published if event == "scan"] == []


def test_a_full_inbox_refuses_calls_and_counts_lost_scans(store: Store, threads: Threads, claim: Claim) -> None:
    desk = Desk(store, threads, Facts(RULES, claim))
    replies: list[Future[Answer]] = [Future() for _ in range(BOUND)]
    assert all(desk.till.post(Identify("HELLO", reply)) for reply in replies)
    assert not desk.till.post(Identify("HELLO", Future()))
    assert not desk.till.post(Scanned("counter", b"1", CLOCK.now()))
    assert not desk.till.post(Scanned("counter", b"2", CLOCK.now()))
    (part,) = desk.status.snapshot()
    assert (part.part, part.name, part.state) == ("till", "1", "warning")
    assert "2" in part.text["ru"]
    desk.start()
    assert all(isinstance(reply.result(5), Identified) for reply in replies)


def test_a_crash_is_answered_and_the_till_goes_on(store: Store, threads: Threads, claim: Claim, until: Until) -> None:
    desk = Desk(store, threads, Facts(RULES, claim))
    worker = till_worker("1", desk.till)
    worker.start()
    assert isinstance(desk.identify(), Identified)
    desk.failing.append(ZeroDivisionError())
    reply: Future[Answer] = Future()
    desk.till.post(Identify(CARD, reply))
    assert reply.result(5).code == "internal"
    until(lambda: desk.view.notice is not None)
    assert "Repeat the last step" in desk.view.notice["en"]
    assert [part.state for part in desk.status.snapshot()] == ["warning"]
    assert isinstance(desk.identify(), Identified)
    assert end([worker], CLOCK, CLOCK.monotonic() + 2) == []


def test_a_till_that_the_server_does_not_know_is_said_so_until_it_does(desk: Desk, claim: Claim, until: Until) -> None:
    assert desk.status.snapshot() == ()
    desk.facts = Facts(RULES, dataclasses.replace(claim, tills=frozenset({"7"})))
    desk.till.refresh()
    until(lambda: ["know till 1" in part.text["en"] for part in desk.status.snapshot()] == [True])
    desk.facts = Facts(RULES, claim)
    desk.till.refresh()
    until(lambda: [part.text["en"] for part in desk.status.snapshot()] == ["The till works."])


def test_a_stop_finishes_what_is_inside(store: Store, threads: Threads, claim: Claim) -> None:
    desk = Desk(store, threads, Facts(RULES, claim))
    stop = desk.start()
    quote_id = desk.basket().quote_id
    receipt = ReceiptRef(business_day=date(2026, 11, 20), shift="1", number="1")
    replies: list[Future[Answer]] = [Future() for _ in range(20)]
    for reply in replies:
        desk.till.post(CommitSale(quote_id, 0, receipt, "agent", "h", reply))
    threads.end(stop)
    sold = {reply.result(0).sold.seq for reply in replies}
    assert sold == {1}
    assert not desk.till.post(CancelBasket(Future()))


def test_a_stop_waits_a_moment_for_a_sale_that_is_being_stored(store: Store, threads: Threads, claim: Claim) -> None:
    desk = Desk(store, threads, Facts(RULES, claim))
    stop = desk.start()
    quote_id = desk.basket().quote_id
    slow = store.stall()
    receipt = ReceiptRef(business_day=date(2026, 11, 20), shift="1", number="1")
    reply: Future[Answer] = Future()
    desk.till.post(CommitSale(quote_id, 0, receipt, "agent", "h", reply))
    stop.set()
    threading.Event().wait(0.3)
    slow.set()
    assert reply.result(2).created


class Holds:
    """A server that grants every hold."""

    def __init__(self) -> None:
        self.open: set[str] = set()

    def hold(self, name: str, wish: HoldRequest) -> Hold:
        self.open.add(name)
        return Hold(id=name, points=wish.points, coupons=(), expires_at=CLOCK.now())

    def release(self, name: str) -> None:
        self.open.remove(name)

    def search(self, wish: MemberSearch) -> MemberSearchReply:
        raise NotImplementedError


@pytest.mark.parametrize("sold", [False, True])
def test_a_stop_gives_back_what_is_held_for_an_open_receipt(
    store: Store, threads: Threads, claim: Claim, sold: bool
) -> None:
    server = Holds()
    live = Live(lambda _: server, lambda: SOMEBODY, CLOCK)
    desk = Desk(store, threads, Facts(PAYING, claim), live=live)
    stop, lane = desk.start(), threads.start(live.holds.run)
    desk.identify()
    quoted = desk.basket(redeem=100)
    assert (len(server.open), quoted.quote.redeemed) == (1, 100)
    if sold:
        desk.commit(quoted.quote_id, redeemed=100)
    threads.end(stop)
    threads.end(lane)
    assert len(server.open) == (1 if sold else 0), "what was sold is used when the sale arrives"


def test_a_queue_that_has_ended_is_said_so(desk: Desk) -> None:
    quote_id = desk.basket().quote_id
    desk.threads.end(desk.store.stop)
    assert (desk.commit(quote_id).code, desk.commit(quote_id).status) == ("stopping", 503)
    assert "not stored" in desk.view.notice["en"]


def test_claim_and_programme_may_come_later(store: Store, threads: Threads, claim: Claim, until: Until) -> None:
    desk = Desk(store, threads, Facts())
    desk.start()
    assert desk.identify().code == "no_programme"
    assert desk.view.state == "unavailable"
    desk.facts = Facts(RULES, claim)
    desk.till.refresh()
    until(lambda: desk.view.state == "idle")
    assert desk.identify().view.greeting == "Анна"
    assert desk.ask(CancelBasket) == Cancelled()
