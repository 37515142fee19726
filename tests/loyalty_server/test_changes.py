"""The feed of members: everything once in order of change, from one picture, and never across two lives of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from loyalty.codes import ident
from loyalty.columns import unpack
from loyalty.quote import MemberState
from loyalty.wire import ChangesPage, PackedPage
from loyalty_server.edge import Limits
from loyalty_server.keys import decode_bytes
from loyalty_server.members import give_card
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]


def page(till: Till, since: str = "") -> ChangesPage:
    response = till.ask("GET", "/v1/members/changes", params={"since": since} if since else {})
    assert response.status_code == 200, response.text
    return unpack(msgspec.json.decode(response.content, type=PackedPage))


def all_pages(till: Till, since: str = "") -> list[ChangesPage]:
    pages = [page(till, since)]
    while not pages[-1].complete:
        pages.append(page(till, pages[-1].next))
    return pages


def test_an_empty_server_has_nothing_to_tell(till: Till) -> None:
    first = page(till)
    assert (first.changes, first.complete, first.includes.seq) == ((), True, 0)
    assert page(till, first.next) == first


def test_a_member_as_the_till_needs_him(shop: Shop, till: Till) -> None:
    member = shop.member("2900000000018", 300, phone="+79161234567", greeting="Анна")
    response = till.ask("GET", "/v1/members/changes")
    (change,) = page(till).changes
    assert (change.member, change.greeting) == (member, "Анна")
    assert change.idents == (ident(decode_bytes(till.me.ident_key), "2900000000018"),)
    assert change.state == MemberState(balance=300, joined="2026-12-12", as_of=shop.clock.now())
    assert "9161234567" not in response.text
    assert "2900000000018" not in response.text


def test_all_cards_of_a_member(shop: Shop, till: Till) -> None:
    member = shop.member("2900000000018")
    with shop.database.writing() as tx:
        tx.execute(tables.cards.insert().values(card="77", member=member, created_at=shop.clock.now()))
    key = decode_bytes(till.me.ident_key)
    assert set(page(till).changes[0].idents) == {ident(key, "2900000000018"), ident(key, "77")}


def test_pages_give_everybody_once(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(limits=Limits(page=4))
    till = shop.till()
    members = [shop.member(f"card-{number}") for number in range(10)]
    pages = all_pages(till)
    assert [len(each.changes) for each in pages] == [4, 4, 2]
    assert [change.member for each in pages for change in each.changes] == members


def test_a_full_last_page_is_complete(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(limits=Limits(page=2))
    till = shop.till()
    for number in range(4):
        shop.member(f"card-{number}")
    assert [(len(each.changes), each.complete) for each in all_pages(till)] == [(2, False), (2, True)]


def test_only_what_changed_comes_again(shop: Shop, till: Till) -> None:
    first, second = (shop.member(card) for card in ("1", "2"))
    cursor = page(till).next
    till.sell(member=first)
    assert [change.member for change in page(till, cursor).changes] == [first]
    later = page(till, cursor).next
    assert page(till, later).changes == ()
    assert [change.member for change in page(till).changes] == [second, first]


def test_cards_are_told_to_whom_does_not_know_them(shop: Shop, till: Till) -> None:
    first, second = shop.member("1"), shop.member("2")
    cursor = page(till).next
    till.sell(member=first)
    with shop.database.writing() as tx:
        give_card(tx, second, "3", shop.clock.now())
    key = decode_bytes(till.me.ident_key)
    told = {change.member: change.idents for change in page(till, cursor).changes}
    assert told.pop(first) is None
    assert set(told[second] or ()) == {ident(key, "2"), ident(key, "3")}


def test_cards_of_a_member_who_moved_on_during_the_first_fill_are_told(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(limits=Limits(page=2))
    till = shop.till()
    members = [shop.member(f"card-{number}") for number in range(5)]
    first = page(till)
    till.sell(member=members[2])
    till.sell(member=members[0])
    rest = all_pages(till, first.next)
    seen = {change.member: change.idents for each in [first, *rest] for change in each.changes}
    assert all(seen[member] for member in members)
    till.sell(member=members[1])
    (change,) = page(till, rest[-1].next).changes
    assert (change.member, change.idents) == (members[1], None)


def test_includes_says_what_the_page_has_counted_in(shop: Shop, till: Till) -> None:
    member = shop.member("1")
    other = shop.till("S1", "pc-2")
    for seq in (1, 2):
        till.sell(member=member)
        mine = page(till)
        assert (mine.includes.epoch, mine.includes.seq) == (till.me.epoch, seq)
        assert mine.changes[0].state is not None
        assert mine.changes[0].state.balance == seq * 10
    assert page(other).includes.seq == 0


def test_a_rejected_row_is_counted_in_too(till: Till) -> None:
    till.send(till.row("{"))
    assert page(till).includes.seq == 1


def test_a_deleted_member_is_a_tombstone(shop: Shop, till: Till) -> None:
    member = shop.member("1")
    cursor = page(till).next
    with shop.database.writing() as tx:
        gone = tables.members.update().where(tables.members.c.id == member)
        tx.execute(gone.values(deleted_at=shop.clock.now(), change=99))
    (change,) = page(till, cursor).changes
    assert (change.member, change.state, change.idents) == (member, None, None)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "x.1.1",
        ".",
        "0",
        "-1",
        "{life}.",
        "{life}.1",
        "{life}.-1.0",
        "{life}.99.0",
        "{life}.1e3.0",
        "{life}.².0",
        "{life}.1.2",
        "{life}.1.",
        "{life}.1.1.1",
    ],
)
def test_a_cursor_of_another_life_means_refill(shop: Shop, till: Till, cursor: str, problem_of: Read) -> None:
    shop.member("1")
    life = page(till).next.split(".")[0]
    response = till.ask("GET", "/v1/members/changes", params={"since": cursor.format(life=life)})
    assert (response.status_code, problem_of(response).code) == (410, "refill")


def test_a_restart_is_not_another_life(shop: Shop, till: Till) -> None:
    shop.member("1")
    cursor = page(till).next
    shop.restart()
    assert page(till, cursor).changes == ()


def test_a_new_database_is_another_life(make_shop: Callable[..., Shop], problem_of: Read) -> None:
    old = make_shop()
    old.member("1")
    cursor = page(old.till()).next
    new = make_shop(new=True)
    new.member("1")
    response = new.till().ask("GET", "/v1/members/changes", params={"since": cursor})
    assert problem_of(response).code == "refill"


def test_a_page_travels_packed(shop: Shop, till: Till) -> None:
    for number in range(50):
        shop.member(f"card-{number}")
    packed = till.ask("GET", "/v1/members/changes", headers={"Accept-Encoding": "gzip"})
    plain = till.ask("GET", "/v1/members/changes", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2


def test_the_feed_is_signed_for(shop: Shop, problem_of: Read) -> None:
    assert problem_of(shop.http.get(f"{shop.url}/v1/members/changes")).code == "bad_signature"
