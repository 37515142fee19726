"""A central server in a thread: a real socket, and a bad temper on demand."""

from __future__ import annotations

import base64
import gzip
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.chain import GENESIS, row_hash
from loyalty.columns import pack
from loyalty.jws import ClockSkew, sign_programme, verify_request
from loyalty.programme import load, to_json
from loyalty.quote import Quote
from loyalty.wire import (
    ChangesPage,
    ClaimReply,
    ClaimRequest,
    EventBatch,
    EventReply,
    Heartbeat,
    HeartbeatReply,
    Named,
    Problem,
    Programmes,
    Row,
    Sale,
    Verdict,
)

WAIT = 20.0
PROGRAMME_KEY = b"p" * 32
QUOTE = msgspec.json.decode(
    b'{"total":50000,"discount":0,"line_discounts":[0],"max_redeem":0,"redeemed":0,"line_redeemed":[0],"pay":50000,'
    b'"earned":500,"balance_after":500,"tier":null,"tier_after":null,"to_next_tier":null,"stamps_after":{},'
    b'"free_units":{},"gifts":[],"slips":[],"coupons_used":[],"why":[],"prompt":{},"programme_revision":1,"engine":1}',
    type=Quote,
)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public(private: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def programme(revision: int, starts_at: str = "2026-01-01T00:00:00+03:00") -> str:
    """A signed programme."""
    text = f"""
[programme]
id = "club"
revision = {revision}
engine = 1
starts_at = {starts_at}
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 100
"""
    return sign_programme(PROGRAMME_KEY, to_json(load(text, "toml")))


class Refused(Exception):
    """The handler's answer is this problem."""

    def __init__(
        self, status: int, code: str, *, expect: int | None = None, server_time: datetime | None = None
    ) -> None:
        super().__init__(code)
        self.problem = Problem(
            type="about:blank",
            title=code,
            status=status,
            code=code,
            retryable=code == "no_programme",
            expect=expect,
            server_time=server_time,
        )


@dataclass
class Central:
    """What the server knows, and the faults that it will commit, one a request, on the paths that `spoil` names."""

    clock_offset: timedelta = timedelta()
    drift: timedelta = timedelta()  # more with each request
    faults: deque[str] = field(default_factory=deque)
    spoil: str = "/v1/"
    requests: list[str] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    code: str = "CODE"
    claimed: ClaimReply | None = None
    claimed_key: str = ""
    device_key: bytes = b""
    claims: list[ClaimRequest] = field(default_factory=list)

    rows: dict[int, Row] = field(default_factory=dict)
    rejected: dict[int, Problem] = field(default_factory=dict)
    poison: frozenset[str] = frozenset()
    most_rows: int = 500
    epoch: str = "epoch-1"
    hashes: dict[int, bytes] = field(default_factory=lambda: {0: GENESIS})

    programmes: Programmes | None = None
    pages: dict[str, ChangesPage] = field(default_factory=dict)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    commands: tuple[str, ...] = ()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.clock_offset + self.drift * (len(self.requests) + 1)

    def until(self, done: Callable[[Central], bool]) -> None:
        """Wait until the server has seen enough."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: done(self), WAIT), self.requests

    def answer(
        self, method: str, path: str, query: str, host: str, token: str, etag: str, body: bytes
    ) -> tuple[int, Any, str]:
        if (method, path) == ("POST", "/v1/devices"):
            return 201, self.claim(msgspec.json.decode(body, type=ClaimRequest)), ""
        try:
            verify_request(token, self.device_key, host, self.now())
        except ClockSkew as error:
            raise Refused(401, "clock", server_time=self.now()) from error
        match path:
            case "/v1/events":
                return 200, self.ingest(msgspec.json.decode(body, type=EventBatch)), ""
            case "/v1/programme":
                return self.programme(etag)
            case "/v1/members/changes":
                return 200, pack(self.page(parse_qs(query).get("since", [""])[0])), ""
            case "/v1/heartbeat":
                self.heartbeats.append(msgspec.json.decode(body, type=Heartbeat))
                return 200, HeartbeatReply(self.now(), self.commands), ""
        raise Refused(404, "not_found")

    def claim(self, request: ClaimRequest) -> ClaimReply:
        self.claims.append(request)
        if request.code != self.code:
            raise Refused(403, "claim_code_unknown")
        if self.claimed is None:
            self.claimed_key = request.public_key
            self.device_key = base64.urlsafe_b64decode(request.public_key + "=")
            self.claimed = ClaimReply(
                device="D1",
                device_number=1,
                store=Named("S1", "Store"),
                tills=(Named("1", "Till"),),
                epoch=self.epoch,
                programme_key=base64url(public(PROGRAMME_KEY)),
                token_key=base64url(b"t" * 32),
                token_generation=1,
                ident_key=base64url(b"i" * 32),
                enrolment_url="http://127.0.0.1",
            )
        elif request.public_key != self.claimed_key:
            raise Refused(409, "claim_code_used")
        return self.claimed

    def ingest(self, batch: EventBatch) -> EventReply:
        last = max(self.rows, default=0)
        if len(batch.rows) > self.most_rows:
            raise Refused(413, "too_large")
        if batch.rows[0].seq > last + 1:
            raise Refused(409, "gap", expect=last + 1)
        verdicts = [self.book(batch.epoch, row) for row in batch.rows]
        return EventReply("D1", batch.epoch, max(self.rows), tuple(verdicts))

    def book(self, epoch: str, row: Row) -> Verdict:
        if epoch != self.epoch or self.rows.get(row.seq, row).hash != row.hash:
            raise Refused(409, "fork")
        known = row.seq in self.rows
        digest = row_hash(self.hashes[row.seq - 1], epoch, row.seq, row.kind, row.at, row.body.encode())
        assert digest.hex() == row.hash
        self.rows[row.seq], self.hashes[row.seq] = row, digest
        if msgspec.json.decode(row.body, type=Sale).receipt.number in self.poison:
            problem = Problem(type="about:blank", title="no", status=409, code="receipt_conflict", retryable=False)
            self.rejected[row.seq] = problem
            return Verdict(row.seq, "rejected", problem)
        return Verdict(row.seq, "duplicate" if known else "accepted")

    def programme(self, etag: str) -> tuple[int, Any, str]:
        if self.programmes is None:
            raise Refused(404, "no_programme")
        mine = f'"{hash(self.programmes)}"'
        return (304, None, mine) if etag == mine else (200, self.programmes, mine)

    def page(self, since: str) -> ChangesPage:
        if since not in self.pages:
            raise Refused(410, "refill")
        return self.pages[since]


class Handler(BaseHTTPRequestHandler):
    central: ClassVar[Central]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        path, _, query = self.path.partition("?")
        with self.central.arrived:
            fault = self.central.faults.popleft() if self.central.faults and path.startswith(self.central.spoil) else ""
            if fault not in UNHEARD:
                status, content, kind, etag = self.work(path, query, body)
            self.central.requests.append(path)
            self.central.arrived.notify_all()
        if fault in UNHEARD:
            UNHEARD[fault](self)
        elif fault in SPOILT:
            SPOILT[fault](self, content)
        else:
            self.reply(status, content, kind, etag)

    def work(self, path: str, query: str, body: bytes) -> tuple[int, bytes, str, str]:
        host, token = self.headers["Host"], self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            status, message, etag = self.central.answer(
                self.command, path, query, host, token, self.headers.get("If-None-Match", ""), body
            )
        except Refused as refused:
            content = msgspec.json.encode(refused.problem)
            return refused.problem.status, content, "application/problem+json", ""
        return status, b"" if status == 304 else msgspec.json.encode(message), "application/json", etag

    def reply(self, status: int, content: bytes, kind: str = "application/json", etag: str = "", **more: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "ETag": etag,
            **more,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def hang_up(self) -> None:
        self.close_connection = True

    def half(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.hang_up()


UNHEARD: dict[str, Callable[[Handler], None]] = {
    "refuse": Handler.hang_up,
    "html": lambda it: it.reply(200, b"<html>Sign in to the Wi-Fi</html>", "text/html"),
    "500": lambda it: it.reply(500, b"oops", "text/plain"),
    "429": lambda it: it.reply(429, b"", "text/plain", Retry_After="0"),
    "redirect": lambda it: it.reply(302, b"", "text/plain", Location="http://127.0.0.1:9/login"),
}
"""Faults before the server has taken notice of the request."""
SPOILT: dict[str, Callable[[Handler, bytes], None]] = {
    "drop": lambda it, _: it.hang_up(),
    "half": Handler.half,
    "other device": lambda it, content: it.reply(200, content.replace(b'"D1"', b'"D2"')),
    "502 after": lambda it, _: it.reply(502, b"<html>Bad gateway</html>", "text/html"),
    "other json": lambda it, _: it.reply(200, b'{"status":"ok"}'),
}
"""Faults after it has: the till cannot know."""


@contextmanager
def serving(central: Central) -> Iterator[str]:
    """The server's address while it listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"central": central}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(WAIT)
        server.server_close()
