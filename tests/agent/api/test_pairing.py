"""One-time codes and the tokens that they buy."""

from __future__ import annotations

import hashlib
import json
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from agent.api.pairing import ALPHABET, MOST_CODES, MOST_TRIES, VALID_SECONDS, Pairing
from agent.api.tokens import KEPT, Tokens

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop, StoppedClock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def pairing(file: Path, clock: StoppedClock) -> Pairing:
    return Pairing(Tokens(file), clock)


def test_a_code_buys_once(pairing: Pairing) -> None:
    code = pairing.issue("1", "pos")
    assert len(code) >= 8
    assert set(code) <= set(ALPHABET)
    bought = pairing.redeem(code)
    assert bought is not None
    assert (bought.till, bought.scopes) == ("1", ("scan", "sale", "print"))
    assert len(bought.token) >= 43  # 256 bits in base64url
    grant = pairing.grant(bought.token)
    assert grant is not None
    assert (grant.till, grant.scopes) == ("1", ("scan", "sale", "print"))
    assert pairing.redeem(code) is None


def test_a_code_may_be_typed_as_people_type(pairing: Pairing) -> None:
    code = pairing.issue("1", "screen")
    bought = pairing.redeem(f"{code[:5].lower()}-{code[5:]} ")
    assert bought is not None
    assert bought.scopes == ("scan",)


def test_a_code_lives_five_minutes(pairing: Pairing, clock: StoppedClock) -> None:
    early, late = pairing.issue("1", "screen"), pairing.issue("2", "screen")
    clock.advance(VALID_SECONDS - 1)
    assert pairing.redeem(early)
    clock.advance(1)
    assert pairing.redeem(late) is None


def test_a_new_code_voids_the_older_one_for_the_same(pairing: Pairing) -> None:
    old, other, new = pairing.issue("1", "pos"), pairing.issue("1", "screen"), pairing.issue("1", "pos")
    assert pairing.redeem(old) is None
    assert pairing.redeem(other)
    assert pairing.redeem(new)


def test_five_wrong_guesses_void_every_code(pairing: Pairing) -> None:
    first, second = pairing.issue("1", "pos"), pairing.issue("2", "pos")
    for _ in range(MOST_TRIES - 1):
        assert pairing.redeem("AAAAAAAAAA") is None
    assert pairing.redeem(first)
    assert pairing.redeem("") is None
    assert pairing.redeem(second) is None
    assert pairing.redeem(pairing.issue("2", "pos"))


def test_codes_are_bounded(pairing: Pairing) -> None:
    codes = [pairing.issue(str(till), "pos") for till in range(MOST_CODES + 1)]
    assert pairing.redeem(codes[0]) is None
    assert all(pairing.redeem(code) for code in codes[1:])


def test_a_code_is_bought_by_one_of_many_at_once(pairing: Pairing) -> None:
    code = pairing.issue("1", "pos")
    start, bought = threading.Barrier(8), []

    def buy() -> None:
        start.wait()
        bought.append(pairing.redeem(code))

    threads = [threading.Thread(target=buy) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in bought if one]) == 1


def test_only_hashes_are_kept_and_only_for_the_owner(pairing: Pairing, file: Path) -> None:
    bought = pairing.redeem(pairing.issue("1", "pos"))
    assert bought is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bought.token not in file.read_text()
    (kept,) = json.loads(file.read_text())
    assert kept["sha256"] == hashlib.sha256(bought.token.encode()).hexdigest()
    assert list(file.parent.iterdir()) == [file]


def test_tokens_outlive_a_restart(file: Path, clock: StoppedClock) -> None:
    token = Tokens(file).mint("2", "screen", clock.now())
    grant = Tokens(file).find(token)
    assert grant is not None
    assert (grant.till, grant.holder) == ("2", "screen")
    assert Tokens(file).find(token[:-1] + "?") is None


def test_the_newest_tokens_of_a_kind_stay(file: Path, clock: StoppedClock) -> None:
    tokens = Tokens(file)
    pos, other_till = tokens.mint("1", "pos", clock.now()), tokens.mint("2", "screen", clock.now())
    screens = [tokens.mint("1", "screen", clock.now()) for _ in range(KEPT + 2)]
    known = [tokens.find(token) is not None for token in screens]
    assert known == [False, False] + [True] * KEPT
    assert tokens.find(pos)
    assert tokens.find(other_till)


@pytest.mark.parametrize("damage", [b"", b"{", b'[{"sha256": 5}]', b"\xff\xfe"])
def test_a_damaged_file_is_set_aside(file: Path, clock: StoppedClock, damage: bytes) -> None:
    file.write_bytes(damage)
    tokens = Tokens(file)
    assert tokens.find("") is None
    assert file.with_name("tokens.json.damaged").read_bytes() == damage
    assert tokens.find(tokens.mint("1", "pos", clock.now()))


def test_a_token_that_cannot_be_kept_is_not_given(tmp_path: Path, clock: StoppedClock) -> None:
    tokens = Tokens(tmp_path / "gone" / "tokens.json")
    with pytest.raises(OSError, match="gone"):
        tokens.mint("1", "pos", clock.now())


def test_a_pos_gets_its_token_in_the_answer(shop: Shop) -> None:
    reply = shop.ask("POST", "/v1/pairing", {"code": shop.pairing.issue("1", "pos")}, token=None)
    assert reply.status == 201
    paired = json.loads(reply.body)
    assert (paired["till"], paired["scopes"]) == ("1", ["scan", "sale", "print"])
    assert "set-cookie" not in reply.headers
    assert shop.ask("POST", "/v1/tills/1/identify", {"code": "1"}, token=paired["token"]).status == 200


def test_a_page_gets_a_cookie_that_no_script_can_read(shop: Shop) -> None:
    reply = shop.ask("POST", "/v1/pairing", {"code": shop.pairing.issue("2", "screen")}, token=None)
    assert reply.status == 201
    assert json.loads(reply.body) == {"till": "2", "scopes": ["scan"], "token": None}
    value, *attributes = reply.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/v1/tills/2", "Max-Age=34560000"} <= set(attributes)
    assert shop.ask("HEAD", "/v1/tills/2/events", token=None, Cookie=value).status == 200


def test_guessing_over_http_voids_the_code_and_says_nothing_more(shop: Shop) -> None:
    code = shop.pairing.issue("1", "screen")
    answers = {shop.ask("POST", "/v1/pairing", {"code": "A" * 10}, token=None).body for _ in range(MOST_TRIES)}
    answers.add(shop.ask("POST", "/v1/pairing", {"code": code}, token=None).body)
    (answer,) = answers
    assert json.loads(answer)["code"] == "pairing_refused"


def test_a_foreign_page_cannot_even_guess(shop: Shop) -> None:
    code = shop.pairing.issue("1", "screen")
    for _ in range(MOST_TRIES + 1):
        assert shop.ask("POST", "/v1/pairing", {"code": "A" * 10}, token=None, Origin="http://a.test").status == 403
    assert shop.ask("POST", "/v1/pairing", {"code": code}, token=None).status == 201
