"""Devices, codes and programmes, changed by operators with the very code of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests
from sqlalchemy import select

from loyalty.programme import load, to_json
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Person, Shell, Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]


def document(shop: Shop, revision: int, **header: str) -> dict[str, Any]:
    """The programme that is in force, under another number."""
    said: dict[str, Any] = msgspec.json.decode(to_json(shop.programme))
    return {**said, "programme": {**said["programme"], "revision": revision, **header}}


def test_a_device_is_revoked(operator: Person, till: Till, problem_of: Read) -> None:
    name = till.me.device
    assert operator.ask("POST", f"/devices/{name}/revoke").json() == {"device": name}
    assert problem_of(till.ask("GET", "/v1/programme")).code == "device_revoked"
    (device,) = operator.get("/devices")["devices"]
    assert device["state"] == "revoked"
    assert operator.get("/stores")["stores"][0]["devices"] == 0
    assert operator.log()[0] == ("POST /v1/admin/devices/{device}/revoke", f"device={name}", "done")
    assert problem_of(operator.ask("POST", "/devices/D99/revoke")).code == "not_found"
    assert operator.log()[-1] == ("POST /v1/admin/devices/{device}/revoke", "", "not_found")


def test_a_code_for_a_store_and_one_for_a_device(shop: Shop, operator: Person, till: Till) -> None:
    code = operator.ask("POST", "/devices/codes", json={"store": "S2"}).json()["code"]
    assert type(till)(shop, "pc-2").claim(code).store.id == "S2"
    again = operator.ask("POST", "/devices/codes", json={"device": till.me.device}).json()["code"]
    assert type(till)(shop, "pc-3").claim(again).device == till.me.device
    assert code not in str(operator.log())
    assert again not in str(operator.log())
    assert operator.log() == [
        ("POST /v1/admin/devices/codes", "store=S2", "done"),
        ("POST /v1/admin/devices/codes", f"device={till.me.device}", "done"),
    ]


@pytest.mark.parametrize(
    ("wish", "code"),
    [({"store": "S9"}, "not_found"), ({"device": "D9"}, "not_found"), ({}, "malformed"),
     ({"store": "S1", "device": "D1"}, "malformed")],
)  # fmt: skip
def test_no_code_for_that(operator: Person, wish: dict[str, str], code: str, problem_of: Read) -> None:
    assert problem_of(operator.ask("POST", "/devices/codes", json=wish)).code == code
    assert operator.shop.count(tables.claim_codes) == 0


def test_a_revision_is_published_once(operator: Person, till: Till, problem_of: Read) -> None:
    shop = operator.shop
    said = document(shop, 2, starts_at="2026-12-01T00:00:00+03:00")
    assert operator.ask("POST", "/programmes", json={"document": said}).json() == {"revision": 2, "new": True}
    assert operator.ask("POST", "/programmes", json={"document": said}).json() == {"revision": 2, "new": False}
    with shop.database.reading() as tx:
        kept = tx.execute(select(tables.programmes.c.document).where(tables.programmes.c.revision == 2)).scalar_one()
    assert load(kept, "json").header.revision == 2
    jws = till.ask("GET", "/v1/programme").json()["current"]
    assert shop.all(tables.programmes, "revision", "jws")[1] == (2, jws)
    listed = operator.get("/programmes")["revisions"]
    assert [(each["revision"], each["in_force"]) for each in listed] == [(1, False), (2, True)]
    assert operator.log()[0] == ("POST /v1/admin/programmes", "revision=2", "done")
    other = document(shop, 2, starts_at="2026-12-02T00:00:00+03:00")
    assert problem_of(operator.ask("POST", "/programmes", json={"document": other})).code == "revision_taken"


@pytest.mark.parametrize("wrong", [{}, [], None, 1, "x", {"programme": {"revision": 10**12}}, {"programme": []}])
def test_what_is_no_programme(operator: Person, wrong: object, problem_of: Read) -> None:
    refused = problem_of(operator.ask("POST", "/programmes", json={"document": wrong}))
    assert refused.code == "programme_invalid"
    assert refused.detail


def test_every_mistake_of_a_document_is_named(operator: Person, problem_of: Read) -> None:
    said = {**document(operator.shop, 2), "earn": {"rate_bp": -1}, "redeem": {"cap_bp": 20000}}
    refused = problem_of(operator.ask("POST", "/programmes", json={"document": said}))
    assert (refused.code, "rate_bp" in refused.detail, "cap_bp" in refused.detail) == ("programme_invalid", True, True)
    assert operator.shop.count(tables.programmes) == 1


def test_who_may_only_read_changes_nothing(reader: Person, till: Till, problem_of: Read) -> None:
    before = reader.shop.everything()
    for path, body in (
        (f"/devices/{till.me.device}/revoke", None),
        ("/devices/codes", {"store": "S1"}),
        ("/programmes", {"document": document(reader.shop, 2)}),
    ):
        assert problem_of(reader.ask("POST", path, json=body)).code == "operator_reads_only"
    after = reader.shop.everything()
    assert {table for table in after if after[table] != before[table]} == {"audit_log"}


def test_devices_and_flags_on_the_command_line(shell: Shell, till_at: Callable[[str], Till]) -> None:
    shell.init()
    _, url = shell.run()
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    till.send(till.row(till.sale(card="2900000000995")))
    assert shell("device", "list").startswith(f"{till.me.device} store=S1 state=in_use version=1 seen=- last_seq=1")
    said = shell("flag", "list", "--language", "ru")
    assert "unknown_card" in said
    assert "Если покупатель известен" in said
    number = said.split()[0]
    assert shell("flag", "close", number, "--note", "a guest") == f"closed flag={number}\n"
    assert "unknown_card" not in shell("flag", "list")
    assert "another note" in shell("flag", "close", number, "--note", "else", code=1)
    assert "nothing here" in shell("flag", "close", "77", "--note", "else", code=1)
    lines = [line.split(" ", 1)[1] for line in shell("audit-log").splitlines()]
    assert lines == [f"(command line) flag close flag={number} done"]
