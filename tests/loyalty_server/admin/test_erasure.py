"""A member who is erased: nothing says who he was, in any table, and all that was booked still adds up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
import requests
from sqlalchemy import select, update

from loyalty.programme import load
from loyalty.quote import MemberState
from loyalty.wire import Consent, ReceiptId, Return
from loyalty_server import verify
from loyalty_server.audit import ask_again
from loyalty_server.expiry import expire
from loyalty_server.programmes import publish
from loyalty_server.storage import tables
from tests.loyalty_server.documents import BURNING, club

if TYPE_CHECKING:
    from conftest import Person, Phone, Shell, Shop, Till

    from loyalty.wire import Problem, Row, Sale

    Read = Callable[[requests.Response], Problem]

CARD, PHONE, NAME, BIRTHDAY = "2900000000018", "+79161234567", "Аннушка", "05-17"
ADJUST = "7f0c1f0e-5a57-4f9e-9d3f-0a1b2c3d4e5f"
NOON = datetime(2026, 12, 12, 9, tzinfo=UTC)


@pytest.fixture
def member(shop: Shop) -> str:
    return shop.member(CARD, 300, phone=PHONE, greeting=NAME)


def told(balance: int) -> MemberState:
    return MemberState(balance=balance, as_of=NOON, birthday=BIRTHDAY, tags=("tag-of-his",))


def lead_a_life(shop: Shop, till: Till, operator: Person, member: str) -> Sale:
    """Everything that somebody leaves behind; returns one of his sales."""
    sale = till.sell(10000, card=CARD, state=told(300), redeem=20)
    till.sell(700, member=member, state=told(288))  # too little to earn anything
    said = [Consent(till="1", consent="given", card=CARD), Consent(till="1", consent="given", member=member)]
    assert till.verdicts(*(till.row(each, "consent") for each in said)) == ["accepted"] * 2
    assert till.verdicts(till.row('{"card": "' + CARD + '"}')) == ["row_malformed"]
    hold = till.ask("PUT", "/v1/holds/h1", json={"member": member, "till": "1", "points": 5})
    assert hold.status_code == 200
    wish = {"member": member, "points": 7, "reason": f"for {NAME}"}
    assert operator.ask("PUT", f"/corrections/{ADJUST}", json=wish).status_code == 200
    with shop.database.writing() as tx:
        tx.execute(update(tables.flags).values(member=member))
    number = operator.get("/flags")["flags"][0]["id"]
    assert operator.ask("POST", f"/flags/{number}/close", json={"note": f"{NAME} called"}).status_code == 200
    return sale


def fits(shop: Shop) -> None:
    with shop.database.reading() as tx:
        assert list(verify.differences(tx, lambda _: None)) == []
    assert ask_again(shop.database, shop.keys, 1, shop.clock.now())[1] == []


def asked_again(shop: Shop) -> int:
    """How many sales the engine can be asked about."""
    return ask_again(shop.database, shop.keys, 1, shop.clock.now())[0]


def left(shop: Shop, *secrets: str) -> list[tuple[str, str]]:
    """Which tables still hold one of these."""
    return [(name, each) for name, lines in shop.everything().items() for each in secrets if each in str(lines)]


def test_nothing_tells_who_he_was_and_the_ledger_adds_up(shop: Shop, till: Till, operator: Person, member: str) -> None:
    lead_a_life(shop, till, operator, member)
    assert {name for name, _ in left(shop, CARD, PHONE, NAME, BIRTHDAY, "tag-of-his")} == {
        "cards", "members", "receipts", "notes", "quarantine", "corrections", "flags",
    }  # fmt: skip
    assert shop.points(member) == 300 - 20 + 8 + 7
    receipts, fits_before = shop.count(tables.receipts), shop.count(tables.ledger)
    assert asked_again(shop) == 2
    shop.clock.advance(hours=1)
    answer = operator.ask("DELETE", f"/members/{member}")
    assert answer.json() == {"member": member, "erased_at": "2026-12-12T10:00:00Z"}
    assert left(shop, CARD, PHONE, NAME, BIRTHDAY, "tag-of-his") == []
    assert shop.points(member) == 0
    assert (shop.count(tables.receipts), shop.count(tables.ledger)) == (receipts, fits_before + 1)
    fits(shop)
    assert asked_again(shop) == 0
    gone = till.changes()[-1]
    assert (gone.member, gone.state, gone.greeting, gone.idents) == (member, None, None, None)
    assert operator.log()[-1] == ("DELETE /v1/admin/members/{member}", f"member={member}", "done")
    seen = operator.get(f"/members/{member}")
    assert (seen["erased_at"], seen["balance"], seen["cards"], seen["phone"]) == ("2026-12-12T10:00:00Z", 0, [], None)
    assert shop.count(tables.holds) == 0


def test_again_changes_nothing(shop: Shop, operator: Person, member: str) -> None:
    first = operator.ask("DELETE", f"/members/{member}").json()
    before = shop.everything()
    shop.clock.advance(days=1)
    assert operator.ask("DELETE", f"/members/{member}").json() == first
    after = shop.everything()
    assert {table for table in after if after[table] != before[table]} == {"audit_log"}


def test_nobody_is_erased_by_mistake(
    shop: Shop, operator: Person, reader: Person, member: str, problem_of: Read
) -> None:
    other = shop.member("2900000000117", 5, greeting="Boris")
    assert problem_of(operator.ask("DELETE", "/members/nobody")).code == "member_unknown"
    assert problem_of(reader.ask("DELETE", f"/members/{member}")).code == "operator_reads_only"
    assert shop.points(member) == 300
    assert operator.ask("DELETE", f"/members/{member}").status_code == 200
    assert shop.points(other) == 5
    assert operator.get(f"/members/{other}")["greeting"] == "Boris"


def test_what_names_him_later_is_booked_without_a_member(shop: Shop, till: Till, operator: Person, member: str) -> None:
    sale = lead_a_life(shop, till, operator, member)
    operator.ask("DELETE", f"/members/{member}")
    till.sell(10000, member=member, state=told(300))
    till.sell(10000, card=CARD)
    back = Return(
        receipt=ReceiptId(store="S1", till="1", business_day=date(2026, 12, 12), shift="1", number="R1"),
        sale=sale.receipt, day=date(2026, 12, 12), refund=8000, points_back=20, clawback=8,
    )  # fmt: skip
    assert till.verdicts(till.row(back, "return")) == ["accepted"]
    assert till.verdicts(till.row(Consent(till="1", consent="given", member=member), "consent")) == ["accepted"]
    assert shop.points(member) == 0
    assert {"unknown_member", "unknown_card"} <= set(shop.flags())
    fits(shop)
    hold = till.ask("PUT", "/v1/holds/h2", json={"member": member, "till": "1", "points": 0})
    assert hold.json()["code"] == "member_unknown"


def test_a_receipt_that_comes_after_its_member_has_gone(shop: Shop, till: Till, operator: Person, phone: Phone) -> None:
    """He joined by its token, was erased, and only then the till could deliver it."""
    token = till.token()
    phone.join(token)
    (member,) = [row[0] for row in shop.all(tables.members, "id")]
    operator.ask("DELETE", f"/members/{member}")
    assert shop.count(tables.attempts) == 0
    assert {row[0] is None for row in shop.all(tables.consents, "withdrawn_at")} == {False}
    till.sell(10000, token=token)
    assert shop.all(tables.receipts, "member") == [(None,)]
    assert shop.points(member) == 0
    fits(shop)


def test_the_same_phone_joins_as_somebody_new(shop: Shop, till: Till, operator: Person, phone: Phone) -> None:
    phone.join(till.token())
    (first,) = [row[0] for row in shop.all(tables.members, "id")]
    operator.ask("DELETE", f"/members/{first}")
    phone.join(till.token())
    with shop.database.reading() as tx:
        found = tx.execute(select(tables.members.c.id).where(tables.members.c.phone.is_not(None))).scalar_one()
    assert found != first


def test_a_debt_ends_too(shop: Shop, till: Till, operator: Person) -> None:
    poor = shop.member("2900000000117", 10)
    till.sell(10000, member=poor, state=MemberState(balance=1000, as_of=shop.clock.now()), redeem=40, offline=True)
    assert shop.points(poor) == -24
    operator.ask("DELETE", f"/members/{poor}")
    assert shop.points(poor) == 0
    fits(shop)
    assert operator.get("/reports/points") == {"members": 0, "points": 0, "debtors": 0, "debt": 0}


def test_points_that_have_burnt_and_are_not_booked_so_yet(
    shop: Shop, till: Till, operator: Person, member: str
) -> None:
    shop.programme = load(club(BURNING, revision=2), "toml")
    with shop.database.writing() as tx:
        publish(tx, shop.keys, shop.programme, shop.clock.now())
    till.sell(10000, member=member, state=MemberState(balance=300, as_of=shop.clock.now()))
    shop.clock.at = datetime(2027, 2, 1, tzinfo=UTC)
    till.sell(20000, member=member, state=MemberState(balance=300, as_of=shop.clock.now()))
    assert shop.points(member) == 330
    operator.ask("DELETE", f"/members/{member}")
    assert shop.points(member) == 0
    shop.clock.at = datetime(2027, 6, 1, tzinfo=UTC)
    assert expire(shop.database, shop.clock.now()).points == 0
    assert shop.points(member) == 0
    fits(shop)


def test_while_four_tills_sell_to_him(shop: Shop, operator: Person, member: str) -> None:
    """Each receipt is his and counted out again, or nobody's."""
    tills = [shop.till("S1", f"pc-{number}") for number in range(4)]
    state, begun = MemberState(balance=300, as_of=NOON), threading.Barrier(5)
    for number, till in enumerate(tills):
        till.number = 100 * number
    batches = [[[till.row(till.sale(10000, member=member, state=state))] for _ in range(6)] for till in tills]
    verdicts: list[str] = []

    def sell(till: Till, rows: list[list[Row]]) -> None:
        till.shop = copy(shop)
        with requests.Session() as till.shop.http:
            begun.wait(10)
            for each in rows:
                verdicts.extend(till.verdicts(*each))

    threads = [threading.Thread(target=sell, args=both) for both in zip(tills, batches, strict=True)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    assert operator.ask("DELETE", f"/members/{member}").status_code == 200
    for thread in threads:
        thread.join()
    assert verdicts == ["accepted"] * 24
    assert shop.points(member) == 0
    assert shop.count(tables.receipts) == 24
    fits(shop)


def test_on_the_command_line(shell: Shell) -> None:
    shell.init()
    member = shell("member", "add", "--card", CARD, "--balance", "300", "--phone", PHONE).strip()
    assert shell("member", "erase", member, "--yes") == f"erased member={member}\n"
    assert "no such member" in shell("member", "erase", "nobody", "--yes", code=1)
    assert "verified differences=0" in shell("verify")
    assert f"member erase member={member} done" in shell("audit-log")
