"""Two kinds of compact JWS (RFC 7515), both with alg Ed25519 (RFC 9864) and no other.

A request token says which device asks: signed by the device key, bound to one host, 60 seconds long. A programme is
the document in force, signed by the server's programme key. `typ` keeps the two apart.

    TillmateError
    ├── BadSignature    not from that key, not for this host, or not such a token at all
    └── ClockSkew       genuine, but the two clocks are more than 60 s apart: learn the offset, sign again
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from loyalty.errors import TillmateError

LIFETIME = 60
"""Seconds for which a request token is good."""

LARGEST_PROGRAMME = 3 * 2**20
"""Bytes."""

_ALGORITHM = "Ed25519"
_REQUEST = "tillmate-request+jwt"
_PROGRAMME = "tillmate-programme+json"
_LONGEST_REQUEST = 2048
_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadSignature(TillmateError):
    """Treat it as if nobody had asked."""

    code: ClassVar[str] = "bad_signature"


class ClockSkew(TillmateError):
    """Answer 401 `clock` with the own time."""

    code: ClassVar[str] = "clock"


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a header may hold: no `crit`, no `b64`, no key that comes along. `kid` is for keys that rotate."""

    alg: Literal["Ed25519"]
    typ: str
    kid: str = ""


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    aud: str
    iat: int
    exp: int


class _Registry(jws.JWSRegistry):
    """joserfc's own limit, 128 kB in base64, is less than a large retailer's offers take."""

    max_payload_length = 4 * LARGEST_PROGRAMME // 3 + 4


_REGISTRY = _Registry(algorithms=[_ALGORITHM])


def sign_request(key: bytes, device: str, host: str, now: datetime) -> str:
    """Return a bearer token of this device for this host. `key` is a raw private key (32 bytes)."""
    second = _second(now)
    claims = _Claims(iss=device, aud=host, iat=second, exp=second + LIFETIME)
    return _sign(_REQUEST, msgspec.json.encode(claims), key)


def verify_request(token: str, public_key: bytes, host: str, now: datetime) -> str:
    """Return the device that signed `token` for `host`. Raises BadSignature or ClockSkew."""
    if len(token) > _LONGEST_REQUEST:
        raise BadSignature("a request token is shorter than this")
    claims = _read(_open(_REQUEST, token, public_key), _Claims)
    if claims.aud != host:
        raise BadSignature("the request token is for another host")
    if claims.exp - claims.iat != LIFETIME:
        raise BadSignature(f"a request token lives {LIFETIME} seconds")
    if abs(_second(now) - claims.iat) > LIFETIME:
        raise ClockSkew("the request token is not of this minute: compare the clocks")
    return claims.iss


def unverified_device(token: str) -> str:
    """Return who the token says it is from, to find his public key. Proves nothing. Raises BadSignature."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LONGEST_REQUEST:
        raise BadSignature("not a request token")
    return _read(_from_base64(parts[1]), _Claims).iss


def sign_programme(key: bytes, programme_json: bytes) -> str:
    """Return the programme as a signed document. `key` is a raw private key (32 bytes). Raises ValueError if too large."""
    if len(programme_json) > LARGEST_PROGRAMME:
        raise ValueError(f"a programme has at most {LARGEST_PROGRAMME} bytes")
    return _sign(_PROGRAMME, programme_json, key)


def open_programme(signed: str, public_key: bytes) -> bytes:
    """Return the programme's JSON as it was signed. Raises BadSignature."""
    return _open(_PROGRAMME, signed, public_key)


def _sign(kind: str, payload: bytes, key: bytes) -> str:
    public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    private = _key(x=public, d=key)
    return jws.serialize_compact({"alg": _ALGORITHM, "typ": kind}, payload, private, registry=_REGISTRY)


def _open(kind: str, token: str, public_key: bytes) -> bytes:
    header = _read(_from_base64(token.partition(".")[0]), _Header)
    if header.typ != kind:
        raise BadSignature("signed for another purpose")
    try:
        return bytes(jws.deserialize_compact(token, _key(x=public_key), registry=_REGISTRY).payload)
    except (JoseError, ValueError) as error:
        raise BadSignature("the signature does not hold") from error


def _key(**parts: bytes) -> OKPKey:
    texts: dict[str, Any] = {name: base64.urlsafe_b64encode(part).rstrip(b"=").decode() for name, part in parts.items()}
    return OKPKey.import_key({"kty": "OKP", "crv": _ALGORITHM, **texts})


def _read(payload: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadSignature("not what such a token holds") from error


def _from_base64(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise BadSignature("not base64url") from error


def _second(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)
