"""Claims, and who may ask afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from loyalty.codes import ident
from loyalty.jws import open_programme
from loyalty_server.devices import revoke
from loyalty_server.keys import decode_bytes
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]


def test_a_claim_gives_store_tills_and_keys(shop: Shop) -> None:
    till = shop.till("S1")
    assert (till.me.store.id, till.me.store.name) == ("S1", "First")
    assert [each.id for each in till.me.tills] == ["1", "2"]
    assert till.me.enrolment_url == shop.url
    keys = [decode_bytes(key) for key in (till.me.programme_key, till.me.token_key, till.me.ident_key)]
    assert [len(key) for key in keys] == [32, 32, 32]
    assert len(set(keys)) == 3


def test_every_device_has_its_own_number_and_token_key_and_each_store_its_own_ident_key(shop: Shop) -> None:
    one, two, other = (shop.till(store, machine).me for store, machine in (("S1", "a"), ("S1", "b"), ("S2", "c")))
    assert len({one.device_number, two.device_number, other.device_number}) == 3
    assert len({one.token_key, two.token_key, other.token_key}) == 3
    assert one.ident_key == two.ident_key != other.ident_key
    assert one.programme_key == other.programme_key


def test_a_lost_reply_is_asked_for_again(shop: Shop, till: Till) -> None:
    code = shop.code()
    first = till.__class__(shop, "pc-9")
    answer = first.claim(code)
    assert first.claim(code.lower()) == answer
    assert shop.count(tables.devices) == 2


def test_a_used_code_makes_no_second_device(shop: Shop, till: Till, problem_of: Read) -> None:
    code = shop.code()
    first = type(till)(shop, "pc-1")
    first.claim(code)
    clone, stranger = type(till)(shop, "pc-2", key=first.key), type(till)(shop, "pc-1")
    assert problem_of(clone.ask_claim(code)).code == "claim_code_used"
    assert problem_of(stranger.ask_claim(code)).code == "claim_code_used"
    assert clone.ask_claim(code).status_code == 409


def test_a_key_makes_one_device_only(shop: Shop, till: Till, problem_of: Read) -> None:
    again = type(till)(shop, key=till.key)
    assert problem_of(again.ask_claim(shop.code())).code == "key_known"


def test_unknown_and_old_codes_are_refused(shop: Shop, till: Till, problem_of: Read) -> None:
    new = type(till)(shop)
    assert problem_of(new.ask_claim("AAAA-BBBB-CCCC-DDDD")).code == "claim_code_unknown"
    code = shop.code()
    shop.clock.advance(days=7)
    assert problem_of(new.ask_claim(code)).code == "claim_code_unknown"
    shop.clock.advance(seconds=-1)
    assert new.ask_claim(code).status_code == 201


@pytest.mark.parametrize("key", ["", "AAAA", "A" * 43 + "=", "!" * 43, "A" * 42 + "B"])
def test_a_claim_needs_a_real_key(shop: Shop, key: str, problem_of: Read) -> None:
    body = {"code": shop.code(), "public_key": key, "machine": "m", "version": "1"}
    assert problem_of(shop.http.post(f"{shop.url}/v1/devices", json=body)).code == "malformed"


def test_a_signed_request_is_answered(till: Till) -> None:
    assert till.ask("GET", "/v1/programme").status_code == 200


def test_the_programme_is_the_signed_one(till: Till) -> None:
    signed = till.ask("GET", "/v1/programme").json()
    assert b'"revision":1' in open_programme(signed["current"], decode_bytes(till.me.programme_key))
    assert signed["next"] is None


def test_the_programme_is_not_sent_twice(till: Till) -> None:
    etag = till.ask("GET", "/v1/programme").headers["etag"]
    again = till.ask("GET", "/v1/programme", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_idents_are_those_of_the_asking_store(shop: Shop) -> None:
    shop.member("2900000000018")
    for store in ("S1", "S2"):
        till = shop.till(store, store)
        columns = {tuple(path): values for path, values in till.ask("GET", "/v1/members/changes").json()["columns"]}
        assert columns["idents",] == [[ident(decode_bytes(till.me.ident_key), "2900000000018")]]


@pytest.mark.parametrize("skew", [61, -61, 3600])
def test_a_wrong_clock_is_told_the_right_time(shop: Shop, till: Till, skew: int, problem_of: Read) -> None:
    response = till.ask("GET", "/v1/programme", at=shop.clock.now() + timedelta(seconds=skew))
    problem = problem_of(response)
    assert (response.status_code, problem.code, problem.server_time) == (401, "clock", shop.clock.now())
    assert problem.retryable


def test_a_request_for_another_host_is_not_ours(till: Till, problem_of: Read) -> None:
    assert problem_of(till.ask("GET", "/v1/programme", host="evil.example")).code == "bad_signature"


def test_a_host_that_is_not_ours_is_refused_even_when_signed_for(till: Till, problem_of: Read) -> None:
    response = till.ask("GET", "/v1/programme", host="evil.example", headers={"Host": "evil.example"})
    assert (response.status_code, problem_of(response).code) == (421, "wrong_host")


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic eA==", "Bearer " + "x" * 5000])
def test_who_does_not_sign_is_nobody(shop: Shop, sent: str, problem_of: Read) -> None:
    response = shop.http.get(f"{shop.url}/v1/programme", headers={"Authorization": sent})
    assert (response.status_code, problem_of(response).code) == (401, "bad_signature")


def test_another_key_signs_for_nobody(shop: Shop, till: Till, problem_of: Read) -> None:
    thief = type(till)(shop)
    thief.me = till.me
    assert problem_of(thief.ask("GET", "/v1/programme")).code == "bad_signature"


def test_a_revoked_device_is_told_so(shop: Shop, till: Till, problem_of: Read) -> None:
    with shop.database.writing() as tx:
        revoke(tx, till.me.device, shop.clock.now())
    row = till.row(till.sale())
    response = till.post(row)
    assert (response.status_code, problem_of(response).code) == (401, "device_revoked")
    assert shop.count(tables.receipts) == 0


def test_the_code_of_a_revoked_device_hands_out_no_keys(shop: Shop, till: Till, problem_of: Read) -> None:
    """Nothing of a claim is secret but the code, and that stands in the configuration of the stolen PC."""
    code = shop.code()
    stolen = till.__class__(shop, "pc-9")
    stolen.claim(code)
    with shop.database.writing() as tx:
        revoke(tx, stolen.me.device, shop.clock.now())
    again = stolen.ask_claim(code)
    assert (again.status_code, problem_of(again).code) == (403, "claim_code_unknown")
