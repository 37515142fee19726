"""Real processes, a real server, and a damaged file between two starts of the agent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from agent.demo.pairing import register_token
from agent.demo.processes import free_port
from agent.demo.screen import Screen
from agent.demo.store import CARDS, TILL, Store

PATIENCE = 15.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path, "en", free_port(0))
    try:
        made.open(lambda _: None)
        yield made
    finally:
        made.close()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline, tick = monotonic() + PATIENCE, threading.Event()
    while not condition():
        assert monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        tick.wait(0.1)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("file", ["members.db", "programme.jws"])
def test_what_the_server_can_give_again_is_fetched_again(store: Store, file: str) -> None:
    screen = Screen(store.api_url, TILL, register_token(store))
    screen.start()
    card, balance = next(iter(CARDS.items()))

    def known() -> bool:
        """Whether a scan shows the member and what he has."""
        until(lambda: store.agent_listens, "the agent has the scanner open")
        store.scan(card)
        return screen.wait_for(lambda it: it.view is not None and it.view.balance == balance, 1.0)

    until(known, "the member is known")
    store.stop_agent()
    screen.view = None
    spoiled = store.state / file
    spoiled.write_bytes(b"\xa5" * spoiled.stat().st_size)
    store.start_agent()
    until(known, f"the member is known again in spite of a damaged {file}")
    part = screen.part("programme")
    assert part is not None
    assert part.state == "ok"
    assert bool(list(store.state.glob("members.db.damaged-*"))) == (file == "members.db")
    screen.stop()
