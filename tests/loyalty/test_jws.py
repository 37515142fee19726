from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jws as jose
from joserfc.jwk import OctKey, OKPKey

from loyalty.jws import (
    LARGEST_PROGRAMME,
    BadSignature,
    ClockSkew,
    open_programme,
    sign_programme,
    sign_request,
    unverified_device,
    verify_request,
)

KEY = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(KEY).public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
HOST = "loyalty.example.org"
NOW = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)
TOKEN = sign_request(KEY, "d-1", HOST, NOW)


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes) -> str:
    """What somebody who holds the key, but not our code, might send."""
    signing = f"{encoded(header)}.{encoded(payload)}"
    return f"{signing}.{encoded(Ed25519PrivateKey.from_private_bytes(KEY).sign(signing.encode()))}"


def claims(**changes: object) -> bytes:
    second = 1797066000
    return json.dumps({"iss": "d-1", "aud": HOST, "iat": second, "exp": second + 60, **changes}).encode()


HEADER = b'{"alg":"Ed25519","typ":"tillmate-request+jwt"}'


def test_a_request_token_says_who_asks() -> None:
    assert verify_request(TOKEN, PUBLIC, HOST, NOW) == "d-1"
    assert unverified_device(TOKEN) == "d-1"


def test_a_token_of_another_maker_in_the_same_form_is_as_good() -> None:
    assert verify_request(signed(HEADER, claims()), PUBLIC, HOST, NOW) == "d-1"
    assert verify_request(signed(HEADER[:-1] + b',"kid":"k"}', claims(jti="x")), PUBLIC, HOST, NOW) == "d-1"


def test_joserfc_itself_takes_our_token() -> None:
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": encoded(PUBLIC)})
    assert json.loads(jose.deserialize_compact(TOKEN, key, algorithms=["Ed25519"]).payload)["aud"] == HOST


@pytest.mark.parametrize("seconds", [-60, -59, 0, 59, 60])
def test_within_a_minute_it_is_good(seconds: int) -> None:
    assert verify_request(TOKEN, PUBLIC, HOST, NOW + timedelta(seconds=seconds)) == "d-1"


@pytest.mark.parametrize("seconds", [-86_400, -61, 61, 3600])
def test_beyond_a_minute_the_clocks_are_to_blame(seconds: int) -> None:
    with pytest.raises(ClockSkew):
        verify_request(TOKEN, PUBLIC, HOST, NOW + timedelta(seconds=seconds))


def test_another_host_another_key_another_lifetime_are_refused() -> None:
    for token, public, host in [
        (TOKEN, PUBLIC, "evil.example.org"),
        (TOKEN, PUBLIC, HOST.upper()),
        (TOKEN, OTHER, HOST),
        (signed(HEADER, claims(exp=1797066000 + 3600)), PUBLIC, HOST),
        (signed(HEADER, claims(exp=1797066000)), PUBLIC, HOST),
    ]:
        with pytest.raises(BadSignature):
            verify_request(token, public, host, NOW)


def test_a_wrong_key_is_never_told_that_its_clock_is_wrong() -> None:
    with pytest.raises(BadSignature):
        verify_request(TOKEN, OTHER, HOST, NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","typ":"tillmate-request+jwt"}',
        b'{"alg":"EdDSA","typ":"tillmate-request+jwt"}',
        b'{"alg":"HS256","typ":"tillmate-request+jwt"}',
        b'{"alg":"Ed25519","typ":"tillmate-programme+json"}',
        b'{"alg":"Ed25519"}',
        b'{"alg":"Ed25519","typ":"tillmate-request+jwt","crit":5}',
        b'{"alg":"Ed25519","typ":"tillmate-request+jwt","crit":["b64"],"b64":false}',
        b'{"alg":"Ed25519","typ":"tillmate-request+jwt","jwk":{}}',
        b"[]",
        b"\xff",
        b"",
    ],
)
def test_only_our_own_header_is_accepted_even_with_a_good_signature(header: bytes) -> None:
    with pytest.raises(BadSignature):
        verify_request(signed(header, claims()), PUBLIC, HOST, NOW)


def test_the_public_key_is_no_shared_secret() -> None:
    key = OctKey.import_key(PUBLIC)
    token = jose.serialize_compact({"alg": "HS256", "typ": "tillmate-request+jwt"}, claims(), key)
    with pytest.raises(BadSignature):
        verify_request(token, PUBLIC, HOST, NOW)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", claims(iss=5), claims(iat="now"), b"\xff", b'{"x":' + b"[" * 900]
)
def test_other_claims_are_refused(payload: bytes) -> None:
    with pytest.raises(BadSignature):
        verify_request(signed(HEADER, payload), PUBLIC, HOST, NOW)
    with pytest.raises(BadSignature):
        unverified_device(signed(HEADER, payload))


def test_each_part_is_sealed() -> None:
    header, payload, signature = TOKEN.split(".")
    for forged in [
        f"{header}.{encoded(claims(iss='d-2'))}.{signature}",
        f"{header}.{payload}.{encoded(bytes(64))}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{TOKEN}.",
    ]:
        with pytest.raises(BadSignature):
            verify_request(forged, PUBLIC, HOST, NOW)


def test_a_long_token_is_refused_before_it_is_read() -> None:
    long = signed(HEADER, claims(pad="x" * 2048))
    for read in (lambda: verify_request(long, PUBLIC, HOST, NOW), lambda: unverified_device(long)):
        with pytest.raises(BadSignature):
            read()


@given(st.text(max_size=60) | st.binary(max_size=60).map(encoded).map(lambda part: f"{part}.{part}.{part}"))
@example("..")
@example("é.é.é")
@example("a.a.a")
def test_anything_else_is_refused_and_nothing_worse(token: str) -> None:
    with pytest.raises(BadSignature):
        verify_request(token, PUBLIC, HOST, NOW)
    with pytest.raises(BadSignature):
        unverified_device(token)


def test_a_programme_comes_back_byte_for_byte() -> None:
    document = '{"programme":{"id":"клуб"}}'.encode()
    assert open_programme(sign_programme(KEY, document), PUBLIC) == document


def test_a_programme_is_bound_to_its_key_and_its_purpose() -> None:
    for token, public in [(sign_programme(KEY, b"{}"), OTHER), (TOKEN, PUBLIC), ("", PUBLIC)]:
        with pytest.raises(BadSignature):
            open_programme(token, public)


def test_a_programme_of_a_large_retailer_can_be_opened_and_a_larger_one_is_not_signed() -> None:
    document = b"x" * LARGEST_PROGRAMME
    assert open_programme(sign_programme(KEY, document), PUBLIC) == document
    with pytest.raises(ValueError, match="at most"):
        sign_programme(KEY, document + b"x")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_private_key_of_another_length_is_an_error_of_the_caller(size: int) -> None:
    with pytest.raises(ValueError, match="32"):
        sign_request(bytes(size), "d-1", HOST, NOW)
