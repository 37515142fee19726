"""What nobody of good will sends: refused with its problem, and nothing is booked."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.chain import GENESIS
from loyalty.jws import sign_programme, sign_request
from loyalty.wire import Origin
from loyalty_server.edge import Limits
from loyalty_server.storage import tables

if TYPE_CHECKING:
    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]

CALLS = (
    ("POST", "/v1/devices"),
    ("POST", "/v1/devices/epochs"),
    ("PUT", "/v1/devices/me/key"),
    ("POST", "/v1/events"),
    ("POST", "/v1/heartbeat"),
    ("POST", "/v1/members/search"),
    ("PUT", "/v1/holds/h-1"),
    ("POST", "/v1/enrolments"),
    ("POST", "/v1/enrolments/x/confirm"),
)
DEEP = 150_000
BEAT = {
    "epoch": "x", "last_seq": 0, "last_hash": "", "pending": 0, "oldest_pending_at": None, "version": "1",
    "programme_revision": 1, "devices": {}, "at": "2026-12-12T09:00:00Z",
}  # fmt: skip


UNREADABLE = {
    "arrays": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"x":' * DEEP + b"1" + b"}" * DEEP,
    "cut off": b'{"rows": [' + b"[" * DEEP,
    "a number of 100,000 digits": b'{"seq": 1' + b"0" * 100_000 + b"}",
    "nothing": b"",
    "no utf-8": b"\xff\xfe",
    "half a letter": b'{"epoch": "\\ud800"}',
}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_body_that_cannot_be_read(shop: Shop, till: Till, problem_of: Read, method: str, path: str) -> None:
    before = shop.everything()
    for name, body in UNREADABLE.items():
        assert problem_of(till.ask(method, path, data=body)).code == "malformed", name
    assert shop.everything() == before


@pytest.mark.parametrize("body", ["[" * DEEP, '{"quote":' * DEEP, '{"receipt": 1' + "0" * 100_000 + "}", "1e999999"])
def test_a_row_that_cannot_be_read_stops_no_other(till: Till, body: str) -> None:
    rows = [till.row(till.sale()), till.row(body), till.row(till.sale())]
    assert till.verdicts(*rows) == ["accepted", "row_malformed", "accepted"]


@pytest.mark.parametrize("seq", [-1, 1 << 63, 1 << 200])
def test_a_row_from_nowhere_stops_no_other(till: Till, seq: int) -> None:
    rows = [till.row(till.sale()), till.row(till.sale(), origin=Origin("E0", seq)), till.row(till.sale())]
    assert till.verdicts(*rows) == ["accepted", "row_malformed", "accepted"]


@pytest.mark.parametrize("number", [-1, 1 << 62, 1 << 63, 1 << 64, 1 << 500])
def test_impossible_numbers(shop: Shop, till: Till, problem_of: Read, number: int) -> None:
    member = shop.member("2900000000018", 100)
    before = shop.everything()
    for path, body in (
        *(("/v1/heartbeat", {**BEAT, name: number}) for name in ("last_seq", "pending", "opened")),
        ("/v1/devices/epochs", {"epoch": "E2", "old_epoch": "", "last_seq": number, "last_hash": "", "reason": "lost", "machine": "pc-1"}),
        ("/v1/enrolments", {"token": till.token(), "phone": "+79161234567", "consents": [], "text_version": number}),
        ("/v1/events", {"epoch": till.me.epoch, "rows": [{"seq": number, "id": "", "kind": "", "at": "", "body": "", "schema": 1, "hash": ""}]}),
    ):  # fmt: skip
        assert problem_of(till.ask("POST", path, json=body)).code == "malformed", path
    hold = {"member": member, "till": "1", "points": number}
    assert problem_of(till.ask("PUT", "/v1/holds/h-1", json=hold)).code == "malformed"
    assert shop.everything() == before


@pytest.mark.parametrize("number", [1 << 63, 10**30, -(10**30)])
@pytest.mark.parametrize("name", ["schema", "corrects"])
def test_impossible_numbers_of_a_row_stop_no_other(till: Till, name: str, number: int) -> None:
    rows = [till.row(till.sale()), till.row(till.sale(), **{name: number}), till.row(till.sale())]
    said = till.verdicts(*rows)
    assert (said[0], said[2]) == ("accepted", "accepted")
    assert said[1] == ("row_schema" if name == "schema" else "accepted"), "an unknown row may be corrected"


@pytest.mark.parametrize(
    "stamps",
    [f'{{"spa":{"9" * 4299}}}', '{"spa":-1000000000001}', json.dumps({str(number): 1 for number in range(257)})],
    ids=["long", "negative", "many"],
)
def test_impossible_stamps_of_a_sale_stop_no_other(shop: Shop, till: Till, stamps: str) -> None:
    """They would stand in the member's state, which nobody could write any more one day."""
    row = till.row(till.sale(member=shop.member("2900000000018")))
    assert '"stamps_after":{}' in row.body
    till.seq, till.last = 0, GENESIS
    rows = [till.row(row.body.replace('"stamps_after":{}', f'"stamps_after":{stamps}')), till.row(till.sale())]
    assert till.verdicts(*rows) == ["row_malformed", "accepted"]


