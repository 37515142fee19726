"""Coupons once, shortfalls that repeat, consents and prompts."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from loyalty.quote import MemberState
from loyalty.wire import Consent, Shown
from loyalty_server import setup
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Shop, Till

    from loyalty.wire import Sale

CARD = "2900000000018"


def kept(shop: Shop, member: str) -> MemberState:
    ((state,),) = [line[1:] for line in shop.all(tables.members, "id", "state") if line[0] == member]
    return msgspec.json.decode(str(state), type=MemberState)


def with_coupon(sale: Sale, code: str = "TEA-1") -> Sale:
    return msgspec.structs.replace(sale, quote=msgspec.structs.replace(sale.quote, coupons_used=(code,)))


def test_a_coupon_that_two_tills_took_is_booked_and_flagged(shop: Shop, till: Till) -> None:
    member, other = shop.member(CARD), shop.till("S1", "pc-2")
    first, second = with_coupon(till.sale(member=member)), with_coupon(till.sale(member=member))
    assert till.verdicts(till.row(first)) == ["accepted"]
    assert shop.flags() == []
    assert other.verdicts(other.row(second)) == ["accepted"]
    assert shop.flags() == ["coupon_reused"]
    assert other.verdicts(other.row(with_coupon(till.sale(member=member), "TEA-2"))) == ["accepted"]
    assert (shop.points(member), shop.flags()) == (30, ["coupon_reused"])


def test_a_coupon_twice_in_one_batch_is_flagged_too(shop: Shop, till: Till) -> None:
    member, stranger = shop.member(CARD), shop.member("2900000000025")
    sales = [with_coupon(till.sale(member=who)) for who in (member, member, stranger)]
    assert till.verdicts(*map(till.row, sales)) == ["accepted"] * 3
    assert shop.all(tables.flags, "kind", "member") == [("coupon_reused", member)]


def test_who_pays_with_what_is_not_there_twice_pays_online_only(shop: Shop, till: Till) -> None:
    member = shop.member(CARD)
    believed = MemberState(balance=500, as_of=shop.clock.now())
    till.sell(100000, member=member, state=believed, redeem=500)
    assert not kept(shop, member).no_offline_redeem
    till.sell(100000, member=member, state=believed, redeem=500)
    assert shop.flags() == ["shortfall"] * 2
    told = kept(shop, member)
    assert told.no_offline_redeem
    told = msgspec.structs.replace(told, balance=500, as_of=shop.clock.now())
    assert till.sale(100000, state=told, redeem="max").quote.redeemed == 500
    with pytest.raises(AssertionError, match="redeem_above_most"):
        offline_sale(till, told)


def test_a_person_lets_him_again(shop: Shop, till: Till) -> None:
    member = shop.member(CARD)
    believed = MemberState(balance=500, as_of=shop.clock.now())
    for _ in range(2):
        till.sell(100000, member=member, state=believed, redeem=500)
    with shop.database.writing() as tx:
        setup.allow_offline(tx, member)
        with pytest.raises(LookupError, match="no member x"):
            setup.allow_offline(tx, "x")
    assert not kept(shop, member).no_offline_redeem
    till.sell(100000, member=member, state=believed, redeem=500)
    assert kept(shop, member).no_offline_redeem


def offline_sale(till: Till, state: MemberState) -> None:
    from loyalty.engine import quote
    from loyalty.quote import Basket, Line, Quote

    said = quote(till.shop.programme, state, Basket((Line(sum=100000),)), till.shop.clock.now(), 1, offline=True)
    assert isinstance(said, Quote), said


def test_the_consent_that_was_said_last_holds_whichever_came_last(shop: Shop, till: Till) -> None:
    member, now = shop.member(CARD), shop.clock.now()
    before = (now - timedelta(hours=1)).isoformat()
    assert till.verdicts(till.row(Consent(till="1", consent="withdrawn", card=CARD), "consent")) == ["accepted"]
    assert kept(shop, member).consent == "withdrawn"
    row = till.row(Consent(till="1", consent="given", member=member), "consent", at=before)
    assert till.verdicts(row) == ["accepted"]
    assert kept(shop, member).consent == "withdrawn"
    shop.clock.advance(seconds=1)
    assert till.verdicts(till.row(Consent(till="1", consent="given", member=member), "consent")) == ["accepted"]
    assert kept(shop, member).consent == "given"
    assert shop.count(tables.notes) == 3


@pytest.mark.parametrize("said", list(itertools.permutations(("given", "withdrawn", "given"))))
def test_of_consents_at_one_instant_the_stricter_holds(shop: Shop, till: Till, said: tuple[str, ...]) -> None:
    member = shop.member(CARD)
    rows = [till.row(Consent(till="1", consent=each, member=member), "consent") for each in said]
    assert [till.verdicts(row) for row in rows] == [["accepted"]] * 3
    assert kept(shop, member).consent == "withdrawn"


def test_nobodys_consent_is_kept_and_flagged(shop: Shop, till: Till) -> None:
    rows = [Consent(till="1", consent="withdrawn", card="1"), Consent(till="1", consent="withdrawn", member="x")]
    assert till.verdicts(*[till.row(each, "consent") for each in rows]) == ["accepted"] * 2
    assert (sorted(shop.flags()), shop.count(tables.notes)) == (["unknown_card", "unknown_member"], 2)


def test_prompts_that_were_shown_are_kept_once(shop: Shop, till: Till) -> None:
    member = shop.member(CARD)
    said = Shown(till="1", prompt={"ru": "Ещё 200 рублей", "en": "200 more"}, member=member)
    row = till.row(said, "shown")
    assert till.verdicts(row, till.row(said, "shown", id=row.id)) == ["accepted", "duplicate"]
    assert till.verdicts(till.row(said, "shown", id=row.id)) == ["duplicate"]
    assert shop.all(tables.notes, "kind", "till", "member") == [("shown", "1", member)]


def test_receipts_that_were_long_under_way_are_flagged_once_a_batch(shop: Shop, till: Till) -> None:
    old = (shop.clock.now() - timedelta(days=8)).isoformat()
    assert till.verdicts(*[till.row(till.sale(), at=old) for _ in range(3)]) == ["accepted"] * 3
    ((kind, detail),) = shop.all(tables.flags, "kind", "detail")
    assert kind == "late"
    assert str(detail).startswith("rows=3 oldest=2026-12-04")
