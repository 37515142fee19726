"""Points by hand: booked once, never below what is there, told to the tills, and the ledger still fits."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import requests

from loyalty.programme import load
from loyalty.quote import MemberState
from loyalty_server import verify
from loyalty_server.expiry import expire
from loyalty_server.programmes import publish
from loyalty_server.storage import tables
from loyalty_server.storage.admin_tables import corrections
from tests.loyalty_server.documents import BURNING, club

if TYPE_CHECKING:
    from conftest import Person, Shell, Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]

CARD = "2900000000018"
ID = "7f0c1f0e-5a57-4f9e-9d3f-0a1b2c3d4e5f"


@pytest.fixture
def member(shop: Shop) -> str:
    return shop.member(CARD, 300)


def correct(
    operator: Person, member: str, points: int, name: str = "", reason: str = "was charged twice"
) -> requests.Response:
    wish = {"member": member, "points": points, "reason": reason}
    return operator.ask("PUT", f"/corrections/{name or uuid.uuid4()}", json=wish)


def fits(shop: Shop) -> None:
    with shop.database.reading() as tx:
        assert list(verify.differences(tx, lambda _: None)) == []


def test_it_is_booked_seen_and_told_to_the_tills(shop: Shop, till: Till, operator: Person, member: str) -> None:
    till.changes()
    answer = correct(operator, member, 50, ID)
    assert (answer.status_code, answer.json()["points"]) == (200, 50)
    assert shop.points(member) == 350
    told = till.changes()[-1]
    assert told.state is not None
    assert (told.member, told.state.balance) == (member, 350)
    newest = operator.get(f"/members/{member}")["entries"][0]
    assert (newest["kind"], newest["points"], newest["reason"]) == ("adjust", 50, "was charged twice")
    fits(shop)
    line = ("PUT /v1/admin/corrections/{correction}", f"correction={ID} member={member}", "done")
    assert operator.log()[0] == line
    assert shop.all(corrections, "operator", "reason") == [("anna", "was charged twice")]


def test_the_same_again_books_nothing_and_other_words_are_refused(
    shop: Shop, operator: Person, member: str, problem_of: Read
) -> None:
    first = correct(operator, member, 50, ID).json()
    shop.clock.advance(days=1)
    assert correct(operator, member, 50, ID).json() == first
    other = shop.member("2900000000117", 0)
    for who, points, reason in ((member, 51, "was charged twice"), (other, 50, "was charged twice"), (member, 50, "x")):
        assert problem_of(correct(operator, who, points, ID, reason)).code == "correction_conflict"
    assert (shop.points(member), shop.points(other)) == (350, 0)
    assert shop.count(corrections) == 1


def test_one_id_from_many_sides_at_once_is_booked_once(shop: Shop, operator: Person, member: str) -> None:
    said: list[int] = []

    def ask() -> None:
        wish = {"member": member, "points": 7, "reason": "once"}
        headers = {"Authorization": f"Bearer {operator.token}"}
        url = f"{shop.front.admin_url}/v1/admin/corrections/{ID}"
        said.append(requests.put(url, json=wish, headers=headers, timeout=20).status_code)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [200] * 6
    assert shop.points(member) == 307


def test_nobody_is_taken_more_than_he_has_or_what_is_held(
    shop: Shop, till: Till, operator: Person, member: str, problem_of: Read
) -> None:
    refused = problem_of(correct(operator, member, -301))
    assert (refused.code, refused.most) == ("points_short", 300)
    hold = till.ask("PUT", "/v1/holds/h1", json={"member": member, "till": "1", "points": 100})
    assert hold.status_code == 200
    refused = problem_of(correct(operator, member, -201))
    assert (refused.code, refused.most) == ("points_short", 200)
    assert correct(operator, member, -200).status_code == 200
    assert shop.points(member) == 100
    fits(shop)
    assert [line[2] for line in operator.log()] == ["points_short", "points_short", "done"]


def test_a_debt_is_repaid_and_never_made_larger(shop: Shop, till: Till, operator: Person, problem_of: Read) -> None:
    poor = shop.member("2900000000117", 10)
    till.sell(10000, member=poor, state=MemberState(balance=1000, as_of=shop.clock.now()), redeem=40, offline=True)
    assert shop.points(poor) == -24
    refused = problem_of(correct(operator, poor, -1))
    assert (refused.code, refused.most) == ("points_short", 0)
    assert correct(operator, poor, 24).status_code == 200
    assert shop.points(poor) == 0
    fits(shop)


def test_what_is_given_burns_as_if_it_were_earned_and_what_has_burnt_cannot_be_taken(
    shop: Shop, operator: Person, member: str, problem_of: Read
) -> None:
    with shop.database.writing() as tx:
        publish(tx, shop.keys, load(club(BURNING, revision=2), "toml"), shop.clock.now())
    assert correct(operator, member, 50).status_code == 200
    lots = operator.get(f"/members/{member}")["lots"]
    assert [(lot["points"], lot.get("expires_at")) for lot in lots] == [(50, "2027-01-31T21:00:00Z"), (300, None)]
    assert correct(operator, member, -20).status_code == 200
    fits(shop)
    shop.clock.at = datetime(2027, 2, 1, tzinfo=UTC)
    refused = problem_of(correct(operator, member, -301))
    assert (refused.code, refused.most) == ("points_short", 300)
    assert correct(operator, member, -300).status_code == 200
    expire(shop.database, shop.clock.now())
    assert shop.points(member) == 0
    fits(shop)


def test_a_sale_that_comes_later_but_was_earlier_still_fits(
    shop: Shop, till: Till, operator: Person, member: str
) -> None:
    with shop.database.writing() as tx:
        publish(tx, shop.keys, load(club(BURNING, revision=2), "toml"), shop.clock.now())
    shop.programme = load(club(BURNING, revision=2), "toml")
    row = till.row(till.sale(10000, member=member, state=MemberState(balance=300, as_of=shop.clock.now())))
    shop.clock.advance(hours=1)
    assert correct(operator, member, -300).status_code == 200
    assert till.verdicts(row) == ["accepted"]
    assert shop.points(member) == 10
    fits(shop)


def test_what_is_no_correction(operator: Person, reader: Person, member: str, problem_of: Read) -> None:
    bad = [
        (ID.upper(), 1, "x"), ("79161234567", 1, "x"), ("{" + ID + "}", 1, "x"), (ID, 0, "x"), (ID, 1, ""), (ID, 1, "a\nb"),
        (ID, 10**12 + 1, "x"), (ID, 1, "x" * 501),
    ]  # fmt: skip
    for name, points, reason in bad:
        assert problem_of(correct(operator, member, points, name, reason)).code == "malformed", (name, points, reason)
    assert problem_of(correct(operator, "nobody", 1, ID)).code == "member_unknown"
    assert problem_of(correct(reader, member, 1, ID)).code == "operator_reads_only"
    assert operator.shop.count(corrections) == operator.shop.count(tables.ledger) - 1 == 0
    assert "7916" not in str(operator.log())


def test_on_the_command_line(shell: Shell) -> None:
    shell.init()
    member = shell("member", "add", "--card", CARD, "--balance", "300").strip()
    words = ("member", "correct", member, "--reason", "was charged twice", "--id", ID, "--points")
    assert shell(*words, "-100") == f"corrected member={member} points=-100\n"
    assert shell(*words, "-100") == f"corrected member={member} points=-100\n"
    assert "Something else" in shell(*words, "-101", code=1)
    assert "So many points" in shell(*words[:-3], "--points", "-201", code=1)
    shown = shell("member", "show", member)
    assert '"balance": 200' in shown
    assert "verified differences=0" in shell("verify")
    lines = [line.split(" ", 1)[1] for line in shell("audit-log").splitlines()]
    assert lines[0] == f"(command line) member correct correction={ID} member={member} done"
