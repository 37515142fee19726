"""The sender for real customers: an HTTP gateway (SMS, messenger, flash call) described by a TOML file.

    url = "https://sms.example.org/v1/messages"     # https, or http on this machine alone
    content_type = "application/json"               # or application/x-www-form-urlencoded
    body = '{"to": "{phone}", "text": "{text}"}'    # {phone} +79161234567, {digits} without +, {text}, {code}
    answer_has = '"status":"queued"'                # optional: what a 2xx answer says when the message was taken
    idempotency_header = "Idempotency-Key"          # optional: the gateway takes a message with the same key once
    header = "Authorization"                        # optional: the header that holds the secret
    header_value = "Bearer {secret}"
    secret_file = "gateway.secret"                  # beside this file; or secret_env = "SMS_TOKEN"

A customer waits for his code: an attempt has 3 s to connect and 5 s to answer, and all of them together 12 s. It is tried
again only where the gateway cannot have taken the message (no connection, 429, 503), or always when it knows repetitions
by their key. Redirects are not followed, and neither the secret nor an address or an answer reaches a log.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import threading
import tomllib
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, wait
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_plus, urlsplit

import msgspec
import requests
import truststore
from requests.adapters import HTTPAdapter
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from loyalty_server.enrolment.sender import SendFailed

TIMEOUTS = (3.0, 5.0)
"""Seconds to connect, and of silence while reading."""
ATTEMPTS = 3
LONGEST = 12.0
"""Seconds after which no attempt is begun."""

_LARGEST_ANSWER = 64 << 10
_LOOK = 0.1  # seconds between two looks at the stop
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NOT_TAKEN = (429, 503)
_PLACE = re.compile(r"\{(phone|digits|text|code)\}")


class Gateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file, as it is written."""

    url: str
    body: str
    content_type: Literal["application/json", "application/x-www-form-urlencoded"] = "application/json"
    answer_has: str = ""
    idempotency_header: str = ""
    header: str = ""
    header_value: str = "{secret}"
    secret_file: str = ""
    secret_env: str = ""


class _NotTaken(SendFailed):
    """The gateway has certainly not taken the message."""


class _Unknown(SendFailed):
    """It may have."""


class GatewaySender:
    """Hands codes to a gateway; each message on a connection of its own, because many threads send."""

    def __init__(self, gateway: Gateway, secret: str, stop: threading.Event) -> None:
        self._gateway = gateway
        self._headers = {"Content-Type": f"{gateway.content_type}; charset=utf-8"}
        if gateway.header:
            self._headers[gateway.header] = gateway.header_value.replace("{secret}", secret)
        self._stop = stop

    def send(self, phone: str, code: str, text: str, at: datetime) -> None:
        """Hand it over. Raises SendFailed."""
        del at
        body = _filled(self._gateway, {"phone": phone, "digits": phone.lstrip("+"), "text": text, "code": code})
        headers = dict(self._headers)
        if self._gateway.idempotency_header:
            headers[self._gateway.idempotency_header] = str(uuid.uuid4())
        outcome: Future[None] = Future()
        # In a thread that no stop of the server waits for: what a gateway does not answer cannot be broken off.
        threading.Thread(target=self._deliver, args=(outcome, body, headers), name="gateway", daemon=True).start()
        while not outcome.done():
            wait([outcome], _LOOK)
            if self._stop.is_set() and not outcome.done():
                raise SendFailed("the server stops")
        outcome.result()

    def _deliver(self, outcome: Future[None], body: bytes, headers: Mapping[str, str]) -> None:
        try:
            self._try(body, headers)
        except Exception as error:  # noqa: BLE001 - raised where the message was handed over
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    def _try(self, body: bytes, headers: Mapping[str, str]) -> None:
        again = Retrying(
            retry=retry_if_exception(self._may_repeat),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(LONGEST) | stop_when_event_set(self._stop),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            sleep=sleep_using_event(self._stop),
            retry_error_callback=_last_failure,
        )
        with _session() as http:
            again(self._attempt, http, body, headers)

    def _may_repeat(self, error: BaseException) -> bool:
        return isinstance(error, _NotTaken) or (isinstance(error, _Unknown) and bool(self._gateway.idempotency_header))

    def _attempt(self, http: requests.Session, body: bytes, headers: Mapping[str, str]) -> None:
        try:
            with http.post(
                self._gateway.url, data=body, headers=headers, timeout=TIMEOUTS, stream=True, allow_redirects=False
            ) as answer:
                self._judge(answer)
        except requests.exceptions.ConnectTimeout as error:
            raise _NotTaken("no connection in time") from error
        except requests.exceptions.ConnectionError as error:
            kind = _NotTaken if "NewConnectionError" in repr(error.args) else _Unknown
            raise kind("the connection failed") from error
        except requests.exceptions.RequestException as error:
            raise _Unknown(type(error).__name__) from error

    def _judge(self, answer: requests.Response) -> None:
        if answer.status_code in _NOT_TAKEN:
            raise _NotTaken(f"status {answer.status_code}")
        if answer.status_code >= 500:
            raise _Unknown(f"status {answer.status_code}")
        if not 200 <= answer.status_code < 300:
            raise SendFailed(f"status {answer.status_code}")
        if self._gateway.answer_has and self._gateway.answer_has not in _text(answer):
            raise SendFailed("the answer does not say that the message was taken")


