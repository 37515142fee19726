"""A till and the real server while a customer waits: who somebody is, and whose coupon it is. Answered, refused, late or not
at all: a search delays nothing else, and a coupon is good once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from agent import identity
from agent.clock import SystemClock
from agent.identity import Identity
from agent.messages import Answer, CommitSale, Identify, PosCall, PutBasket, Scanned
from agent.status import Status
from agent.sync import Client, Live, make_session
from agent.sync.live import REST, TIMEOUTS, HoldAnswer
from agent.till import Facts, Till, TillSettings
from agent.till_effects import Claim
from agent.token_source import TokenKey
from agent.views import ReceiptRef, ScanSeen, View
from loyalty import programme
from loyalty.codes import CodeRules, Rule, ident
from loyalty.quote import Basket, Line, MemberState
from loyalty.wire import ChangesPage, ClaimRequest, HoldRequest, Included, MemberChange, Sale
from loyalty_server import members, setup
from offline_queue import BeginEpoch, Queue, Reader, Replica, ReplicaWriter
from tests.rig.sync_world import Central, VirtualClock, furnish

if TYPE_CHECKING:
    from conftest import Threads, Until

CLOCK = SystemClock()
WAIT = 10.0
REGULAR, AWAY, STRANGER, PHONE = "2900000000117", "2900000000216", "2900000000414", "+79161234567"
COUPON = "LATTE-7"
RULES = programme.load(
    """
[programme]
id = "club"
revision = 1
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 100
[redeem]
cap_bp = 5000
offline = { policy = "none" }
[[offer]]
id = "latte"
when = { coupon = "LATTE-7", bought = { skus = ["latte"] } }
give = { discount = 10000 }
""",
    "toml",
)


class RealTime(VirtualClock):
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Front:
    """In front of the server: spoils searches in the way that `mood` says."""

    app: ASGIApp
    mood: str = ""
    asked: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/members/search":
            await self.app(scope, receive, send)
            return
        self.asked += 1
        if self.mood in ("", "slow"):
            await asyncio.sleep(1.2 if self.mood else 0)
            await self.app(scope, receive, send)
            return
        status, body = SPOILT[self.mood]
        headers = [(b"content-length", str(len(body)).encode()), (b"retry-after", b"7")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


SPOILT = {
    "busy": (429, b""),
    "broken": (500, b"oops"),
    "other json": (200, b'{"found": {"member": 7}, "includes": []}'),
}


@dataclass
class World:
    """The server and who this device is; it has two members, of whom this till's replica holds the first."""

    front: Front
    url: str
    who: Identity
    regular: str
    away: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("server")
    furnish(folder)
    fronts: list[Front] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        fronts.append(Front(app))
        return fronts[-1]

    with closing(Central(folder, RealTime())) as central, central.serving(wrap) as url:
        now = datetime.now(UTC)
        with central.database.writing() as tx:
            regular = setup.add_known_member(tx, REGULAR, 500, None, None, now)
            members.write(tx, [(regular, members.Member(MemberState(balance=500, coupons=(COUPON,))))])
            away = setup.add_known_member(tx, AWAY, 300, PHONE, "Борис", now, homes=["S2"])
        private = identity.new_key()
        with closing(Client(url, CLOCK, make_session())) as client:
            wish = ClaimRequest(code=central.code(), public_key=identity.public_key(private), machine="pc", version="1")
            who = identity.from_claim(client.claim(wish), private, "pc")
        yield World(fronts[0], url, who, regular, away)


