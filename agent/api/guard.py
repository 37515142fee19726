"""Who may ask: a pure ASGI middleware in front of every route of the local API.

A shop's browser can reach loopback, and so can any web page that it shows. So every request is judged in this order,
and the first "no" is the answer: Host, Origin, body type, call, token and scope, sizes. Nothing is remembered about
bad tokens: a lock-out here would let anybody stop a till. GET changes nothing, so it may come without an Origin.

    421 host            not exactly one Host of ours, or an absolute-form target (DNS rebinding ends here)
    403 origin          an Origin that is not on the list, or a page of another site or port that sends none
    403 no_origin       an unsafe method by a browser (Sec-Fetch-*) without an Origin
    415 not_json        an unsafe method with another body than application/json
    404, 405            no such call, not this method
    401, 403            no token, unknown token, a token without the scope or of another till
    431, 413, 408       headers over 16 KiB, body over 64 KiB, body slower than 5 s
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import cookie_parser
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.api import refusals, schemas
from agent.api.tokens import Grant
from loyalty.wire import Problem

log = logging.getLogger(__name__)

COOKIE: Final = "tillmate"
MOST_HEADERS: Final = 16 * 1024
MOST_BODY: Final = 64 * 1024
BODY_SECONDS: Final = 5.0
SAFE: Final = frozenset({"GET", "HEAD"})

Find = Callable[[str], Grant | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may make one call: a token with this scope; None = anybody on this machine."""

    method: str
    path: str
    scope: schemas.Scope | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as the checks need it: header values by lower-case name, in order."""

    method: str
    target: bytes
    path: str
    headers: Mapping[bytes, tuple[bytes, ...]]
    header_bytes: int

    @property
    def safe(self) -> bool:
        return self.method in SAFE

    def one(self, name: bytes) -> bytes | None:
        """The value of a header that is there exactly once; None = absent; several never equal anything."""
        values = self.headers.get(name, ())
        return b"\n".join(values) if values else None


class Guard:
    """Judges, answers refusals itself, reads the body (bounded) and hands the rest on. `refused` counts by code."""

    def __init__(
        self, app: ASGIApp, *, port: int, allowed_origins: tuple[str, ...], rules: Iterable[Rule], find: Find
    ) -> None:
        hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.refused: Counter[str] = Counter()
        self._app = app
        self._hosts = frozenset(host.encode() for host in hosts)
        self._origins = frozenset(
            origin.encode() for origin in (*(f"http://{host}" for host in hosts), *allowed_origins)
        )
        self._calls = _Calls(rules)
        self._find = find
        self._headers = _security_headers(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        send = self._with_headers(send)
        asked = _read(scope)
        problem = self._judge(asked)
        if problem is None and not asked.safe:
            body = await _body(receive)
            if isinstance(body, bytes):
                receive = _replay(body, receive)
            else:
                problem = body
        if problem is None:
            await self._app(scope, receive, send)
            return
        self.refused[problem.code] += 1
        log.log(logging.WARNING if self.refused[problem.code] == 1 else logging.DEBUG, "refused code=%s", problem.code)
        await refusals.respond(problem)(scope, receive, send)

    def _judge(self, asked: _Asked) -> Problem | None:
        code = self._host(asked) or self._origin(asked) or _json_only(asked) or self._token(asked) or _sizes(asked)
        return refusals.refusal(code) if code else None

    def _host(self, asked: _Asked) -> str | None:
        ours = asked.one(b"host") in self._hosts and asked.target.startswith(b"/")
        return None if ours else "host"

    def _origin(self, asked: _Asked) -> str | None:
        origin = asked.one(b"origin")
        if origin is not None:
            return None if origin in self._origins else "origin"
        if not asked.safe:
            return "no_origin" if any(name.startswith(b"sec-fetch-") for name in asked.headers) else None
        foreign = asked.one(b"sec-fetch-site") not in (None, b"none", b"same-origin")
        return "origin" if foreign and asked.path.startswith("/v1/") else None

    def _token(self, asked: _Asked) -> str | None:
        methods, till = self._calls.at(asked.path)
        if not methods:
            return "not_found"
        if asked.method not in methods:
            return "method"
        scope = methods[asked.method]
        if scope is None:
            return None
        token = _given(asked)
        grant = self._find(token) if token else None
        if grant is None:
            return "bad_token" if token else "no_token"
        if till is not None and grant.till != till:
            return "other_till"
        return None if scope in grant.scopes else "scope"

    def _with_headers(self, send: Send) -> Send:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
            await send(message)

        return add


class _Calls:
    """The rules by path: which methods there are, the scope of each, and the till that the path names."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_path: dict[str, dict[str, schemas.Scope | None]] = {}
        for rule in rules:
            methods = self._by_path.setdefault(rule.path, {})
            methods[rule.method] = rule.scope
            if rule.method == "GET":
                methods["HEAD"] = rule.scope
        self._patterns = [(compile_path(path)[0], methods) for path, methods in self._by_path.items()]

    def at(self, path: str) -> tuple[Mapping[str, schemas.Scope | None], str | None]:
        for pattern, methods in self._patterns:
            match = pattern.match(path)
            if match is not None:
                return methods, match.groupdict().get("till")
        return {}, None


def _read(scope: Scope) -> _Asked:
    headers: dict[bytes, tuple[bytes, ...]] = {}
    for name, value in scope["headers"]:
        headers[name] = (*headers.get(name, ()), value)
    size = sum(len(name) + len(value) + 4 for name, value in scope["headers"]) + len(scope["raw_path"])
    return _Asked(scope["method"], scope["raw_path"], scope["path"], headers, size + len(scope["query_string"]))


def _json_only(asked: _Asked) -> str | None:
    if asked.safe:
        return None
    kind = asked.one(b"content-type")
    if kind is None:
        bodiless = asked.one(b"content-length") in (None, b"0") and asked.one(b"transfer-encoding") is None
        return None if asked.method == "DELETE" and bodiless else "not_json"
    return None if kind.split(b";")[0].strip().lower() == b"application/json" else "not_json"


def _sizes(asked: _Asked) -> str | None:
    if asked.header_bytes > MOST_HEADERS:
        return "headers_too_large"
    length = asked.one(b"content-length") or b"0"
    return "body_too_large" if not length.isdigit() or int(length) > MOST_BODY else None


def _given(asked: _Asked) -> str:
    """The token of the Authorization header or else of the cookie; never of the address."""
    bearer = asked.one(b"authorization")
    if bearer is not None:
        kind, _, token = bearer.decode("latin-1").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""
    return cookie_parser((asked.one(b"cookie") or b"").decode("latin-1")).get(COOKIE, "")


async def _body(receive: Receive) -> bytes | Problem:
    """Read the whole body, bounded in size and time."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                body += bytes(message.get("body", b""))
                if len(body) > MOST_BODY:
                    return refusals.refusal("body_too_large")
                if message["type"] == "http.disconnect":
                    return refusals.refusal("body_broken")
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        return refusals.refusal("body_too_slow")


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _security_headers(embedders: tuple[str, ...]) -> list[tuple[bytes, bytes]]:
    frames = " ".join(embedders) or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {frames}"
    )
    return [
        (b"content-security-policy", policy.encode("latin-1")),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]
