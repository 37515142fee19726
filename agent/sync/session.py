"""The HTTP session of one sync thread: no environment, no redirects, and the operating system's own roots of trust."""

from __future__ import annotations

import ssl
from typing import Any

import requests
import truststore
from requests.adapters import HTTPAdapter

from agent import __version__


def make_session(trust: ssl.SSLContext | None = None) -> requests.Session:
    """A session that believes whom the system believes, or whom `trust` says."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.headers["User-Agent"] = f"tillmate/{__version__}"
    session.mount("https://", _SystemTrust(trust or truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)))
    return session


class _SystemTrust(HTTPAdapter):
    """Verifies with one TLS context, without the roots that requests carries along."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on as they come
        super().init_poolmanager(*args, **options, ssl_context=self._trust)

    def cert_verify(self, conn: Any, *_: object) -> None:  # noqa: ANN401 - urllib3's, untyped
        conn.cert_reqs = "CERT_REQUIRED"  # by the context alone, which holds the roots
