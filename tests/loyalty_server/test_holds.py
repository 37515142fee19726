"""Points that are reserved for an open receipt: granted once, whatever is repeated; in nobody's way when they are over."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import update

from loyalty.quote import Lot, MemberState
from loyalty.wire import Hold, Problem
from loyalty_server import members
from loyalty_server.holds import KEPT, LIVES
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Sale

    Read = Callable[[requests.Response], Problem]

CARD = "2900000000018"
MINUTE = timedelta(minutes=1)


@dataclass
class Counter:
    """What a till asks about holds."""

    till: Till
    member: str

    def put(self, name: str, points: int, *coupons: str, **more: object) -> requests.Response:
        wish = {"member": self.member, "till": "1", "points": points, "coupons": coupons, **more}
        return self.till.ask("PUT", f"/v1/holds/{name}", data=msgspec.json.encode(wish))

    def hold(self, name: str, points: int, *coupons: str) -> Hold:
        response = self.put(name, points, *coupons)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=Hold)

    def refused(self, name: str, points: int, *coupons: str) -> tuple[str, int | None]:
        response = self.put(name, points, *coupons)
        problem = msgspec.json.decode(response.content, type=Problem)
        assert response.status_code == 409, response.text
        return problem.code, problem.most

    def release(self, name: str) -> int:
        return self.till.ask("DELETE", f"/v1/holds/{name}").status_code

    def pay(self, points: int, hold: str | None = None) -> Sale:
        """A sale that is paid with points, delivered at once."""
        believed = MemberState(balance=points, as_of=self.till.shop.clock.now())
        return self.till.sell(100 * points * 2, member=self.member, state=believed, redeem=points, hold=hold)


@pytest.fixture
def member(shop: Shop) -> str:
    return shop.member(CARD, 100)


@pytest.fixture
def here(till: Till, member: str) -> Counter:
    return Counter(till, member)


@pytest.fixture
def there(shop: Shop, member: str) -> Counter:
    return Counter(shop.till("S2", "pc-2"), member)


def shortfalls(shop: Shop) -> list[str]:
    return [str(detail) for kind, detail in shop.all(tables.flags, "kind", "detail") if kind == "shortfall"]


def test_what_one_holds_another_cannot(shop: Shop, here: Counter, there: Counter) -> None:
    granted = here.hold("h-1", 60)
    assert granted == Hold(id="h-1", points=60, coupons=(), expires_at=shop.clock.now() + LIVES)
    assert there.refused("h-1", 41) == ("points_short", 40)
    assert there.hold("h-1", 40).points == 40
    assert here.refused("h-2", 1) == ("points_short", 0)
    assert shop.points(here.member) == 100, "nothing is booked"


def test_a_receipt_that_stays_open_renews_its_hold_with_each_quote(shop: Shop, here: Counter, there: Counter) -> None:
    for _ in range(3):
        assert here.hold("h-1", 60) == Hold(id="h-1", points=60, coupons=(), expires_at=shop.clock.now() + LIVES)
        shop.clock.at += LIVES - MINUTE
    assert there.refused("x", 41) == ("points_short", 40)
    shop.clock.at += MINUTE
    assert there.hold("x", 41).points == 41, "nobody has quoted the receipt for the life of a hold"


def test_what_has_been_promised_is_not_decided_again(here: Counter, there: Counter) -> None:
    here.hold("h-1", 60)
    there.pay(100)
    assert here.hold("h-1", 60).points == 60


def test_another_amount_is_decided_anew(shop: Shop, here: Counter, there: Counter) -> None:
    here.hold("h-1", 60)
    shop.clock.advance(minutes=1)
    assert here.hold("h-1", 90).expires_at == shop.clock.now() + LIVES
    assert there.refused("x", 20) == ("points_short", 10)
    here.hold("h-1", 10)
    there.hold("x", 90)


def test_a_refused_change_leaves_the_hold_as_it_was(here: Counter, there: Counter) -> None:
    granted = here.hold("h-1", 60)
    there.hold("x", 40)
    assert here.refused("h-1", 61) == ("points_short", 60)
    assert here.hold("h-1", 60) == granted


def test_a_debt_holds_nothing(shop: Shop, till: Till) -> None:
    member = shop.member("2900000000025")
    counter = Counter(till, member)
    counter.pay(50)
    assert shop.points(member) < 0
    assert counter.refused("h", 1) == ("points_short", 0)


def test_a_released_hold_is_in_nobody_s_way(here: Counter, there: Counter) -> None:
    here.hold("h-1", 100)
    assert [here.release("h-1"), here.release("h-1"), here.release("never-made")] == [200] * 3
    there.hold("x", 100)


def test_what_was_released_cannot_come_back(here: Counter, there: Counter) -> None:
    """A request that was given up may arrive after the release that was sent behind it."""
    here.hold("h-1", 100)
    here.release("h-1")
    here.release("h-2")
    for name in ("h-1", "h-2"):
        assert here.refused(name, 100) == ("hold_over", None)
    there.hold("h-1", 100)


def test_nobody_releases_the_hold_of_another_device(here: Counter, there: Counter) -> None:
    here.hold("h-1", 100)
    assert there.release("h-1") == 200
    assert there.refused("x", 1) == ("points_short", 0)


def test_a_sale_uses_its_hold(shop: Shop, here: Counter, there: Counter) -> None:
    here.hold("h-1", 60)
    sale = here.pay(50, "h-1")
    left = 100 - 50 + sale.quote.earned
    assert shop.points(here.member) == left
    there.hold("x", left)
    assert here.refused("h-1", 50) == ("hold_over", None)
    assert shortfalls(shop) == []


def test_a_sale_that_comes_twice_uses_it_once(shop: Shop, here: Counter) -> None:
    here.hold("h-1", 60)
    sale = here.pay(60, "h-1")
    left = shop.points(here.member)
    assert here.till.verdicts(here.till.row(sale)) == ["duplicate"]
    assert (shop.points(here.member), shortfalls(shop)) == (left, [])


def test_two_sales_of_one_batch_cannot_both_use_it(shop: Shop, here: Counter) -> None:
    here.hold("h-1", 100)
    believed = MemberState(balance=100, as_of=shop.clock.now())
    sales = [here.till.sale(20000, member=here.member, state=believed, redeem=100, hold="h-1") for _ in range(2)]
    earned = sales[0].quote.earned
    assert here.till.verdicts(*map(here.till.row, sales)) == ["accepted", "accepted"]
    assert shop.points(here.member) == 100 - 200 + 2 * earned
    assert shortfalls(shop) == [f"points={100 - earned} cashier="]


def test_a_sale_without_a_hold_has_no_claim_on_what_is_held(shop: Shop, here: Counter, there: Counter) -> None:
    here.hold("h-1", 60)
    there.pay(70)
    assert shortfalls(shop) == ["points=30 cashier="]
    here.pay(60, "h-1")
    assert shortfalls(shop) == ["points=30 cashier="], "who held is not to blame"


def test_more_than_was_held_is_taken_from_what_is_free(shop: Shop, here: Counter, there: Counter) -> None:
    there.hold("x", 30)
    here.hold("h-1", 50)
    here.pay(75, "h-1")
    assert shortfalls(shop) == ["points=5 cashier="]


def test_an_expired_hold_rejects_nothing(shop: Shop, here: Counter, there: Counter) -> None:
    here.hold("h-1", 100)
    shop.clock.at += LIVES
    there.hold("x", 100)
    here.pay(100, "h-1")
    assert shortfalls(shop) == ["points=100 cashier="]
    assert here.refused("h-1", 100)[0] == "hold_over", "its sale is booked"


def test_an_expired_hold_whose_points_are_still_there(shop: Shop, here: Counter) -> None:
    here.hold("h-1", 100)
    shop.clock.at += LIVES
    here.pay(100, "h-1")
    assert shortfalls(shop) == []


def test_a_hold_lives_until_its_last_moment(shop: Shop, here: Counter, there: Counter) -> None:
    here.hold("h-1", 100)
    shop.clock.at += LIVES - timedelta(microseconds=1)
    assert there.refused("x", 1) == ("points_short", 0)
    shop.clock.advance(microseconds=1)
    assert there.hold("x", 50).points == 50
    assert here.refused("h-1", 100) == ("points_short", 50), "it is asked for anew"
    assert here.hold("h-1", 50).expires_at == shop.clock.now() + LIVES


def test_another_device_s_hold_covers_nothing(shop: Shop, here: Counter, there: Counter) -> None:
    here.hold("h-1", 100)
    there.pay(100, "h-1")
    assert shortfalls(shop) == ["points=100 cashier="]
    assert there.refused("x", 1) == ("points_short", 0)


def test_a_hold_of_another_member_covers_nothing(shop: Shop, here: Counter) -> None:
    other = Counter(here.till, shop.member("2900000000025", 10))
    here.hold("h-1", 100)
    other.pay(20, "h-1")
    assert shortfalls(shop) == ["points=10 cashier="]
    assert other.refused("h-1", 1) == ("hold_over", None)


def test_a_rejected_sale_leaves_the_hold(shop: Shop, here: Counter, there: Counter) -> None:
    here.hold("h-1", 100)
    sold = here.till.sell(700)
    believed = MemberState(balance=100, as_of=shop.clock.now())
    sale = here.till.sale(20000, member=here.member, state=believed, redeem=100, hold="h-1", receipt=sold.receipt)
    assert here.till.verdicts(here.till.row(sale)) == ["receipt_conflict"]
    assert there.refused("x", 1) == ("points_short", 0)


def test_points_that_have_burnt_cannot_be_held(shop: Shop, here: Counter) -> None:
    soon = shop.clock.now() + MINUTE
    with shop.database.writing() as tx:
        lots = (Lot("a", 70, soon), Lot("b", 30))
        members.write(tx, [(here.member, members.Member(MemberState(balance=100, joined="2026-12-12", lots=lots)))])
    assert here.refused("h", 101) == ("points_short", 100)
    shop.clock.at = soon
    assert here.refused("h", 31) == ("points_short", 30)


def test_a_coupon_is_held_once(shop: Shop, here: Counter, there: Counter) -> None:
    with shop.database.writing() as tx:
        members.write(tx, [(here.member, members.Member(MemberState(balance=100, coupons=("LATTE-7", "TEA-1"))))])
    here.hold("h-1", 0, "LATTE-7")
    assert there.refused("x", 10, "LATTE-7") == ("coupon_not_free", None)
    said = msgspec.json.decode(there.put("x", 10, "TEA-1", "LATTE-7", "NOT-HIS").content, type=Problem)
    assert (said.code, said.coupons) == ("coupon_not_free", ("LATTE-7", "NOT-HIS"))
    there.hold("x", 10, "TEA-1")
    assert here.hold("h-1", 0, "LATTE-7").coupons == ("LATTE-7",)
    here.release("h-1")
    there.hold("y", 0, "LATTE-7")


def test_what_is_no_hold(shop: Shop, here: Counter, problem_of: Read) -> None:
    for name, points, more in (
        ("h", -1, {}), ("h", 10**13, {}), ("h", 10**30, {}), ("h", 1, {"till": ""}), ("h", 1, {"till": "x" * 65}),
        ("h", 1, {"member": ""}), ("h", 1, {"member": "\0"}), ("h", 1, {"coupons": ["c"] * 33}), ("h" * 65, 1, {}),
        ("h_1", 1, {}), ("%00", 1, {}), ("é", 1, {}), ("h", 1, {"coupons": "c"}),
    ):  # fmt: skip
        assert problem_of(here.put(name, points, **more)).code == "malformed", (name, points, more)
    assert here.release("h_1") == 400
    assert problem_of(here.put("h", 1, member="nobody")).code == "member_unknown"
    with shop.database.writing() as tx:
        tx.execute(update(tables.members).values(deleted_at=shop.clock.now()))
    assert problem_of(here.put("h", 1)).code == "member_unknown"
    assert shop.count(tables.holds) == 0


def test_who_asks(shop: Shop, here: Counter, problem_of: Read) -> None:
    here.hold("h-1", 100)
    for method in ("PUT", "DELETE"):
        answer = shop.http.request(method, f"{shop.url}/v1/holds/h-1", data=b"{}")
        assert problem_of(answer).code == "bad_signature"
    assert here.refused("x", 1) == ("points_short", 0)


def test_old_holds_are_swept_away(shop: Shop, here: Counter) -> None:
    for number in range(5):
        here.hold(f"h-{number}", 20)
    here.release("h-0")
    here.release("other")
    shop.clock.at += LIVES + KEPT
    here.hold("now", 1)
    assert shop.count(tables.holds) == 7, "a minute longer they may be asked about"
    shop.clock.at += MINUTE
    here.hold("then", 1)
    assert sorted(str(name) for (name,) in shop.all(tables.holds, "id")) == ["now", "then"]


def test_who_only_releases_leaves_nothing_for_ever(shop: Shop, here: Counter) -> None:
    for number in range(3):
        here.release(f"h-{number}")
    shop.clock.at += LIVES + KEPT + MINUTE
    here.release("last")
    assert shop.all(tables.holds, "id") == [("last",)]


def test_a_hold_is_no_change_of_the_member(shop: Shop, here: Counter) -> None:
    before = shop.all(tables.members, "id", "change", "balance", "state")
    here.hold("h-1", 100)
    here.release("h-1")
    assert shop.all(tables.members, "id", "change", "balance", "state") == before


def test_many_at_once_get_no_more_than_there_is(shop: Shop, member: str) -> None:
    counters = [Counter(shop.till("S1", f"pc-{number}"), member) for number in range(8)]
    statuses: list[int] = []

    def ask(counter: Counter) -> None:
        statuses.extend(counter.put(f"h-{number}", 7).status_code for number in range(4))

    threads = [threading.Thread(target=ask, args=[counter]) for counter in counters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (statuses.count(200), statuses.count(409)) == (100 // 7, 32 - 100 // 7)
