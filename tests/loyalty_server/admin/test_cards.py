"""A lost card is refused everywhere, and the new one takes over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import requests

from loyalty.codes import ident
from loyalty_server.keys import decode_bytes
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Person, Phone, Shell, Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]

OLD, NEW = "2900000000018", "2900000000025"


@pytest.fixture
def member(shop: Shop) -> str:
    return shop.member(OLD, 300)


def replace(operator: Person, member: str, **wish: str) -> requests.Response:
    return operator.ask("POST", f"/members/{member}/cards", json=wish)


def found(till: Till, card: str) -> object:
    return till.ask("POST", "/v1/members/search", json={"card": card}).json()["found"]


def test_the_old_card_is_refused_and_the_new_one_is_his(shop: Shop, till: Till, operator: Person, member: str) -> None:
    till.changes()
    answer = replace(operator, member, lost=OLD, new=NEW)
    cards = {each["card"]: each["blocked_at"] for each in answer.json()["cards"]}
    assert cards == {OLD: "2026-12-12T09:00:00Z", NEW: None}
    assert found(till, OLD) is None
    assert found(till, NEW) is not None
    assert till.changes()[-1].idents == (ident(decode_bytes(till.me.ident_key), NEW),)
    till.sell(10000, card=OLD)
    assert (shop.points(member), shop.flags()) == (300, ["unknown_card"])
    till.sell(10000, card=NEW)
    assert shop.points(member) == 310
    assert operator.ask("POST", "/search", json={"card": OLD}).json() == {"member": None}
    assert operator.log()[0] == ("POST /v1/admin/members/{member}/cards", f"member={member}", "done")
    assert not [card for card in (OLD, NEW) if card in str(operator.log())]


def test_the_same_again_changes_nothing(shop: Shop, operator: Person, member: str) -> None:
    first = replace(operator, member, lost=OLD, new=NEW).json()
    before = shop.all(tables.members, "change")
    shop.clock.advance(days=1)
    assert replace(operator, member, lost=OLD, new=NEW).json() == first
    assert shop.all(tables.members, "change") == before


def test_a_card_is_blocked_without_another_and_tills_know_none(till: Till, operator: Person, member: str) -> None:
    till.changes()
    assert replace(operator, member, lost=OLD).status_code == 200
    change = till.changes()[-1]
    assert (change.member, change.idents) == (member, ())
    assert change.state is not None


def test_who_joins_again_after_his_card_was_blocked_gets_another(
    shop: Shop, till: Till, operator: Person, phone: Phone
) -> None:
    phone.join(till.token())
    ((member, card),) = shop.all(tables.cards, "member", "card")
    assert replace(operator, str(member), lost=str(card)).status_code == 200
    phone.join(till.token())
    (new,) = [number for number, blocked in shop.all(tables.cards, "card", "blocked_at") if blocked is None]
    assert {row[0] for row in shop.all(tables.cards, "member")} == {member}
    assert new != card


def test_what_is_refused(shop: Shop, operator: Person, reader: Person, member: str, problem_of: Read) -> None:
    other = shop.member("2900000000117", 5)
    for who, wish, code in (
        ("nobody", {"lost": OLD}, "member_unknown"),
        (member, {"lost": "2900000000117"}, "card_unknown"),
        (member, {"lost": OLD, "new": "2900000000117"}, "card_taken"),
        (member, {"lost": OLD, "new": OLD}, "card_taken"),
        (member, {"lost": ""}, "malformed"),
    ):
        assert problem_of(replace(operator, who, **wish)).code == code
    assert problem_of(replace(reader, member, lost=OLD)).code == "operator_reads_only"
    assert {row[0] for row in shop.all(tables.cards, "blocked_at")} == {None}
    replace(operator, member, lost=OLD)
    assert problem_of(replace(operator, other, lost="2900000000117", new=OLD)).code == "card_taken"


def test_on_the_command_line(shell: Shell) -> None:
    shell.init()
    member = shell("member", "add", "--card", OLD).strip()
    assert shell("member", "card", member, "--lost", OLD, "--new", NEW) == f"blocked member={member}\n"
    assert "belongs to a member" in shell("member", "add", "--card", OLD, code=1)
    assert "no such card" in shell("member", "card", member, "--lost", "29", code=1)