def test_a_tier_that_is_no_name_stops_no_other(shop: Shop, till: Till) -> None:
    sale = till.sale(member=shop.member("2900000000018"))
    long = msgspec.structs.replace(sale, quote=msgspec.structs.replace(sale.quote, tier_after="x" * 65))
    assert till.verdicts(till.row(long), till.row(till.sale())) == ["row_malformed", "accepted"]


def test_texts_with_nul_are_kept_or_refused_and_never_a_failure(till: Till) -> None:
    for method, path, body in (
        ("POST", "/v1/heartbeat", {**BEAT, "epoch": "\0", "version": "\0", "instance": "\0"}),
        ("POST", "/v1/members/search", {"card": "\0"}),
        ("POST", "/v1/devices", {"code": "\0", "public_key": till.public_key, "machine": "\0", "version": "\0"}),
        ("PUT", "/v1/holds/h-1", {"member": "\0", "till": "\0", "points": 1}),
        ("POST", "/v1/enrolments/\0/confirm", {"token": till.token(), "code": "\0"}),
    ):
        assert till.ask(method, path, json=body).status_code < 500, path
    for query in ("since=%00", "epoch=%00", "since=%ED%A0%80", "since=" + "9" * 500):
        assert till.ask("GET", f"/v1/members/changes?{query}").status_code in (200, 400, 410), query


def test_a_gzip_bomb_ends_at_the_limit(shop: Shop, till: Till, problem_of: Read) -> None:
    """A gigabyte in a megabyte; the same where the limit of what travels is met first, and at once."""
    before = shop.everything()
    part = gzip.compress(b" " * (1 << 20), 9)
    bomb = gzip.compress(b" " * (1 << 28), 9)
    for body, code in (
        (bomb, "too_large"),
        (part * 1000, "malformed"),  # a thousand files in one
        (gzip.compress(bomb, 9), "malformed"),  # only one is unpacked
        (b"\0" * (Limits().packed + 1), "too_large"),
    ):
        began = time.monotonic()
        response = till.ask("POST", "/v1/events", data=body, headers={"Content-Encoding": "gzip"})
        assert problem_of(response).code == code
        assert time.monotonic() - began < 5
    for path in ("/v1/heartbeat", "/v1/devices", "/v1/enrolments"):
        response = till.ask("POST", path, data=bomb, headers={"Content-Encoding": "gzip"})
        assert problem_of(response).code == "too_large"
        large = till.ask("POST", path, data=b" " * (Limits().message + 1))
        assert problem_of(large).code == "too_large", "no message is as long as a batch"
    assert shop.everything() == before


