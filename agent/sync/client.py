"""The calls of protocol section 1, with typed messages in and typed errors out. One thread, one client.

Each request carries a token signed with the device key, 60 seconds long and bound to the host. It is signed by the
server's clock, which every good answer tells; a server that refuses a token for its time says what time it is, and the
request is signed again.
"""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from urllib3.exceptions import HTTPError, ProtocolError

from agent.clock import Clock
from agent.identity import Identity, public_key
from agent.sync.errors import NotAuthorised, Reason, ServerUnreachable
from agent.sync.replies import Answer, clock_of, date_of, page, read, refusal
from agent.sync.server_clock import ServerClock
from loyalty.jws import sign_request
from loyalty.wire import (
    ChangesPage,
    ClaimReply,
    ClaimRequest,
    EpochReply,
    EpochRequest,
    EventBatch,
    EventReply,
    Heartbeat,
    HeartbeatReply,
    Hold,
    HoldRequest,
    KeyReply,
    KeyRequest,
    MemberSearch,
    MemberSearchReply,
    Programmes,
)

TIMEOUTS = (5.0, 30.0)
"""Seconds to connect, and of silence while reading."""
DEADLINE = 120.0
"""Seconds that one reply may take in all."""
LARGEST_REPLY = 32 << 20
"""Bytes, unpacked."""

_CHUNK = 1 << 16
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OUT_OF_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_PORTS = {"http": 80, "https": 443}

T = TypeVar("T")


class _HungUp(ServerUnreachable):
    """The connection was closed before the whole reply was there."""


