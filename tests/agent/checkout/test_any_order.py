"""Whatever comes, in whatever order: nothing raises, nobody is invented, nothing is sold twice, everybody is answered,
and no hold is left behind.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from datetime import date

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.checkout import (
    Again,
    AskServer,
    Commit,
    Context,
    Event,
    FindMember,
    FindSale,
    HoldAnswered,
    HoldPoints,
    Known,
    MemberFound,
    NotStored,
    Recovered,
    Refreshed,
    ReleaseHold,
    Respond,
    Searched,
    State,
    Stored,
    StoreEnrolment,
    Told,
    Woke,
    step,
)
from agent.checkout.model import Held
from agent.messages import CancelBasket, CommitSale, Enrol, Identify, PutBasket, Reply, Scanned
from agent.views import Quoted, ReceiptRef, SaleAnswer, Sold
from loyalty.quote import Basket, Line, MemberState
from loyalty.wire import Included

CARDS = ("2900000000117", "2900000000216", "2900000000315")
CODES = st.one_of(
    st.sampled_from(CARDS),
    st.sampled_from(["4006381333931", "tel:+79123456789", "", "\udcff", "HELLO"]),
    st.text(max_size=20),
)
PROBLEMS = st.sampled_from(["queue_full", "queue_damaged", "internal", "stopping", "receipt_conflict", "sale_conflict"])
SUMS = st.integers(-1, 10**13)


class AnyOrder(RuleBasedStateMachine):
    """A till whose queue and replica answer late, early, twice, never, or about something else."""

    @initialize(desk_context=st.just(None))
    def open(self, desk_context: None) -> None:  # noqa: ARG002 - hypothesis needs a parameter to draw
        self.context: Context = CONTEXT[0]
        self.whole = self.context
        self.state = State()
        self.steps = 0
        self.asked: list[Reply] = []
        self.answers: Counter[int] = Counter()
        self.calls: dict[int, str] = {}
        self.quotes: list[str] = ["never-quoted"]
        self.qrs: dict[str, str | None] = {}
        self.looked_up: set[str] = set()
        self.found: set[str | None] = {None}
        self.pending: list[FindMember | FindSale | Commit] = []
        self.asked_to_hold: list[HoldPoints] = []
        self.granted: dict[str, int] = {}
        self.at_server: set[str] = set()
        self.searches: list[AskServer] = []
        self.outstanding: Counter[str] = Counter()
        self.sold: dict[str, Stored] = {}

    # what comes from outside

    @rule(code=CODES, partial=st.booleans())
    def scan(self, code: str, partial: bool) -> None:
        self.take(Scanned("counter", code.encode("utf-8", "surrogateescape"), self.context.now, partial))

    @rule(code=CODES)
    def identify(self, code: str) -> None:
        self.take(Identify(code, self.reply()))

    @rule(sums=st.lists(SUMS, max_size=3), redeem=st.one_of(st.just("max"), st.integers(-5, 400)))
    def put_basket(self, sums: list[int], redeem: int | str) -> None:
        lines = tuple(Line(sku=str(number), sum=total) for number, total in enumerate(sums))
        self.take(PutBasket(Basket(lines), redeem, self.reply()))  # type: ignore[arg-type]

    @rule(data=st.data(), redeemed=st.sampled_from([0, 0, 0, 1, 100, 10**6]), body=st.sampled_from("ab"))
    def commit(self, data: st.DataObject, redeemed: int, body: str) -> None:
        quote_id = data.draw(st.sampled_from(self.quotes[-3:]))
        receipt = ReceiptRef(business_day=date(2026, 11, 20), shift="1", number=body)
        call = CommitSale(quote_id, redeemed, receipt, data.draw(PRINTS), body, self.reply())
        self.calls[id(call.reply)] = quote_id
        self.take(call)

    @rule(card=st.sampled_from(CARDS))
    def pay_with_points(self, card: str) -> None:
        """The way to a hold, which would be found too rarely step by step."""
        self.server(live=True, may_search=False)
        self.scan(card, partial=False)
        if self.state.finding is None or self.state.finding.card != card:
            return
        self.found.add(card)
        self.take(MemberFound(card, Known(card, None, MemberState(balance=300))))
        self.put_basket([50000], "max")
        if self.state.holding is not None:
            self.answer_hold(granted=True, most=None, taken=False, late=True)

    @rule()
    def cancel(self) -> None:
        self.take(CancelBasket(self.reply()))

    @rule()
    def enrol(self) -> None:
        self.take(Enrol(self.reply()))

    # what comes from inside

    @rule(data=st.data(), known=st.booleans())
    def answer_one(self, data: st.DataObject, known: bool) -> None:
        if not self.pending:
            return
        asked = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        if isinstance(asked, FindMember):
            self.found.add(asked.card if known else None)
            state = MemberState(balance=300, coupons=data.draw(COUPONS), as_of=self.context.now)
            self.take(MemberFound(asked.card, Known(asked.card, None, state) if known else None))
        elif isinstance(asked, FindSale):
            self.take(self.sold.get(asked.sale_id, NotStored(asked.sale_id, "quote_unknown")))
        else:
            self.store(asked, data)

    def store(self, asked: Commit, data: st.DataObject) -> None:
        self.outstanding[asked.sale_id] -= 1
        problem = data.draw(st.one_of(st.none(), st.none(), PROBLEMS))
        if problem is not None and asked.sale_id not in self.sold:
            if problem == "sale_conflict":  # the queue has this sale, with its hold, by another body
                self.at_server.discard(asked.sale.hold or "")
            self.take(NotStored(asked.sale_id, problem))
            return
        done = self.sold.setdefault(asked.sale_id, Stored(asked.sale_id, asked.request_hash, asked.sold, True))
        self.at_server.discard(asked.sale.hold or "")
        self.take(done)

    @rule(card=st.sampled_from(CARDS))
    def unasked_member(self, card: str) -> None:
        finding = self.state.finding
        if finding is None or finding.card != card:
            self.take(MemberFound(card, Known("invented", None, MemberState(balance=10**6))))

    @rule()
    def unasked_sale(self) -> None:
        sold = Sold(sale_id="x", seq=1, earned=1, redeemed=0, balance_after=1, job=None, token=None)
        self.take(Stored("x", "a", sold, True))
        self.take(NotStored("x", "queue_full"))

    @rule()
    def crash(self) -> None:
        """The queue goes on without us: what was asked may still happen, but nobody is told."""
        for asked in self.pending:
            if isinstance(asked, Commit):
                self.sold.setdefault(asked.sale_id, Stored(asked.sale_id, asked.request_hash, asked.sold, True))
        self.pending.clear()
        self.outstanding.clear()
        self.take(Recovered())

    @rule(seconds=st.sampled_from([0.1, 11.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.context = replace(self.context, tick=self.context.tick + seconds)
        self.take(Woke())

    @rule(programme=st.booleans())
    def facts(self, programme: bool) -> None:
        self.context = replace(self.context, programme=self.whole.programme if programme else None)
        self.take(Refreshed())

    @rule(
        granted=st.booleans(), most=st.one_of(st.none(), st.integers(0, 300)), taken=st.booleans(), late=st.booleans()
    )
    def answer_hold(self, granted: bool, most: int | None, taken: bool, late: bool) -> None:
        if self.asked_to_hold:
            hold = self.asked_to_hold.pop(-1 if late else 0).hold
            if granted:
                self.granted[hold.id] = max(hold.points, self.granted.get(hold.id, 0))
                self.take(HoldAnswered(hold, True))
            else:
                self.refuse(hold, HoldAnswered(hold, False, most, hold.coupons if taken else ()))

    def refuse(self, hold: Held, answer: HoldAnswered) -> None:
        if hold.id not in self.granted and (answer.most is not None or answer.taken):
            self.at_server.discard(hold.id)
        self.take(answer)

    @rule(asked=st.booleans(), known=st.booleans(), late=st.booleans())
    def answer_search(self, asked: bool, known: bool, late: bool) -> None:
        if self.searches:
            key = self.searches.pop(-1 if late else 0).key
            told = Told(key, None, MemberState(balance=300), Included(epoch="e", seq=0))
            self.take(Searched(key, asked, told if asked and known else None))

    @rule(live=st.booleans(), may_search=st.booleans())
    def server(self, live: bool, may_search: bool) -> None:
        self.context = replace(self.context, live=live, may_search=may_search)

    # the machinery

    def reply(self) -> Reply:
        self.asked.append(Future())
        return self.asked[-1]

    def take(self, event: Event) -> None:
        again = [event]
        while again:
            self.steps += 1
            context = replace(self.context, new_id=f"quote-{self.steps}")
            self.state, effects = step(self.state, again.pop(0), context)
            for effect in effects:
                if isinstance(effect, Again):
                    again.append(effect.event)
                else:
                    self.note(effect)

    def note(self, effect: object) -> None:
        if isinstance(effect, FindMember | FindSale | Commit):
            self.pending.append(effect)
        self.note_question(effect)
        if isinstance(effect, FindMember):
            self.looked_up.add(effect.card)
        if isinstance(effect, Commit):
            self.note_commit(effect)
        if isinstance(effect, Respond | StoreEnrolment):
            self.answers[id(effect.reply)] += 1
        if isinstance(effect, Respond) and isinstance(effect.answer, Quoted):
            self.quotes.append(effect.answer.quote_id)
            self.qrs[effect.answer.quote_id] = effect.answer.slip.qr
        if isinstance(effect, Respond) and isinstance(effect.answer, SaleAnswer):
            assert effect.answer.sold.sale_id == self.calls[id(effect.reply)], "told of another sale"

    def note_question(self, effect: object) -> None:
        if isinstance(effect, HoldPoints):
            self.asked_to_hold.append(effect)
            assert effect.hold.points > 0 or effect.hold.coupons
            self.at_server.add(effect.hold.id)
        if isinstance(effect, ReleaseHold):
            self.at_server.discard(effect.hold)
        if isinstance(effect, AskServer):
            self.searches.append(effect)

    def note_commit(self, effect: Commit) -> None:
        assert "79123456789" not in repr(effect), "a telephone in the sale"
        assert effect.sale_id in self.quotes, "sold what was never quoted"
        assert effect.sale.quote.pay >= 0
        if not effect.sale.offline and effect.sale.quote.redeemed:
            assert effect.sale.hold is not None
            assert effect.sale.quote.redeemed <= self.granted[effect.sale.hold]
        self.outstanding[effect.sale_id] += 1
        assert self.outstanding[effect.sale_id] == 1, "committed twice at a time"
        assert self.state.storing is not None
        if self.state.storing.call.prints == "pos":
            qr = self.qrs[effect.sale_id]
            assert effect.sale.token == (qr and qr.rpartition("/")[2]), "a QR on paper that is not in the sale"

    @invariant()
    def nobody_is_answered_twice(self) -> None:
        assert all(number == 1 for number in self.answers.values())

    @invariant()
    def everybody_is_answered_unless_something_is_under_way(self) -> None:
        if not self.state.busy:
            waits = self.state.asking.reply if self.state.asking else None
            assert all(self.answers[id(reply)] == 1 for reply in self.asked if reply is not waits)
            assert not self.state.waiting

    @invariant()
    def a_member_is_never_invented(self) -> None:
        attached = self.state.attached
        if attached is not None:
            assert attached.card in self.looked_up
            assert attached.known is None or attached.known.member == attached.card
            assert attached.known is None or attached.card in self.found

    @invariant()
    def what_the_server_may_hold_is_needed_here(self) -> None:
        state = self.state
        busy = [each.offer for each in (state.holding, state.storing) if each]
        offers = [each for each in (state.offer, state.previous, *busy) if each]
        assert self.at_server <= {each.hold.id for each in offers if each.hold}, "neither released nor used by its sale"

    @invariant()
    def a_sold_quote_is_never_offered_again(self) -> None:
        for offer in (self.state.offer, self.state.previous):
            if offer is not None and not self.state.busy:
                assert self.outstanding[offer.id] == 0


COUPONS = st.sampled_from([(), ("LATTE-7",)])
PRINTS = st.sampled_from(["agent", "pos", "none"])
CONTEXT: list[Context] = []


def test_any_order(context: Context) -> None:
    CONTEXT[:] = [context]
    case = AnyOrder.TestCase()
    case.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
    case.runTest()