def load_gateway(file: Path, stop: threading.Event, environment: Mapping[str, str] = os.environ) -> GatewaySender:
    """Read the file and its secret. Raises ValueError or OSError; the messages name no secret."""
    try:
        gateway = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Gateway)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name}: {error}") from error
    _check(gateway, file.name)
    return GatewaySender(gateway, _secret(gateway, file, environment), stop)


def _check(gateway: Gateway, name: str) -> None:
    parts = urlsplit(gateway.url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname:
        raise ValueError(f"{name}: url must be https, or http on this machine alone")
    if bool(gateway.header) != bool(gateway.secret_file or gateway.secret_env):
        raise ValueError(f"{name}: header and one of secret_file, secret_env belong together")
    places = set(_PLACE.findall(gateway.body))
    if not (places & {"phone", "digits"} and places & {"text", "code"}):
        raise ValueError(f"{name}: body must hold {{phone}} or {{digits}}, and {{text}} or {{code}}")
    if gateway.content_type == "application/json":
        try:
            json.loads(_filled(gateway, dict.fromkeys(("phone", "digits", "text", "code"), "1")))
        except ValueError as error:
            raise ValueError(f"{name}: body is not JSON: {error}") from error


def _secret(gateway: Gateway, file: Path, environment: Mapping[str, str]) -> str:
    if gateway.secret_file and gateway.secret_env:
        raise ValueError(f"{file.name}: either secret_file or secret_env")
    if gateway.secret_env:
        secret = environment.get(gateway.secret_env, "")
    else:
        secret = (file.parent / gateway.secret_file).read_text(encoding="ascii").strip() if gateway.secret_file else ""
    if gateway.header and not (secret and secret.isascii() and secret.isprintable()):
        raise ValueError(f"{file.name}: the secret is empty, or cannot stand in a header")
    return secret


def _filled(gateway: Gateway, values: Mapping[str, str]) -> bytes:
    """The body, each value written as the content type asks."""

    def written(found: re.Match[str]) -> str:
        value = values[found[1]]
        return json.dumps(value)[1:-1] if gateway.content_type == "application/json" else quote_plus(value)

    return _PLACE.sub(written, gateway.body).encode()


def _text(answer: requests.Response) -> str:
    body = bytearray()
    for chunk in answer.iter_content(4096):
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise _Unknown("an answer without end")
    return body.decode("utf-8", "replace")


def _last_failure(state: RetryCallState) -> None:
    if state.outcome is not None:
        state.outcome.result()


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = f"tillmate-server/{version('tillmate')}"
    session.mount("https://", _SystemTrust())
    return session


class _SystemTrust(HTTPAdapter):
    """Verifies by the roots of the operating system."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on as they come
        super().init_poolmanager(*args, **options, ssl_context=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def cert_verify(self, conn: Any, *_: object) -> None:  # noqa: ANN401 - urllib3's, untyped
        conn.cert_reqs = "CERT_REQUIRED"  # by the context alone, which holds the roots