class Client:
    """Speaks to one server as one device; without an identity it can only claim one."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        session: requests.Session,
        identity: Identity | None = None,
        server_clock: ServerClock | None = None,
        timeouts: tuple[float, float] = TIMEOUTS,
        deadline: float = DEADLINE,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._host = _host(base_url)
        self._clock = clock
        self._session = session
        self._identity = identity
        self._timeouts = timeouts
        self._deadline = deadline
        self.server_clock = server_clock or ServerClock(clock)
        """The server's time, as far as it is known."""

    def close(self) -> None:
        """Drop the connection."""
        self._session.close()

    def claim(self, request: ClaimRequest) -> ClaimReply:
        """Become a device. Raises ServerUnreachable, ServerBusy, NotAuthorised, ServerRejected, as every call does."""
        return read(self._call("POST", "/v1/devices", body=msgspec.json.encode(request)), ClaimReply)

    def open_epoch(self, wish: EpochRequest) -> EpochReply:
        """Let the queue go on under a new epoch. Raises EpochTaken too."""
        return read(self._call("POST", "/v1/devices/epochs", body=msgspec.json.encode(wish)), EpochReply)

    def programmes(self, known: str) -> tuple[Programmes, str] | None:
        """The signed programmes with their ETag; None = still those that go with the ETag `known`."""
        answer = self._call("GET", "/v1/programme", headers={"If-None-Match": known} if known else {})
        if answer.status == 304:
            return None
        return read(answer, Programmes), answer.headers.get("etag", "")

    def changes(self, since: str | None, epoch: str = "") -> ChangesPage:
        """The next page of the members' feed; None = from nothing. `epoch`: of our rows now. Raises Gone too."""
        asked = {name: value for name, value in (("since", since), ("epoch", epoch)) if value}
        return page(self._call("GET", "/v1/members/changes", params=asked))

    def events(self, batch: EventBatch) -> EventReply:
        """Deliver rows. Raises Gap, Fork, EpochUnknown and TooLarge too."""
        packed = gzip.compress(msgspec.json.encode(batch), compresslevel=1, mtime=0)
        return read(self._call("POST", "/v1/events", body=packed, headers={"Content-Encoding": "gzip"}), EventReply)

    def change_key(self, key: bytes) -> KeyReply:
        """Go on with this private key; a client of the present identity asks. The same key may be sent again."""
        device = "" if self._identity is None else self._identity.device
        proof = sign_request(key, device, self._host, self.server_clock.now())
        wish = KeyRequest(public_key=public_key(key), proof=proof)
        return read(self._call("PUT", "/v1/devices/me/key", body=msgspec.json.encode(wish)), KeyReply)

    def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        """Say how this device is."""
        reply = read(self._call("POST", "/v1/heartbeat", body=msgspec.json.encode(heartbeat)), HeartbeatReply)
        self.server_clock.learn(reply.at)
        return reply

    def search(self, wish: MemberSearch) -> MemberSearchReply:
        """Who holds a card or a telephone, which go in the body and nowhere else."""
        return read(self._call("POST", "/v1/members/search", body=msgspec.json.encode(wish)), MemberSearchReply)

    def hold(self, name: str, wish: HoldRequest) -> Hold:
        """Reserve points for an open receipt, under our own id. Raises ServerRejected with what can be held at most."""
        return read(self._call("PUT", f"/v1/holds/{name}", body=msgspec.json.encode(wish)), Hold)

    def release(self, name: str) -> None:
        """Let a hold be over, whether it is there or not."""
        self._call("DELETE", f"/v1/holds/{name}")

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """A successful answer (2xx or 304), asked for a second time only when the clocks turn out to differ."""
        for _ in range(2):
            request = requests.Request(method, self._base + path, params=params, data=body, headers=self._headers(body))
            request.headers.update(headers or {})
            answer = self._send(request)
            server_time = clock_of(answer)
            if server_time is None or self._identity is None:
                break
            self.server_clock.learn(server_time)
        else:
            raise NotAuthorised("the server does not accept its own time", "clock")
        if answer.status in (200, 201, 304):
            date = date_of(answer)
            if date is not None:
                self.server_clock.hint(date)
            return answer
        raise refusal(answer, self.server_clock.now())

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._identity is not None:
            now = self.server_clock.now()
            token = sign_request(self._identity.private_key, self._identity.device, self._host, now)
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _send(self, request: requests.Request) -> Answer:
        """Send; once more at once where the server hung up, as it does with a connection that was idle for long.

        Every call of the protocol may be repeated, so it does not matter whether it was heard the first time.
        """
        try:
            return self._send_once(request)
        except _HungUp:
            return self._send_once(request)

    def _send_once(self, request: requests.Request) -> Answer:
        prepared = self._session.prepare_request(request)
        try:
            with self._session.send(prepared, timeout=self._timeouts, stream=True, allow_redirects=False) as response:
                body = self._body(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, body)
        except requests.exceptions.SSLError as error:
            reason: Reason = "tls_time" if _by_time(error) else "tls"
            raise ServerUnreachable(f"the connection is not safe: {error}", reason) from error
        except (requests.exceptions.RequestException, HTTPError) as error:
            hung_up = any(isinstance(cause, ProtocolError) for cause in (error, *error.args))
            raise (_HungUp if hung_up else ServerUnreachable)(f"{type(error).__name__}: {error}", "network") from error

    def _body(self, response: requests.Response) -> bytes:
        deadline = self._clock.monotonic() + self._deadline
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):  # what is there: `read` waits for all of it
            body += chunk
            if len(body) > LARGEST_REPLY or self._clock.monotonic() > deadline:
                raise ServerUnreachable(f"a reply without end: {len(body)} bytes so far", "reply")
        return bytes(body)


def _by_time(error: BaseException) -> bool:
    """Whether a certificate is refused because it is not valid yet or any more: then a clock may be wrong."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _OUT_OF_TIME:
            return True
        reasons = [each for each in cause.args if isinstance(each, BaseException)]
        inner = getattr(cause, "reason", None)
        cause = inner if isinstance(inner, BaseException) else reasons[0] if reasons else cause.__cause__
    return False


def _host(base_url: str) -> str:
    """The Host header of our requests, which tokens are bound to. Raises ValueError for an address that is not safe."""
    parts = urlsplit(base_url)
    name = (parts.hostname or "").lower()
    if not name or parts.scheme not in _PORTS or (parts.scheme == "http" and name not in _LOOPBACK):
        raise ValueError(f"{base_url}: must be https://HOST, or http on this machine")
    host = f"[{name}]" if ":" in name else name
    return host if parts.port in (None, _PORTS[parts.scheme]) else f"{host}:{parts.port}"
