"""The HTTP edge: bounded bodies in, devices recognised, JSON out.

Nothing behind it sees a request. A body is counted while it arrives and while it is unpacked, so that a gzip bomb ends
at the limit and not in memory.
"""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from loyalty.jws import BadSignature, ClockSkew, unverified_device, verify_request
from loyalty_server.clock import Clock
from loyalty_server.devices import Device, find_device
from loyalty_server.keys import Keys
from loyalty_server.life import Life
from loyalty_server.meters import Meters
from loyalty_server.problems import refuse
from loyalty_server.rates import Rates
from loyalty_server.storage.database import Database

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How much of anything the server takes or gives at once."""

    packed: int = 4 << 20  # bytes of a batch as it travels
    unpacked: int = 16 << 20  # bytes of a batch after gzip
    message: int = 1 << 20  # bytes of any other body, before and after gzip: some come from who knows whom
    form: int = 8 << 10  # bytes of an enrolment form
    page: int = 2500  # members in one page of changes
    body_seconds: float = 30.0  # until a body is here


@dataclass(frozen=True)
class Server:
    """What every endpoint works with. `hosts` are the names (host or host:port) that requests may be signed for."""

    database: Database
    keys: Keys
    clock: Clock
    public_url: str
    hosts: frozenset[str]
    limits: Limits = field(default_factory=Limits)
    life: Life | None = None
    rates: Rates = field(default_factory=Rates)
    meters: Meters = field(default_factory=Meters)


def names_of(*addresses: str) -> frozenset[str]:
    """Return the Host headers that belong to these URLs or names, as clients send them: without a default port."""
    names = set()
    for address in addresses:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host = (parts.hostname or "").lower()
        shown = f"[{host}]" if ":" in host else host
        default = {"http": 80, "https": 443}.get(parts.scheme)
        names.add(shown if parts.port in (None, default) else f"{shown}:{parts.port}")
    return frozenset(names)


def receipt_address(text: str) -> str:
    """Return the address that enrolment QRs begin with, without a slash at its end. Raises ValueError."""
    parts = urlsplit(text.rstrip("/"))
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))
    if not safe or not parts.hostname or parts.path or parts.query or parts.fragment or parts.username:
        raise ValueError(
            f"{text} cannot stand on receipts: it must be https://HOST[:PORT], or http on this machine alone"
        )
    return text.rstrip("/")


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return the body of a message, unpacked. Raises Refused `too_large`, `too_slow`, `media_type` or `malformed`."""
    return await _read(request, limits.message, limits.message, limits.body_seconds)


async def read_batch(request: Request, limits: Limits) -> bytes:
    """Return the body of a batch of rows in the same way; it may be larger than any other."""
    return await _read(request, limits.packed, limits.unpacked, limits.body_seconds)


async def read_bounded(request: Request, most: int, seconds: float) -> bytes:
    """Return the body as it came. Raises Refused `too_large` or `too_slow`."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise refuse("too_large", f"a body may have {most} bytes")
    except TimeoutError as error:
        raise refuse("too_slow") from error
    return bytes(body)


def decode(body: bytes, shape: type[T]) -> T:
    """Return the message. Raises Refused `malformed`."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise refuse("malformed", str(error)[:200]) from error


def json_reply(message: object, status: int = 200, **headers: str) -> Response:
    """Return a JSON response that nobody keeps."""
    named = {name.replace("_", "-"): value for name, value in {"cache_control": "no-store", **headers}.items()}
    return Response(msgspec.json.encode(message), status, named, media_type="application/json")


def squeeze(body: bytes) -> bytes:
    """Return the body as gzip, for what is mostly digits: short repetitions cost more there than they save."""
    packer = zlib.compressobj(6, wbits=31, memLevel=7, strategy=zlib.Z_FILTERED)
    return packer.compress(body) + packer.flush()


def authenticate(server: Server, request: Request) -> Device:
    """Return the device that signed this request.

    Raises Refused: `wrong_host`, `bad_signature`, `clock` (with the server's time), `device_revoked` or
    `too_many_requests`.
    """
    host = request.headers.get("host", "").lower()
    if host not in server.hosts:
        raise refuse("wrong_host")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise refuse("bad_signature")
    device = _signed_by(server, token.strip(), host)
    if device.revoked:
        raise refuse("device_revoked")
    request.state.device = device.id
    server.rates.call(device.id, server.clock.now())
    return device


def _signed_by(server: Server, token: str, host: str) -> Device:
    now = server.clock.now()
    try:
        with server.database.reading() as connection:
            device = find_device(connection, unverified_device(token))
        if device is None:
            raise refuse("bad_signature")
        key = _verified(token, device.keys(now), host, now)
    except ClockSkew as error:
        raise refuse("clock", server_time=now) from error
    except BadSignature as error:
        raise refuse("bad_signature") from error
    return replace(device, signed_by=key)


def _verified(token: str, keys: tuple[bytes, ...], host: str, now: datetime) -> bytes:
    """The key by which the token holds. Raises BadSignature or ClockSkew."""
    for key in keys[:-1]:
        with suppress(BadSignature):
            verify_request(token, key, host, now)
            return key
    verify_request(token, keys[-1], host, now)
    return keys[-1]


async def _read(request: Request, most_packed: int, most: int, seconds: float) -> bytes:
    packed = await read_bounded(request, most_packed, seconds)
    match request.headers.get("content-encoding", "identity").strip().lower():
        case "identity":
            return packed
        case "gzip":
            return _unpack(packed, most)
    raise refuse("media_type")


def _unpack(packed: bytes, most: int) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        body = unzip.decompress(packed, most + 1)
    except zlib.error as error:
        raise refuse("malformed", "the body is not gzip") from error
    if len(body) > most:
        raise refuse("too_large", f"an unpacked body may have {most} bytes")
    if not unzip.eof or unzip.unused_data:
        raise refuse("malformed", "the gzip stream is cut off or goes on")
    return body
