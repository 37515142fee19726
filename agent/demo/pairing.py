"""How the demo's cash register and cashier page come to their tokens: the ordinary way, by one-time codes."""

from __future__ import annotations

import msgspec
import requests

from agent.api.admin_socket import call
from agent.api.schemas import Paired
from agent.demo.store import TILL, Store


def register_token(store: Store) -> str:
    """Pair the cash register; returns its token."""
    code = _code(store, "pos")["code"]
    reply = requests.post(f"{store.api_url}/v1/pairing", json={"code": code}, timeout=5)
    reply.raise_for_status()
    token = msgspec.json.decode(reply.content, type=Paired).token
    if token is None:
        raise RuntimeError("the agent gave the cash register no token")
    return token


def cashier_page(store: Store) -> str:
    """An address that pairs whoever opens it as the cashier's screen, once."""
    return str(_code(store, "screen")["url"])


def _code(store: Store, holder: str) -> dict[str, object]:
    return call(store.state / "admin.sock", {"do": "pairing_code", "till": TILL, "for": holder})
