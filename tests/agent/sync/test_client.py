"""The calls: signed, bounded, verified, and each answer turned into what the till has to do."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.clock import SystemClock
from agent.identity import Identity
from agent.sync import Client, make_session
from agent.sync.errors import (
    Fork,
    Gap,
    Gone,
    NotAuthorised,
    ServerBusy,
    ServerRejected,
    ServerUnreachable,
    TooLarge,
)
from agent.sync.replies import Answer, refusal, retry_after
from loyalty.columns import pack
from loyalty.wire import ChangesPage, Problem

if TYPE_CHECKING:
    from tests.agent.sync.central import Central

NOW = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)
WAIT = 20.0


def problem(status: int, code: str, *, retryable: bool = False) -> Answer:
    content = Problem(type="about:blank", title=code, status=status, code=code, retryable=retryable, expect=7)
    return Answer(status, {"content-type": "application/problem+json"}, msgspec.json.encode(content))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (problem(409, "gap", retryable=True), Gap),
        (problem(409, "fork"), Fork),
        (problem(409, "claim_code_used"), ServerRejected),
        (problem(400, "malformed"), ServerRejected),
        (problem(410, "refill"), Gone),
        (problem(413, "too_large"), TooLarge),
        (Answer(413, {}, b"<html>nginx</html>"), TooLarge),
        (problem(401, "device_revoked"), NotAuthorised),
        (Answer(403, {}, b"<html>proxy</html>"), NotAuthorised),
        (problem(503, "busy", retryable=True), ServerBusy),
        (Answer(429, {"retry-after": "3"}, b""), ServerBusy),
        (problem(404, "no_programme", retryable=True), ServerBusy),
        (Answer(404, {}, b"<html>not found</html>"), ServerUnreachable),
        (Answer(410, {}, b"<html>gone</html>"), ServerUnreachable),
        (Answer(302, {}, b""), ServerUnreachable),
        (Answer(500, {}, b"oops"), ServerUnreachable),
        (Answer(409, {"content-type": "application/problem+json"}, b'{"code":"fork"}'), ServerUnreachable),
        (Answer(400, problem(409, "fork").headers, problem(409, "fork").body), ServerUnreachable),
    ],
)
def test_each_refusal_says_what_to_do(answer: Answer, expected: type[Exception]) -> None:
    assert type(refusal(answer, NOW)) is expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("999999999999999999999999", 3600),
        ("Sat, 12 Dec 2026 09:01:00 GMT", 60),
        ("Sat, 12 Dec 2026 09:01:00", 60),
        ("Sat, 12 Dec 2026 08:00:00 GMT", 0),
        ("Sun, 13 Dec 2026 09:00:00 GMT", 3600),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
        ("٣", 0),
    ],
)
def test_a_pause_is_taken_in_both_forms_and_at_most_an_hour(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("offset", [timedelta(hours=3), timedelta(days=-3650)])
def test_a_wrong_clock_is_learnt_from_the_server(
    client: Client, central: Central, page: Callable[..., ChangesPage], offset: timedelta
) -> None:
    central.clock_offset = offset
    central.pages[""] = page()
    client.changes(None)
    client.changes(None)

    assert central.requests == ["/v1/members/changes"] * 3
    assert abs(client.server_clock.offset - offset) < timedelta(seconds=30)


def test_a_server_that_never_likes_the_time_is_an_alarm(client: Client, central: Central) -> None:
    central.drift = timedelta(hours=1)
    with pytest.raises(NotAuthorised) as refused:
        client.changes(None)
    assert refused.value.why == "clock"


def test_an_address_that_is_not_safe_is_refused(clock: SystemClock) -> None:
    for address in ("http://loyalty.example.org", "ftp://localhost", "loyalty.example.org", ""):
        with pytest.raises(ValueError, match="https"):
            Client(address, clock, make_session())


def test_a_connection_that_the_server_has_closed_is_no_news(
    client: Client, central: Central, page: Callable[..., ChangesPage]
) -> None:
    central.pages[""] = page()
    client.changes(None)
    central.faults = deque(["drop"])

    assert client.changes(None) == page()
    assert central.requests == ["/v1/members/changes"] * 3


def test_a_redirect_is_not_followed(client: Client, central: Central) -> None:
    central.faults = deque(["redirect"])
    with pytest.raises(ServerUnreachable):
        client.changes(None)
    assert central.requests == ["/v1/members/changes"]


def serve(reply: Callable[[BaseHTTPRequestHandler], None], trust: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers every GET like this."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            reply(self)

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if trust:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http{'s' if trust else ''}://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(WAIT)
    server.server_close()


@pytest.fixture
def endless() -> Iterator[str]:
    """Zeros for ever."""

    def pour(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(bytes(1 << 20))

    yield from serve(pour)


def test_a_reply_without_end_is_cut_off(endless: str, identity: Identity, clock: SystemClock) -> None:
    with closing(Client(endless, clock, make_session(), identity)) as client, pytest.raises(ServerUnreachable) as cut:
        client.changes(None)
    assert cut.value.reason == "reply"


@pytest.fixture
def dripping() -> Iterator[str]:
    """A body of which one byte has come, and the next ones come often enough that the silence between is never long."""
    left = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        for _ in range(1000):
            request.wfile.write(b" ")
            if left.wait(0.02):
                return

    for url in serve(drip):
        yield url
        left.set()


def test_a_reply_that_drips_is_cut_off_in_time(dripping: str, identity: Identity, clock: SystemClock) -> None:
    with closing(Client(dripping, clock, make_session(), identity, deadline=0.2)) as client:
        before = clock.monotonic()
        with pytest.raises(ServerUnreachable, match="without end"):
            client.changes(None)
    assert clock.monotonic() - before < 10.0, "the whole would take 20 s"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that nobody but its maker believes, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def safe(certificate: Path, page: Callable[..., ChangesPage]) -> Iterator[str]:
    """An https server with that certificate."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        content = msgspec.json.encode(pack(page(next="from tls")))
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    yield from serve(answer, context)


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(safe: str, identity: Identity, clock: SystemClock) -> None:
    with closing(Client(safe, clock, make_session(), identity)) as client, pytest.raises(ServerUnreachable) as refused:
        client.changes(None)
    assert refused.value.reason == "tls"


def test_a_server_of_a_known_root_is_spoken_to(
    safe: str, identity: Identity, clock: SystemClock, certificate: Path
) -> None:
    trust = ssl.create_default_context(cafile=str(certificate))
    with closing(Client(safe, clock, make_session(trust), identity)) as client:
        assert client.changes(None).next == "from tls"


def test_keys_are_not_in_what_is_printed(identity: Identity) -> None:
    assert "t" * 32 not in repr(identity)
    assert repr(identity.private_key) not in repr(identity)
