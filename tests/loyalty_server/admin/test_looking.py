"""What operators look at: flags, members, sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, get_args

import pytest
import requests

from loyalty.i18n import LANGUAGES, texts
from loyalty.quote import MemberState
from loyalty.wire import ReceiptId, Return
from loyalty_server import flags
from loyalty_server.rates import SEARCHES
from loyalty_server.storage import tables
from loyalty_server.storage.admin_tables import audit_log

if TYPE_CHECKING:
    from conftest import Person, Phone, Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]

CARD, PHONE = "2900000000018", "+79161234567"


@pytest.mark.parametrize("kind", get_args(flags.Kind))
def test_every_flag_says_what_to_do(kind: str) -> None:
    assert set(texts(f"flag.{kind}")) == set(LANGUAGES)


def flagged(till: Till, count: int = 1) -> None:
    """So many flags `unknown_card`."""
    for _ in range(count):
        till.sell(card="2900000000995")


def test_flags_come_in_pages_and_go_when_they_are_closed(operator: Person, till: Till) -> None:
    flagged(till, 3)
    first = operator.get("/flags", limit=2)
    assert [flag["kind"] for flag in first["flags"]] == ["unknown_card"] * 2
    assert first["flags"][0]["todo"] == texts("flag.unknown_card")
    second = operator.get("/flags", limit=2, after=first["next"])
    assert (len(second["flags"]), second["next"]) == (1, None)
    number = first["flags"][1]["id"]
    closed = operator.ask("POST", f"/flags/{number}/close", json={"note": "a guest's card"})
    assert (closed.status_code, closed.json()["closed_by"]) == (200, "anna")
    left = [flag["id"] for flag in operator.get("/flags")["flags"]]
    assert left == [first["flags"][0]["id"], second["flags"][0]["id"]]
    assert ("POST /v1/admin/flags/{flag}/close", f"flag={number}", "done") in operator.log()
    assert "guest" not in str(operator.log())


def test_closing_again_is_answered_as_the_first_time_and_never_changes_a_note(
    shop: Shop, operator: Person, till: Till, problem_of: Read
) -> None:
    flagged(till)
    path = f"/flags/{operator.get('/flags')['flags'][0]['id']}/close"
    first = operator.ask("POST", path, json={"note": "seen"}).json()
    shop.clock.advance(minutes=1)
    assert operator.ask("POST", path, json={"note": "seen"}).json() == first
    assert problem_of(operator.ask("POST", path, json={"note": "else"})).code == "flag_closed"
    assert shop.all(tables.flags, "closed_note") == [("seen",)]


@pytest.mark.parametrize("number", ["99", "0", "x", "9" * 40, "%00", "-1"])
def test_there_is_no_such_flag(operator: Person, number: str, problem_of: Read) -> None:
    assert problem_of(operator.ask("POST", f"/flags/{number}/close", json={"note": "x"})).code == "not_found"


def test_who_may_only_read_closes_nothing(reader: Person, till: Till, problem_of: Read) -> None:
    flagged(till)
    path = f"/flags/{reader.get('/flags')['flags'][0]['id']}/close"
    assert problem_of(reader.ask("POST", path, json={"note": "x"})).code == "operator_reads_only"
    assert len(reader.get("/flags")["flags"]) == 1
    assert reader.log()[1] == ("POST /v1/admin/flags/{flag}/close", "", "operator_reads_only")


def test_a_member_by_card_or_telephone_and_nothing_of_either_is_written_down(
    shop: Shop, reader: Person, till: Till, problem_of: Read
) -> None:
    member = shop.member(CARD, 300, phone=PHONE, greeting="Анна")
    shop.member("2900000000117", 7)
    till.sell(member=member, state=MemberState(balance=300, as_of=shop.clock.now()))
    for wish in ({"card": CARD}, {"phone": "8 (916) 123-45-67"}):
        assert reader.ask("POST", "/search", json=wish).json() == {"member": member}
    assert reader.ask("POST", "/search", json={"card": "2900000000993"}).json() == {"member": None}
    for wrong in ({}, {"card": CARD, "phone": PHONE}, {"card": "\0"}):
        assert problem_of(reader.ask("POST", "/search", json=wrong)).code == "malformed"
    seen = reader.get(f"/members/{member}")
    assert (seen["balance"], seen["greeting"], seen["phone"]) == (310, "Анна", "+7***4567")
    assert seen["cards"] == [
        {"card": CARD, "since": shop.clock.now().isoformat().replace("+00:00", "Z"), "blocked_at": None}
    ]
    assert [(entry["kind"], entry["points"], entry["number"]) for entry in seen["entries"]] == [
        ("earn", 10, "1"), ("opening", 300, None),
    ]  # fmt: skip
    found, nobody = (
        ("POST /v1/admin/search", f"member={member}", "done"),
        ("POST /v1/admin/search", "", "done"),
    )
    assert reader.log()[:3] == [found, found, nobody]
    assert reader.log()[-1] == ("GET /v1/admin/members/{member}", f"member={member}", "done")
    written = str(shop.all(audit_log, "action", "subject", "outcome"))
    assert not [secret for secret in (CARD, PHONE, "916", "Анна", reader.token) if secret in written]


def test_nobody_has_that_id(reader: Person, problem_of: Read) -> None:
    for name in (PHONE, "x" * 300, "%00"):
        assert problem_of(reader.ask("GET", f"/members/{name}")).code == "member_unknown"
    assert {line[1] for line in reader.log()} == {""}


def test_telephones_cannot_be_tried_out(reader: Person, problem_of: Read) -> None:
    burst, every = SEARCHES
    for _ in range(burst):
        assert reader.ask("POST", "/search", json={"phone": PHONE}).json() == {"member": None}
    refused = reader.ask("POST", "/search", json={"phone": PHONE})
    assert problem_of(refused).code == "too_many_requests"
    reader.shop.clock.advance(seconds=every.total_seconds())
    assert reader.ask("POST", "/search", json={"phone": PHONE}).status_code == 200


def test_consents_of_a_member(reader: Person, till: Till, phone: Phone) -> None:
    phone.join(till.token())
    (member,) = [row[0] for row in reader.shop.all(tables.members, "id")]
    agreed = reader.get(f"/members/{member}")["consents"]
    assert {(each["purpose"], each["channel"], each["store"]) for each in agreed} >= {
        ("personal_data", "receipt_qr", "S1")
    }


def test_sums_by_day_and_store(shop: Shop, reader: Person, till: Till) -> None:
    member = shop.member(CARD, 5000)
    state = MemberState(balance=5000, as_of=shop.clock.now())
    till.sell(10000, member=member, state=state, redeem=20)
    back = till.sell(20000, member=member, state=state)
    till.sell(500)
    whole = till.row(
        Return(receipt=receipt(till, "R1"), sale=back.receipt, day=date(2026, 12, 12), refund=20000, clawback=20),
        "return",
    )
    assert till.verdicts(whole) == ["accepted"]
    other = shop.till("S2", "pc-2")
    other.sell(700, receipt=ReceiptId(store="S2", till="1", business_day=date(2026, 12, 14), shift="1", number="1"))
    report = reader.get("/reports/days", since="2026-12-12", until="2026-12-14")
    sums = {(line["day"], line["store"]): tuple(line.values())[2:] for line in report["days"]}
    assert sums.pop(("2026-12-12", "S1")) == (3, 8000 + 20000 + 500, 8 + 20, 20, 0, 20)
    assert sums.pop(("2026-12-14", "S2")) == (1, 700, 0, 0, 0, 0)
    assert set(sums) == {("2026-12-12", "S2"), ("2026-12-13", "S1"), ("2026-12-13", "S2"), ("2026-12-14", "S1")}
    assert set(sums.values()) == {(0,) * 6}


def receipt(till: Till, number: str) -> ReceiptId:
    return ReceiptId(store=till.me.store.id, till="1", business_day=date(2026, 12, 12), shift="1", number=number)


def test_sums_come_in_pages_without_a_hole(reader: Person, till: Till) -> None:
    till.sell()
    whole = reader.get("/reports/days", since="2026-12-10", until="2026-12-14")["days"]
    assert len(whole) == 10
    for limit in (1, 3, 10):
        paged, after = [], ""
        while after is not None:
            page = reader.get("/reports/days", since="2026-12-10", until="2026-12-14", limit=limit, after=after)
            assert len(page["days"]) <= limit
            paged, after = paged + page["days"], page["next"]
        assert paged == whole
    one = reader.get("/reports/days", since="2026-12-10", until="2026-12-14", store="S1")["days"]
    assert one == [line for line in whole if line["store"] == "S1"]
    assert reader.get("/reports/days", since="2026-12-14", until="2026-12-10")["days"] == []
    assert reader.get("/reports/days", since="0001-01-01", until="9999-12-31", store="S9")["days"] == []


def test_what_is_no_page_of_a_report(reader: Person, problem_of: Read) -> None:
    days = {"since": "2026-12-12", "until": "2026-12-12"}
    for wrong in ({"after": "S1"}, {"after": "2026-13-01.S1"}, {"limit": 501}, {"since": "yesterday"}, {"since": None}):
        assert problem_of(reader.ask("GET", "/reports/days", params={**days, **wrong})).code == "malformed"


def test_what_members_have_and_owe(shop: Shop, reader: Person, till: Till) -> None:
    assert reader.get("/reports/points") == {"members": 0, "points": 0, "debtors": 0, "debt": 0}
    shop.member(CARD, 300)
    poor = shop.member("2900000000117", 10)
    rich = MemberState(balance=1000, as_of=shop.clock.now() - timedelta(days=1))
    till.sell(10000, member=poor, state=rich, redeem=40, offline=True)
    assert shop.points(poor) == 10 - 40 + 6
    assert reader.get("/reports/points") == {"members": 2, "points": 300, "debtors": 1, "debt": 24}