def forgeries(shop: Shop, till: Till, other: Till) -> dict[str, str]:
    """Tokens that are not this till's, by what is wrong with them."""
    device, host, now = till.me.device, shop.url.removeprefix("http://"), shop.clock.now()
    good = sign_request(till.key, device, host, now)
    head, claims, signature = good.split(".")

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    said = {"aud": host, "iat": int(now.timestamp()), "exp": int(now.timestamp()) + 60}
    header = {"alg": "Ed25519", "typ": "tillmate-request+jwt"}
    return {
        "another device's key": sign_request(other.key, device, host, now),
        "nobody's key": sign_request(Ed25519PrivateKey.generate().private_bytes_raw(), device, host, now),
        "for another host": sign_request(till.key, device, "other.example", now),
        "no such device": sign_request(till.key, "D99", host, now),
        "a device with a nul": sign_request(till.key, "D1\0", host, now),
        "no algorithm": f"{part({**header, 'alg': 'none'})}.{claims}.",
        "another algorithm": f"{part({**header, 'alg': 'HS256'})}.{claims}.{signature}",
        "a key that comes along": f"{part({**header, 'jwk': {}})}.{claims}.{signature}",
        "other claims": f"{head}.{part({**said, 'iss': other.me.device})}.{signature}",
        "a day long": sign_long(till.key, header, {**said, "iss": device, "exp": said["iat"] + 86400}),
        "a programme": sign_programme(till.key, json.dumps({**said, "iss": device}).encode()),
        "no signature": f"{head}.{claims}.",
        "half": good[: len(good) // 2],
        "long": good + "A" * 4000,
        "nothing": "",
    }


def sign_long(key: bytes, header: object, claims: object) -> str:
    """A token that is genuine but lives too long."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(Ed25519PrivateKey.from_private_bytes(key).sign(signed.encode()))}"


def test_a_request_that_is_not_signed_by_the_device(shop: Shop, till: Till, problem_of: Read) -> None:
    other = shop.till("S1", "pc-2")
    batch = json.dumps({"epoch": till.me.epoch, "rows": []})
    before = shop.everything()
    for name, token in forgeries(shop, till, other).items():
        response = till.shop.http.post(
            f"{shop.url}/v1/events", data=batch, headers={"Authorization": f"Bearer {token}"}
        )
        assert problem_of(response).code == "bad_signature", name
        assert response.headers["www-authenticate"] == "Bearer"
    assert problem_of(till.shop.http.post(f"{shop.url}/v1/events", data=batch)).code == "bad_signature"
    for path in ("/v1/devices/epochs", "/v1/heartbeat", "/v1/members/search", "/v1/enrolments"):
        assert problem_of(till.shop.http.post(shop.url + path, data=b"{")).code == "bad_signature", path
    assert shop.everything() == before


def test_what_is_recorded_and_sent_again_changes_nothing(shop: Shop, till: Till, problem_of: Read) -> None:
    """Within its minute a request may come twice, as it does when a reply is lost; after it nobody listens any more."""
    member = shop.member("2900000000018", 100)
    token = till.token()
    row = till.row(till.sale(member=member))
    said = {
        "events": ("POST", "/v1/events", {"epoch": till.me.epoch, "rows": [{name: getattr(row, name) for name in ("seq", "id", "kind", "at", "body", "schema", "hash")}]}),
        "heartbeat": ("POST", "/v1/heartbeat", BEAT),
        "search": ("POST", "/v1/members/search", {"card": "2900000000018"}),
        "hold": ("PUT", "/v1/holds/h-1", {"member": member, "till": "1", "points": 50}),
        "enrol": ("POST", "/v1/enrolments", {"token": token, "phone": "+79161234567", "consents": ["personal_data"]}),
    }  # fmt: skip
    recorded = []
    for method, path, body in said.values():
        response = till.ask(method, path, json=body)
        assert response.status_code < 300, response.text
        recorded.append((response.request, response))
    attempt = recorded[-1][1].json()["id"]
    confirmed = till.ask("POST", f"/v1/enrolments/{attempt}/confirm", json={"token": token, "code": shop.last_code()})
    recorded.append((confirmed.request, confirmed))
    before = shop.everything()
    for request, first in recorded:
        again = shop.http.send(request)
        expected = 410 if request.url.endswith("/v1/enrolments") else first.status_code  # the token is used by now
        assert again.status_code == expected, (request.url, again.text)
    after = shop.everything()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"attempts"}, "a repeated confirmation is a try, and gets the same card"
    assert (shop.count(tables.members), shop.said.getvalue().count("code=")) == (2, 1)
    shop.clock.advance(seconds=61)
    for request, _ in recorded:
        assert problem_of(shop.http.send(request)).code == "clock"


def test_another_devices_rows(shop: Shop, till: Till, problem_of: Read) -> None:
    """In its epoch, under its receipt, from its past, for its store: each is refused, and nothing is booked."""
    other, abroad = shop.till("S1", "pc-2"), shop.till("S2", "pc-3")
    member = shop.member("2900000000018")
    row = till.row(till.sale(member=member))
    till.send(row)
    points = shop.points(member)
    assert problem_of(other.post(row, epoch=till.me.epoch)).code == "epoch_unknown"
    assert other.verdicts(other.row(row.body)) == ["duplicate"], "the same receipt by another road"
    altered = row.body.replace('"pay":10000', '"pay":9999')
    assert altered != row.body
    assert other.verdicts(other.row(altered)) == ["receipt_conflict"]
    carried = other.row(row.body, id=row.id, origin=Origin(till.me.epoch, row.seq))
    assert other.verdicts(carried) == ["duplicate"]
    assert abroad.verdicts(abroad.row(row.body), abroad.row(row.body, origin=Origin(till.me.epoch, 1))) == [
        "foreign_store",
        "foreign_epoch",
    ]
    wish = {"epoch": till.me.epoch, "old_epoch": other.me.epoch, "last_seq": 0, "last_hash": "", "reason": "lost", "machine": "pc-2"}  # fmt: skip
    assert problem_of(other.ask("POST", "/v1/devices/epochs", json=wish)).code == "epoch_taken"
    assert (shop.count(tables.receipts), shop.points(member)) == (1, points)


def test_a_device_that_was_shut_out_hears_only_that(shop: Shop, till: Till, problem_of: Read) -> None:
    with shop.database.writing() as tx:
        tx.execute(tables.devices.update().values(revoked_at=shop.clock.now() - timedelta(seconds=1)))
    before = shop.everything()
    for method, path in CALLS[1:]:
        assert problem_of(till.ask(method, path, data=b"{")).code == "device_revoked", path
    assert shop.everything() == before
