"""The kill switch: the server stops the payment with points at a till, over its restarts, and allows it again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.config import Server
from agent.identity import Identity, save
from agent.redemption import Redemption
from agent.situation import Situation
from agent.status import Status
from agent.sync_wiring import SyncParts, make_sync
from loyalty.engine import quote
from loyalty.programme import load
from loyalty.quote import Basket, Line, MemberState, Quote
from offline_queue import Reader, Replica

if TYPE_CHECKING:
    from tests.agent.sync.central import Central
    from tests.agent.sync.conftest import Store

During = Callable[[Callable[[threading.Event], None]], AbstractContextManager[threading.Event]]
PROGRAMME = load(
    """
[programme]
id = "club"
revision = 1
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 1000
[redeem]
cap_bp = 5000
""",
    "toml",
)


def offered(situation: Situation) -> tuple[int, int]:
    """What a member with points may pay with them on a receipt of 100.00 at this till, and what he earns."""
    programme = situation.facts().programme
    assert programme is not None
    now = datetime.now(UTC)
    basket = Basket((Line(sum=10000, categories=()),))
    said = quote(programme, MemberState(balance=500, as_of=now), basket, now, 0, offline=False)
    assert isinstance(said, Quote)
    return said.max_redeem, said.earned


def shows(status: Status, state: str, beginning: str) -> bool:
    """Wait until the board says so of the kill switch."""
    end, pause = SystemClock().monotonic() + 20, threading.Event()
    while SystemClock().monotonic() < end:
        if any(
            (each.name, each.state) == ("redemption", state) and each.text["en"].startswith(beginning)
            for each in status.snapshot()
        ):
            return True
        pause.wait(0.01)
    return False


@pytest.fixture
def parts(tmp_path: Path, store: Store, address: str, identity: Identity, status: Status) -> Callable[[], SyncParts]:
    """The agent's parts as they are after a start; the folder stays."""
    save(tmp_path, identity)

    def start() -> SyncParts:
        replica = Replica(tmp_path / "members.db")
        situation = Situation(replica, identity)
        situation.on_programme(PROGRAMME)
        return SyncParts(
            server=Server(url=address, sync_seconds=1),
            folder=tmp_path,
            clock=SystemClock(),
            queue=store.queue,
            open_reader=lambda: Reader(store.path),
            replica=replica,
            situation=situation,
            status=status,
        )

    return start


def test_stopped_by_a_heartbeat_kept_over_a_restart_and_allowed_again(
    parts: Callable[[], SyncParts], central: Central, status: Status, during: During, tmp_path: Path
) -> None:
    central.commands = ("stop_redemption",)
    first = parts()
    before = offered(first.situation)
    assert before[0] > 0
    with during(make_sync(first).feed.run):
        assert shows(status, "warning", "The server has stopped the payment with points")
    assert offered(first.situation) == (0, before[1]), "it earns as ever"

    second = parts()
    offline = make_sync(second)
    assert offered(second.situation) == (0, before[1]), "before anybody was asked"
    second.situation.on_programme(PROGRAMME)
    assert offered(second.situation) == (0, before[1]), "another revision changes nothing in it"

    central.commands = ()
    with during(offline.feed.run):
        assert shows(status, "ok", "Points can be paid with again")
    assert offered(second.situation) == before
    assert Redemption(tmp_path).allowed


def test_a_disk_that_does_not_take_it_stops_it_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "redemption.stopped.new").mkdir()  # in its way
    switch = Redemption(tmp_path)
    assert switch.said(False)
    assert not switch.allowed
    assert not switch.said(False), "no news"
    assert switch.said(True)
