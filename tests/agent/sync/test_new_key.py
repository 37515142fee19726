"""A device key that is changed because the server's operator wants it, against the real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import identity as identities
from agent.clock import SystemClock
from agent.config import Server as ServerTable
from agent.identity import Identity
from agent.situation import Situation
from agent.status import Status
from agent.sync import Client, make_session
from agent.sync.errors import NotAuthorised, ServerRejected, ServerUnreachable
from agent.sync.new_key import NewKey
from agent.sync_wiring import SyncParts, make_sync
from loyalty.wire import ClaimRequest, KeyReply
from loyalty_server.app import make_app
from loyalty_server.devices import ask_for_key, claim, new_code, revoke
from loyalty_server.edge import Server, names_of
from loyalty_server.enrolment.sender import ConsoleSender
from loyalty_server.folder import DataFolder
from loyalty_server.keys import Keys, load_keys
from loyalty_server.listener import bind, serve
from loyalty_server.storage.database import Database
from loyalty_server.storage.tables import devices
from offline_queue import Reader, Replica
from tests.rig.sync_world import furnish

if TYPE_CHECKING:
    from tests.agent.sync.conftest import Store

During = Callable[[Callable[[threading.Event], None]], AbstractContextManager[threading.Event]]
CLOCK = SystemClock()


@dataclass
class Shop:
    """A real server in a thread, and one device of it whose identity is kept in a state folder."""

    url: str
    database: Database
    keys: Keys
    folder: Path

    def claimed(self) -> Identity:
        key = identities.new_key()
        with self.database.writing() as tx:
            wish = ClaimRequest(
                code=new_code(tx, "S1", CLOCK.now()), public_key=identities.public_key(key), machine="m", version="1"
            )
            made = identities.from_claim(claim(tx, self.keys, wish, self.url, CLOCK.now()), key, "m")
        identities.save(self.folder, made)
        return made

    def connect(self, device: Identity) -> Client:
        return Client(self.url, CLOCK, make_session(), device)

    def kept(self) -> Identity:
        found = identities.load(self.folder)
        assert found is not None
        return found

    def server_has(self) -> str:
        with self.database.reading() as tx:
            return str(tx.execute(devices.select()).one().public_key)


@pytest.fixture
def shop(tmp_path: Path, during: During) -> Iterator[Shop]:
    folder = tmp_path / "server"
    furnish(folder)
    data = DataFolder(folder)
    listener, ready = bind("127.0.0.1", 0), threading.Event()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    database, keys = Database(data.address), load_keys(data.keys_file)
    app = make_app(Server(database, keys, CLOCK, url, names_of(url)), ConsoleSender(StringIO(), data.codes_file))
    state = tmp_path / "state"
    state.mkdir()
    with during(lambda stop: serve(app, listener, stop, ready.set)):
        assert ready.wait(10)
        yield Shop(url, database, keys, state)
    database.close()


def test_the_feed_changes_the_key_and_goes_on_with_it(shop: Shop, store: Store, status: Status, during: During) -> None:
    old = shop.claimed()
    with shop.database.writing() as tx:
        ask_for_key(tx, old.device, CLOCK.now())
    situation = Situation(Replica(shop.folder / "members.db"), old)
    parts = SyncParts(
        server=ServerTable(url=shop.url, sync_seconds=1),
        folder=shop.folder,
        clock=CLOCK,
        queue=store.queue,
        open_reader=lambda: Reader(store.path),
        replica=Replica(shop.folder / "members.db"),
        situation=situation,
        status=status,
    )
    end, pause = CLOCK.monotonic() + 30, threading.Event()
    with during(make_sync(parts).feed.run):
        while situation.identity in (None, old) and CLOCK.monotonic() < end:
            pause.wait(0.02)
    new = shop.kept()
    assert new == situation.identity
    assert new.private_key != old.private_key
    assert shop.server_has() == identities.public_key(new.private_key)
    assert not (shop.folder / "next.key").exists()
    assert shop.connect(new).programmes("") is not None
    assert shop.connect(old).programmes("") is not None, "for a day"


class Deaf(Client):
    """The reply is lost on its way."""

    def change_key(self, key: bytes) -> KeyReply:
        super().change_key(key)
        raise ServerUnreachable("lost", "network")


@pytest.mark.parametrize("old_key_is_over", [False, True])
def test_a_lost_reply_is_asked_for_again_with_the_same_key(shop: Shop, old_key_is_over: bool) -> None:
    old = shop.claimed()
    deaf = NewKey(shop.folder, lambda device: Deaf(shop.url, CLOCK, make_session(), device))
    with pytest.raises(ServerUnreachable):
        deaf.take(old)
    assert (deaf.begun, shop.kept()) == (True, old)
    if old_key_is_over:
        with shop.database.writing() as tx:
            tx.execute(devices.update().values(old_key_until=CLOCK.now() - timedelta(seconds=1)))
    after_a_restart = NewKey(shop.folder, shop.connect)
    assert after_a_restart.begun
    renewed = after_a_restart.take(old)
    assert shop.kept() == renewed
    assert shop.server_has() == identities.public_key(renewed.private_key)
    assert not after_a_restart.begun


def test_an_epoch_that_was_agreed_meanwhile_stays(shop: Shop) -> None:
    old = shop.claimed()
    identities.update(shop.folder, epoch="another")
    renewed = NewKey(shop.folder, shop.connect).take(old)
    assert (shop.kept().epoch, shop.kept().private_key) == ("another", renewed.private_key)


def test_a_copy_of_the_device_cannot_take_its_place(shop: Shop) -> None:
    old = shop.claimed()
    renewed = NewKey(shop.folder, shop.connect).take(old)
    with pytest.raises(ServerRejected, match="key_old"):
        NewKey(shop.folder, shop.connect).take(old)
    assert not NewKey(shop.folder, shop.connect).begun
    assert shop.kept() == renewed


def test_a_device_that_was_shut_out_keeps_what_it_has(shop: Shop) -> None:
    old = shop.claimed()
    with shop.database.writing() as tx:
        revoke(tx, old.device, CLOCK.now())
    with pytest.raises(NotAuthorised):
        NewKey(shop.folder, shop.connect).take(old)
    assert shop.kept() == old
