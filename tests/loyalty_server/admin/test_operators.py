"""Who may ask /v1/admin, where, how often, and that each call is written down without anything personal."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import requests

from loyalty_server.admin.operators import new_operator, recognise, revoke_operator
from loyalty_server.rates import Rate, Rates
from loyalty_server.storage.admin_tables import audit_log, operators

if TYPE_CHECKING:
    from conftest import Person, Shell, Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]


def test_only_a_digest_of_the_token_is_kept(shop: Shop, operator: Person) -> None:
    assert len(operator.token) >= 43
    assert operator.token not in str(shop.everything())
    assert shop.all(operators, "name", "role", "revoked_at") == [("anna", "write", None)]


def test_a_wrong_token_a_revoked_one_and_none_are_refused_alike(
    shop: Shop, operator: Person, reader: Person, problem_of: Read
) -> None:
    with shop.database.writing() as tx:
        revoke_operator(tx, "boris", shop.clock.now())
    url = f"{shop.front.admin_url}/v1/admin/stores"
    wrong = [{}, *({"Authorization": said} for said in (
        "Bearer", "Bearer ", f"Basic {operator.token}", f"Bearer {operator.token[:-1]}", f"Bearer {operator.token}A",
        f"Bearer {reader.token}", "Bearer anna", f"Bearer {shop.all(operators, 'token_sha256')[0][0]}",
    ))]  # fmt: skip
    for headers in wrong:
        answer = shop.http.get(url, headers=headers)
        assert problem_of(answer).code == "operator_unknown", headers
        assert answer.headers["www-authenticate"] == "Bearer"
    assert shop.count(audit_log) == 0
    assert operator.ask("GET", "/stores").status_code == 200


def test_a_name_is_given_once(shop: Shop, operator: Person) -> None:
    with shop.database.writing() as tx:
        revoke_operator(tx, "anna", shop.clock.now())
    with shop.database.writing() as tx, pytest.raises(ValueError, match="take another name"):
        new_operator(tx, "anna", "read", shop.clock.now())
    with shop.database.writing() as tx, pytest.raises(LookupError):
        revoke_operator(tx, "anna", shop.clock.now())
    with shop.database.reading() as tx:
        assert recognise(tx, operator.token) is None


@pytest.mark.parametrize("name", ["", "a b", "+79161234567", "anna\n", "a" * 33, "(command line)"])
def test_what_is_no_name(shop: Shop, name: str) -> None:
    with shop.database.writing() as tx, pytest.raises(ValueError, match="1-32 letters"):
        new_operator(tx, name, "read", shop.clock.now())


def test_a_device_is_no_operator_and_an_operator_no_device(till: Till, operator: Person, problem_of: Read) -> None:
    host = operator.shop.front.admin_url.removeprefix("http://")
    signed = till.ask("GET", "/v1/programme", host=host).request.headers["Authorization"]
    answer = till.shop.http.get(f"http://{host}/v1/admin/stores", headers={"Authorization": signed})
    assert problem_of(answer).code == "operator_unknown"
    asked = till.shop.http.get(f"{till.shop.url}/v1/programme", headers={"Authorization": f"Bearer {operator.token}"})
    assert problem_of(asked).code == "bad_signature"


def test_each_call_is_written_down_also_one_that_is_refused(operator: Person, problem_of: Read) -> None:
    operator.get("/stores")
    assert problem_of(operator.ask("GET", "/devices", params={"limit": 0})).code == "malformed"
    assert operator.log() == [("GET /v1/admin/stores", "", "done"), ("GET /v1/admin/devices", "", "malformed")]


def test_an_operator_has_a_rate_and_calls_beyond_it_do_not_fill_the_log(
    make_shop: Callable[..., Shop], problem_of: Read
) -> None:
    shop = make_shop(rates=Rates(calls=Rate(3, timedelta(seconds=1))))
    with shop.database.writing() as tx:
        token = new_operator(tx, "anna", "read", shop.clock.now())
    url, said = f"{shop.front.admin_url}/v1/admin/stores", {"Authorization": f"Bearer {token}"}
    assert [shop.http.get(url, headers=said).status_code for _ in range(3)] == [200] * 3
    refused = shop.http.get(url, headers=said)
    assert problem_of(refused).code == "too_many_requests"
    assert refused.headers["retry-after"] == "1"
    assert shop.count(audit_log) == 3
    shop.clock.advance(seconds=1)
    assert shop.http.get(url, headers=said).status_code == 200


def test_each_side_has_its_own_port(shop: Shop, till: Till, operator: Person, problem_of: Read) -> None:
    said = {"Authorization": f"Bearer {operator.token}"}
    assert problem_of(shop.http.get(f"{shop.url}/v1/admin/stores", headers=said)).code == "not_found"
    host = shop.front.admin_url.removeprefix("http://")
    for path in ("/v1/programme", "/healthz", "/openapi.json"):
        assert problem_of(shop.http.get(f"http://{host}{path}")).code == "not_found"
    answer = operator.ask("DELETE", "/stores")
    assert (problem_of(answer).code, answer.headers["allow"]) == ("method_not_allowed", "GET, HEAD")
    del till


def test_stores(shop: Shop, operator: Person) -> None:
    shop.till("S1"), shop.till("S1", "pc-2")
    first = operator.get("/stores", limit=1)
    assert first["next"] == "S1"
    (store,) = first["stores"]
    assert (store["id"], store["name"], store["devices"]) == ("S1", "First", 2)
    assert [till["id"] for till in store["tills"]] == ["1", "2"]
    second = operator.get("/stores", limit=1, after=first["next"])
    assert [(each["id"], each["devices"]) for each in second["stores"]] == [("S2", 0)]
    assert second["next"] is None


def test_devices(shop: Shop, operator: Person) -> None:
    """How far the queue is booked, what the device said last, and whether it may still ask."""
    till, other = shop.till("S1"), shop.till("S2", "pc-2")
    till.sell()
    beat = {
        "epoch": till.me.epoch, "last_seq": 3, "last_hash": "", "pending": 2, "oldest_pending_at": None, "version": "1.2",
        "programme_revision": 1, "devices": {"printer": "paper_out"}, "at": shop.clock.now().isoformat(),
    }  # fmt: skip
    assert till.ask("POST", "/v1/heartbeat", json=beat).status_code == 200
    page = operator.get("/devices", limit=1)
    (one,) = page["devices"]
    assert (one["id"], one["store"], one["state"], one["version"]) == (till.me.device, "S1", "in_use", "1.2")
    assert (one["epoch"], one["last_seq"]) == (till.me.epoch, 1)
    assert (one["heartbeat"]["pending"], one["heartbeat"]["devices"]) == (2, {"printer": "paper_out"})
    (two,) = operator.get("/devices", after=page["next"])["devices"]
    assert (two["id"], two["seen_at"], two["heartbeat"]) == (other.me.device, None, None)
    assert operator.get("/devices", after=10**9) == {"devices": [], "next": None}


def test_the_command_line_and_a_port_of_its_own(shell: Shell) -> None:
    shell.init()
    token = shell("operator", "new", "anna", "--role", "read").strip()
    process, url = shell.run("--admin", "127.0.0.1:0")
    port = re.findall(r"^admin port=(\d+)$", shell.log.read_text(), re.MULTILINE)[0]
    said = {"Authorization": f"Bearer {token}"}
    stores = f"http://127.0.0.1:{port}/v1/admin/stores"
    assert requests.get(stores, headers=said, timeout=5).json()["stores"][0]["id"] == "S1"
    assert requests.get(f"{url}/v1/admin/stores", headers=said, timeout=5).status_code == 404
    assert "take another name" in shell("operator", "new", "anna", code=1)
    assert shell("operator", "revoke", "anna") == "revoked operator=anna\n"
    assert requests.get(stores, headers=said, timeout=5).status_code == 401
    assert "no operator" in shell("operator", "revoke", "anna", code=1)
    assert re.fullmatch(r"anna role=read since=\S+ revoked=\S+\n", shell("operator", "list"))
    lines = shell("audit-log", "--last", "5").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["anna GET /v1/admin/stores done"]
    assert token not in shell.log.read_text()
    process.terminate()
    assert process.wait(5) == 0
