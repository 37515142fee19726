"""A device's key is changed while it works: no request is lost, and a stolen old key is worth little and not for long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.jws import sign_request
from loyalty_server.cli import main
from loyalty_server.device_keys import OVERLAP
from loyalty_server.devices import new_code_for
from loyalty_server.keys import encode_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]


def new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes_raw()


def put(till: Till, key: bytes, **more: object) -> requests.Response:
    public = encode_bytes(Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw())
    signed = more.get("proof") or key
    assert isinstance(signed, bytes)
    host = str(more.get("host") or till.shop.url.removeprefix("http://"))
    device = str(more.get("device") or till.me.device)
    proof = sign_request(signed, device, host, till.shop.clock.now())
    return till.ask("PUT", "/v1/devices/me/key", json={"public_key": public, "proof": proof})


def status(till: Till, key: bytes) -> int:
    mine, till.key = till.key, key
    answer = till.ask("GET", "/v1/programme").status_code
    till.key = mine
    return answer


def test_the_new_key_is_good_at_once_and_the_old_one_for_a_day(shop: Shop, till: Till) -> None:
    old, new = till.key, new_key()
    assert status(till, new) == 401
    reply = put(till, new)
    assert reply.status_code == 200, reply.text
    assert reply.json()["old_key_until"] == (shop.clock.now() + OVERLAP).isoformat().replace("+00:00", "Z")
    assert (status(till, new), status(till, old)) == (200, 200)
    till.sell()
    till.key = new
    till.sell()
    shop.clock.advance(seconds=OVERLAP // timedelta(seconds=1))
    assert (status(till, new), status(till, old)) == (200, 401)


def test_a_lost_reply_is_asked_for_again_by_either_key(till: Till) -> None:
    new = new_key()
    first = put(till, new).json()
    assert put(till, new).json() == first
    till.key = new
    assert put(till, new).json() == first


def test_the_old_key_opens_no_other_door(till: Till, problem_of: Read) -> None:
    assert put(till, new_key()).status_code == 200
    assert problem_of(put(till, new_key())).code == "key_old"


def test_a_second_change_ends_the_first_key(till: Till) -> None:
    first, second, third = till.key, new_key(), new_key()
    put(till, second)
    till.key = second
    put(till, third)
    assert [status(till, key) for key in (first, second, third)] == [401, 200, 200]


def test_a_key_must_be_proved(shop: Shop, till: Till, problem_of: Read) -> None:
    for more in ({"proof": till.key}, {"proof": new_key()}, {"host": "other.example"}, {"device": "D9"}):
        assert problem_of(put(till, new_key(), **more)).code == "key_unproved", more
    late = till.ask(
        "PUT",
        "/v1/devices/me/key",
        json={"public_key": till.public_key, "proof": sign_request(till.key, till.me.device, till.shop.url[7:], shop.clock.now() - timedelta(hours=1))},
    )  # fmt: skip
    assert problem_of(late).code == "clock"


def test_the_key_of_another_device_is_refused_even_if_it_was_an_old_one(
    shop: Shop, till: Till, problem_of: Read
) -> None:
    other = shop.till("S1", "pc-2")
    assert problem_of(put(till, other.key)).code == "key_known"
    put(other, new_key())
    assert problem_of(put(till, other.key)).code == "key_known"
    stranger = type(till)(shop, key=other.key)
    assert problem_of(stranger.ask_claim(shop.code())).code == "key_known"


def test_a_new_claim_ends_the_old_keys(shop: Shop, till: Till) -> None:
    old, new = till.key, new_key()
    put(till, new)
    with shop.database.writing() as tx:
        code = new_code_for(tx, till.me.device, shop.clock.now())
    till.key = new_key()
    till.claim(code)
    assert [status(till, key) for key in (old, new, till.key)] == [401, 401, 200]


def test_an_operator_asks_for_it_until_it_is_done(shop: Shop, till: Till) -> None:
    beat = {"epoch": till.me.epoch, "last_seq": 0, "last_hash": "", "pending": 0, "oldest_pending_at": None}
    beat |= {"version": "1", "programme_revision": 1, "devices": {}, "at": shop.clock.now().isoformat()}

    def asked() -> bool:
        return "rotate_key" in till.ask("POST", "/v1/heartbeat", json=beat).json()["commands"]

    assert not asked()
    said = CliRunner().invoke(main, ["device", "rotate-key", "--data", str(shop.folder.path), till.me.device])
    assert said.output == f"asked device={till.me.device}\n"
    assert asked()
    assert put(till, new_key()).status_code == 200
    assert not asked()
    said = CliRunner().invoke(main, ["device", "rotate-key", "--data", str(shop.folder.path), "D9"])
    assert (said.exit_code, "there is no device 'D9'" in said.output) == (1, True)
