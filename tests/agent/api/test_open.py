"""`tillmate open` against a running agent's socket: what it prints pairs the cashier page, or the cash register."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agent.api.admin_socket import AdminSocket, commands
from agent.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Shop

CONFIG = """
language = "en"
[state]
folder = "{folder}"
[server]
url = "https://loyalty.example.org"
[[till]]
id = "1"
[[till]]
id = "2"
"""


@pytest.fixture
def tillmate_open(tmp_path: Path, shop: Shop) -> Iterator[Callable[..., str]]:
    """What `tillmate open` prints."""
    config, stop = tmp_path / "config.toml", threading.Event()
    config.write_text(CONFIG.format(folder=tmp_path))
    admin = AdminSocket(tmp_path / "admin.sock", commands(shop.backend, shop.port))
    admin.bind()
    thread = threading.Thread(target=admin.run, args=(stop,), daemon=True)
    thread.start()

    def run(*words: str) -> str:
        done = CliRunner().invoke(main, ["--config", str(config), "open", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    yield run
    stop.set()
    thread.join(3)
    assert not thread.is_alive()


def test_a_page_gets_an_address(tillmate_open: Callable[..., str], shop: Shop) -> None:
    address, _, code = tillmate_open("--print").strip().partition("#")
    assert address == f"{shop.address}/pair"
    reply = shop.ask("POST", "/v1/pairing", {"code": code}, token=None)
    assert json.loads(reply.body) == {"till": "1", "scopes": ["scan"], "token": None}


@pytest.mark.parametrize("words", [(), ("--print",)])
def test_a_cash_register_gets_a_code_and_nothing_else(
    tillmate_open: Callable[..., str], shop: Shop, words: tuple[str, ...]
) -> None:
    """No address: a page that paid with the code would throw the token away."""
    code = tillmate_open("--for", "pos", "--till", "2", *words)
    reply = json.loads(shop.ask("POST", "/v1/pairing", {"code": code.strip()}, token=None).body)
    assert (reply["till"], reply["scopes"]) == ("2", ["scan", "sale", "print"])
    assert shop.ask("DELETE", "/v1/tills/1/basket", token=reply["token"]).code == "other_till"