@dataclass
class Desk:
    """A till with its queue, its replica and its lanes to the server."""

    folder: Path
    world: World
    threads: Threads
    url: str
    published: list[tuple[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        who, self.queue = self.world.who, Queue.open(self.folder / "queue.db", CLOCK)
        self.threads.start(self.queue.run)
        self.queue.submit(BeginEpoch(who.device, who.epoch)).result(WAIT)
        claim = Claim(who.store.id, frozenset("1"), "https://example.org", TokenKey(b"t" * 32, 7, 1), self.replica(who))
        settings = TillSettings(
            id="1", printer=None, columns=42, rules=CodeRules(member_card=(Rule(pattern="29xxxxxxxxxxC"),)),
            language="ru", shop="Ромашка", valid_days=14,
        )  # fmt: skip

        def connect(device: Identity) -> Client:
            return Client(self.url, CLOCK, make_session(), device, timeouts=TIMEOUTS)

        self.live = Live(connect, lambda: who, CLOCK)
        self.till = Till(
            settings, self.queue, self.folder / "queue.db", lambda: Facts(RULES, claim),
            lambda _, event, data: self.published.append((event, data)), Status(CLOCK), self.live, CLOCK,
        )  # fmt: skip
        runs = (self.live.holds.run, self.live.searches.run, self.till.run)
        self.stops = [self.threads.start(run) for run in runs]

    def replica(self, who: Identity) -> object:
        replica = Replica(self.folder / "members.db")
        state = MemberState(balance=500, coupons=(COUPON,), as_of=CLOCK.now())
        member = MemberChange(member=self.world.regular, idents=(ident(who.ident_key, REGULAR),), state=state)
        with closing(ReplicaWriter(replica, CLOCK.now)) as writer:
            page = ChangesPage(changes=(member,), next="c", complete=True, includes=Included(epoch=who.epoch, seq=0))
            writer.apply(page)
        return replica.reader(who.ident_key)

    def begin(self, make: Callable[[Future[Answer]], PosCall]) -> Future[Answer]:
        reply: Future[Answer] = Future()
        assert self.till.post(make(reply))
        return reply

    def identify(self, code: str) -> Answer:
        return self.begin(lambda reply: Identify(code, reply)).result(WAIT)

    def basket(self, redeem: int = 0, sku: str = "tea") -> Answer:
        return self.begin(lambda reply: PutBasket(Basket((Line(sku=sku, sum=50000),)), redeem, reply)).result(WAIT)

    def sell(self, number: str, redeem: int = 0, sku: str = "tea") -> Sale:
        quoted = self.basket(redeem, sku)
        receipt = ReceiptRef(business_day=date(2026, 11, 20), shift="1", number=number)
        paid = quoted.quote.redeemed
        self.begin(lambda reply: CommitSale(quoted.quote_id, paid, receipt, "none", "h", reply)).result(WAIT)
        with closing(Reader(self.folder / "queue.db")) as reader:
            return msgspec.json.decode(reader.pending(10)[-1].body, type=Sale)

    def hold_elsewhere(self, name: str) -> HoldAnswer:
        answer: Future[HoldAnswer] = Future()
        wish = HoldRequest(member=self.world.regular, till="2", points=0, coupons=(COUPON,))
        self.live.hold(name, wish, answer.set_result)
        return answer.result(WAIT)

    def scan(self, code: str) -> None:
        self.till.post(Scanned("counter", code.encode(), CLOCK.now()))

    @property
    def view(self) -> View:
        return next(data for _, data in reversed(self.published) if isinstance(data, View))

    def scans(self) -> list[str]:
        return [data.kind for _, data in self.published if isinstance(data, ScanSeen)]


@pytest.fixture
def make_desk(tmp_path: Path, world: World, threads: Threads) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(mood: str = "") -> Desk:
        world.front.mood, world.front.asked = mood, 0
        made.append(Desk(tmp_path, world, threads, "http://127.0.0.1:9" if mood == "down" else world.url))
        return made[-1]

    yield make
    for stop in made[0].stops:  # all at once; then each is waited for
        stop.set()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.mark.parametrize("code", [AWAY, "8 (916) 123-45-67"])
def test_whom_the_store_does_not_know_the_server_does_and_nothing_keeps_what_he_was_found_by(
    desk: Desk, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    found = desk.identify(code)
    assert (found.kind, found.view.greeting, found.view.balance) == ("member_card", "Борис", 300)
    sale = desk.sell("1")
    assert (sale.member, sale.card, sale.quote.balance_after) == (desk.world.away, None, 305)
    assert desk.identify(code).view.balance == 305, "the sale that the server has not seen is counted in"
    kept = b"".join(each.read_bytes() for each in desk.folder.iterdir()) + caplog.text.encode()
    assert desk.world.away.encode() in kept
    for secret in (AWAY, "9161234567", "123-45-67"):
        assert secret.encode() not in kept, secret


def test_a_scan_is_on_the_screen_at_once_and_the_member_follows_if_there_is_one(desk: Desk, until: Until) -> None:
    desk.scan(AWAY)
    until(lambda: desk.scans() == ["member_card"])
    states = [(each.state, each.notice is not None) for _, each in desk.published if isinstance(each, View)]
    assert states[-2:] == [("card_only", True), ("member", False)]
    assert desk.identify(STRANGER).kind == "card_only"
    said = desk.identify("+79000000000")
    assert (said.kind, said.view.notice["en"]) == ("not_loyalty", "Nobody in the programme has this telephone number.")
    assert desk.live.may_search


@pytest.mark.parametrize("mood", [*SPOILT, "down"])
def test_after_a_search_that_fails_searches_rest_and_the_till_sells(
    make_desk: Callable[..., Desk], mood: str, until: Until
) -> None:
    desk = make_desk(mood)
    desk.scan(AWAY)
    until(lambda: bool(desk.published) and desk.view.state == "card_only")
    assert desk.sell("1").card == AWAY
    until(lambda: desk.scans() == ["card_only"])
    until(lambda: not desk.live.may_search)
    assert desk.live.well, "holds do not rest for it"
    assert desk.live.searches._rests_until - CLOCK.monotonic() <= (7.0 if mood == "busy" else REST)
    asked = desk.world.front.asked
    said = desk.identify(PHONE)
    assert (said.kind, said.view.notice["en"]) == (
        "not_loyalty",
        "Nobody can be found by telephone now. Scan the card.",
    )
    assert desk.world.front.asked == asked, "searches do"


def test_points_are_held_while_a_slow_search_is_under_way(make_desk: Callable[..., Desk], until: Until) -> None:
    desk = make_desk("slow")
    assert desk.identify(REGULAR).kind == "member_card"
    asked = desk.begin(lambda reply: Identify(PHONE, reply))
    sale = desk.sell("1", redeem=250)
    assert (sale.quote.redeemed, sale.offline, sale.hold is not None) == (250, False, True)
    assert (asked.result(WAIT).kind, desk.view.state) == ("not_loyalty", "sold")
    until(lambda: not desk.live.may_search)
    assert desk.live.well


def test_a_coupon_that_another_till_has_is_left_out_until_it_is_given_back(desk: Desk) -> None:
    desk.identify(REGULAR)
    assert desk.hold_elsewhere("other").granted
    quoted = desk.basket(sku="latte")
    assert (quoted.quote.coupons_used, quoted.quote.pay) == ((), 50000)
    assert desk.view.notice["en"] == "Another till has the coupon, or it was used: sold without it."
    desk.live.release("other")
    sale = desk.sell("1", sku="latte")
    assert (sale.quote.coupons_used, sale.quote.pay, sale.hold is not None) == ((COUPON,), 40000, True)
    assert desk.hold_elsewhere("third") == HoldAnswer(False, None, (COUPON,)), "kept until the sale is booked"
