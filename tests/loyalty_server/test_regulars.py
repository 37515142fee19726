"""A store's feed has those who have had to do with it, and brings whoever is new there, cards included."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import insert, select, text

from loyalty.codes import ident
from loyalty.columns import unpack
from loyalty.wire import ChangesPage, MemberSearchReply, PackedPage
from loyalty_server import members, setup
from loyalty_server.edge import Limits
from loyalty_server.keys import decode_bytes
from loyalty_server.members import erase
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database
from loyalty_server.storage.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Shop, Till
    from storages import Storage

CARD = "2900000000018"


@pytest.fixture
def other(shop: Shop) -> Till:
    """A till of the second store."""
    return shop.till("S2", "pc-2")


@pytest.fixture
def member(shop: Shop) -> str:
    """A regular of the first store alone."""
    with shop.database.writing() as tx:
        return setup.add_known_member(tx, CARD, 100, None, None, shop.clock.now(), ["S1"])


def page(till: Till, since: str = "") -> ChangesPage:
    response = till.ask("GET", "/v1/members/changes", params={"since": since})
    return unpack(msgspec.json.decode(response.content, type=PackedPage))


def all_pages(till: Till, since: str = "") -> list[ChangesPage]:
    pages = [page(till, since)]
    while not pages[-1].complete:
        pages.append(page(till, pages[-1].next))
    return pages


def search(till: Till) -> MemberSearchReply:
    response = till.ask("POST", "/v1/members/search", json={"card": CARD})
    return msgspec.json.decode(response.content, type=MemberSearchReply)


def join(shop: Shop, till: Till) -> str:
    """Somebody with his telephone, at the till."""
    wish = {"token": till.token(), "phone": "89161234567", "consents": ["personal_data"]}
    asked = till.ask("POST", "/v1/enrolments", json=wish).json()["id"]
    code = {"token": wish["token"], "code": shop.last_code()}
    return str(till.ask("POST", f"/v1/enrolments/{asked}/confirm", json=code).json()["member"])


def known(till: Till, since: str = "") -> list[tuple[str, tuple[str, ...] | None]]:
    """Who is told after this cursor, and his cards."""
    return [(change.member, change.idents) for each in all_pages(till, since) for change in each.changes]


def card_at(till: Till) -> tuple[str, ...]:
    return (ident(decode_bytes(till.me.ident_key), CARD),)


def test_who_buys_in_another_store_is_known_there_from_then_on(
    shop: Shop, till: Till, other: Till, member: str
) -> None:
    """His own cards changed long before the other store's cursor."""
    here, there = page(till).next, page(other)
    assert (known(till), there.changes) == ([(member, card_at(till))], ())
    other.sell(card=CARD)
    assert known(other, there.next) == [(member, card_at(other))]
    assert known(till, here) == [(member, None)]
    cursor = page(other, there.next).next
    till.sell(card=CARD)
    assert known(other, cursor) == [(member, None)]
    assert shop.points(member) == 120


def test_whom_a_till_looks_for_is_in_its_next_page(other: Till, member: str) -> None:
    cursor = page(other).next
    found = search(other).found
    assert found is not None
    (change,) = page(other, cursor).changes
    assert change == found
    after = page(other, cursor).next
    assert search(other).found == found
    assert page(other, after).changes == (), "he is one already"
    assert member == change.member


def test_a_search_is_answered_while_somebody_holds_the_member(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(patience=0.05)
    with shop.database.writing() as tx:
        member = setup.add_known_member(tx, CARD, 0, None, None, shop.clock.now(), ["S1"])
    other = shop.till("S2", "pc-2")
    with shop.database.writing() as tx:
        members.lock(tx, [member])
        assert search(other).found is not None
    assert known(other) == []
    assert search(other).found is not None
    assert known(other) == [(member, card_at(other))]


def test_who_joins_in_a_store_is_a_regular_there(shop: Shop, till: Till, other: Till) -> None:
    joined = join(shop, till)
    assert ([name for name, _ in known(till)], known(other)) == ([joined], [])
    cursor = page(other).next
    assert join(shop, other) == joined
    ((again, cards),) = known(other, cursor)
    assert (again, len(cards or ())) == (joined, 1)


def test_who_is_gone_is_told_to_stores_that_had_him(shop: Shop, till: Till, other: Till, member: str) -> None:
    here, there = page(till).next, page(other).next
    with shop.database.writing() as tx:
        erase(tx, member, shop.clock.now())
    (gone,) = page(till, here).changes
    assert (gone.member, gone.state) == (member, None)
    assert page(other, there).changes == ()


def test_a_cursor_moves_on_while_only_others_change(till: Till, other: Till, member: str) -> None:
    """Else each question would go through what all other stores have done since."""
    first = page(other)
    till.sell(member=member)
    second = page(other, first.next)
    assert second.changes == ()
    assert second.next != first.next
    assert page(other, second.next).next == second.next


def test_pages_are_of_regulars(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(limits=Limits(page=2))
    till, homes = shop.till(), ["S1", "S2"]
    with shop.database.writing() as tx:
        made = [
            setup.add_known_member(tx, f"card-{n}", 0, None, None, shop.clock.now(), [homes[n % 2]]) for n in range(9)
        ]
    pages = all_pages(till)
    assert [len(each.changes) for each in pages] == [2, 2, 1]
    assert [change.member for each in pages for change in each.changes] == made[::2]


def test_a_store_that_is_not_there_has_no_regulars(shop: Shop) -> None:
    with pytest.raises(LookupError, match="S9"), shop.database.writing() as tx:
        setup.add_known_member(tx, CARD, 0, None, None, shop.clock.now(), ["S1", "S9"])
    assert shop.count(tables.members) == 0


def test_a_database_of_before_knows_its_regulars_by_what_was_booked(tmp_path: Path, storage: Storage) -> None:
    """Who bought is a regular there, who joined too, who did neither everywhere; and no cursor of before is good."""
    database, now = Database(storage.empty(tmp_path)), datetime(2026, 12, 12, tzinfo=UTC)
    upgrade(database, "v0011")
    with database.writing() as tx:
        setup.add_stores(tx, ["S1", "S2"])
        for number, name in enumerate(("bought", "joined", "neither")):
            line = {"id": name, "balance": 0, "state": "{}", "change": number, "cards_change": number}
            tx.execute(insert(tables.members).values(**line, created_at=now))
        receipt = {"business_day": date(2026, 12, 11), "till": "1", "shift": "1", "device": "D1", "epoch": "e"}
        receipt |= {"at": now, "received_at": now, "total": 0, "pay": 0, "earned": 0, "body": "{}", "body_sha256": ""}
        for number, (store, who) in enumerate([("S1", "bought"), ("S1", "bought"), ("S2", "bought"), ("S2", None)]):
            own = {"store": store, "member": who, "number": str(number), "row_id": str(number), "seq": number}
            tx.execute(insert(tables.receipts).values(**receipt, **own))
        said = {"purpose": "personal_data", "text_version": 1, "text_sha256": "", "language": "ru", "channel": "till"}
        tx.execute(insert(tables.consents).values(**said, member="joined", store="S2", accepted_at=now))
        tx.execute(text("INSERT INTO settings (name, value) VALUES ('incarnation', 'abc-3')"))
    upgrade(database)
    with database.reading() as tx:
        found = sorted(tuple(row) for row in tx.execute(select(tables.regulars)))
        life = tx.execute(select(tables.settings.c.value)).scalar_one()
    pairs = [("S1", "bought"), ("S1", "neither"), ("S2", "bought"), ("S2", "joined"), ("S2", "neither")]
    assert found == [(store, who, 0) for store, who in pairs]
    assert (life.partition("-")[2], life.startswith("abc")) == ("3", False)
    database.close()
