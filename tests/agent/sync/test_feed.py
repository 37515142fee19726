"""The feed: claimed once, programme and members kept up to date, and everything kept that is needed offline."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import identity as identities
from agent.clock import SystemClock
from agent.identity import Identity
from agent.sync import Claimant, Client, Feed, Listeners, Patience, Report, make_session
from agent.sync.retry import Bell
from loyalty.codes import ident
from loyalty.programme import Programme
from loyalty.quote import MemberState
from loyalty.wire import ChangesPage, Heartbeat, HeartbeatReply, MemberChange, Programmes
from offline_queue import Reader, Replica, ReplicaReader

if TYPE_CHECKING:
    from tests.agent.sync.central import Central
    from tests.agent.sync.conftest import Store, Watch

WAIT = 20.0
IDENT_KEY = b"i" * 32
During = Callable[[Callable[[threading.Event], None]], AbstractContextManager[threading.Event]]
Page = Callable[..., ChangesPage]


def member(number: int, balance: int) -> MemberChange:
    key = ident(IDENT_KEY, f"card-{number}")
    return MemberChange(member=f"m-{number}", idents=(key,), state=MemberState(balance=balance))


def balance(replica: Replica, number: int) -> int | None:
    found = ReplicaReader(replica, IDENT_KEY).find(f"card-{number}")
    return found.state.balance if found else None


class Rig:
    """Makes feeds that share a state folder, and hears what they tell."""

    def __init__(self, folder: Path, store: Store, address: str, report: Report) -> None:
        self.folder = folder
        self.store = store
        self.address = address
        self.report = report
        self.clock = SystemClock()
        self.replica = Replica(folder / "members.db")
        self.claimed: list[Identity] = []
        self.revisions: list[int] = []
        self.balances: list[int | None] = []  # of the first member, each time that there was news of members
        self.replies: list[tuple[Heartbeat, HeartbeatReply]] = []
        self.changed = threading.Condition()

    def heard(self, identity: Identity | None = None, programme: Programme | None = None) -> None:
        with self.changed:
            self.claimed += [identity] if identity else []
            self.revisions += [programme.header.revision] if programme else []
            self.changed.notify_all()

    def until(self, done: Callable[[Rig], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: done(self), WAIT), (self.claimed, self.revisions)

    def feed(self, identity: Identity | None, code: str = "CODE") -> Feed:
        return Feed(
            folder=self.folder,
            claimant=Claimant(
                folder=self.folder,
                code=code,
                server=Client(self.address, self.clock, make_session()),
                writer=self.store.queue,
            ),
            replica=self.replica,
            open_reader=lambda: Reader(self.store.path),
            connect=lambda known: Client(self.address, self.clock, make_session(), known),
            listeners=Listeners(
                on_claimed=lambda identity: self.heard(identity=identity),
                on_programme=lambda programme: self.heard(programme=programme),
                on_members=lambda: self.balances.append(balance(self.replica, 1)),
                on_heartbeat=lambda beat, reply: self.replies.append((beat, reply)),
                health=lambda: {"counter": "ok"},
            ),
            report=self.report,
            clock=self.clock,
            patience=Patience(Bell(self.clock), first=0.005, longest=0.02),
            every=0.02,
            identity=identity,
        )


@pytest.fixture
def rig(tmp_path: Path, store: Store, address: str, report: Report) -> Rig:
    return Rig(tmp_path, store, address, report)


def rounds(central: Central, count: int) -> None:
    """Wait for so many more rounds of the feed."""
    seen = central.requests.count("/v1/members/changes")
    central.until(lambda server: server.requests.count("/v1/members/changes") >= seen + count)


def test_a_claim_makes_an_identity_and_begins_the_queue(rig: Rig, central: Central, during: During, page: Page) -> None:
    central.epoch = "epoch-9"
    central.pages = {"": page()}
    with during(rig.feed(None).run):
        rig.until(lambda it: bool(it.claimed))
        rounds(central, 1)

    (claimed,) = rig.claimed
    assert identities.load(rig.folder) == claimed
    assert rig.store.reader.depth().epoch == claimed.epoch == "epoch-9"
    assert not (rig.folder / "claim.key").exists()
    assert central.requests.count("/v1/devices") == 1


@pytest.mark.parametrize("fault", ["drop", "half", "502 after", "refuse", "html"])
def test_a_lost_reply_to_the_claim_is_asked_for_again_with_the_same_key(
    rig: Rig, central: Central, during: During, page: Page, fault: str
) -> None:
    central.faults = deque([fault, fault])
    central.pages = {"": page()}
    with during(rig.feed(None).run):
        rig.until(lambda it: bool(it.claimed))

    assert central.requests.count("/v1/devices") == 3
    assert len({claim.public_key for claim in central.claims}) == 1
    assert len({claim.machine for claim in central.claims}) == 1


def test_an_agent_that_died_in_the_claim_goes_on_with_the_same_key(
    rig: Rig, central: Central, during: During, page: Page
) -> None:
    central.faults = deque(["drop"] * 1000)
    with during(rig.feed(None).run):
        central.until(lambda seen: len(seen.claims) >= 2)
    central.faults.clear()
    central.pages = {"": page()}
    with during(rig.feed(None).run):
        rig.until(lambda it: bool(it.claimed))

    assert len({claim.public_key for claim in central.claims}) == 1


def test_a_claim_that_is_kept_already_is_not_made_again(rig: Rig, central: Central, during: During, page: Page) -> None:
    central.pages = {"": page()}
    for _ in range(2):  # the second feed is one that died before it could tell anybody
        with during(rig.feed(None).run):
            rounds(central, 1)

    assert rig.claimed[0] == rig.claimed[1]
    assert len(central.claims) == 1


def test_a_wrong_code_is_said_and_tried_for_ever(
    rig: Rig, central: Central, during: During, page: Page, watch: Watch
) -> None:
    central.code = "another"
    central.pages = {"": page()}
    with during(rig.feed(None).run):
        watch.until("network", "The server does not accept this till (claim_code_unknown)")
        central.code = "CODE"
        rig.until(lambda it: bool(it.claimed))


def test_a_queue_of_another_epoch_is_not_taken_over(rig: Rig, central: Central, during: During, watch: Watch) -> None:
    rig.store.sell(1)
    central.epoch = "epoch-9"
    with during(rig.feed(None).run):
        central.until(lambda seen: len(seen.claims) >= 3)
        watch.until("network", "The queue file is not of this registration")

    assert rig.claimed == []
    assert identities.load(rig.folder) is None
    assert rig.store.reader.depth().epoch == "epoch-1"


def test_without_a_code_the_till_says_so_and_waits(rig: Rig, central: Central, during: During, watch: Watch) -> None:
    with during(rig.feed(None, code=" ").run):
        watch.until("network", "This till is not registered")
    assert central.requests == []


def test_members_come_page_by_page_and_stay_up_to_date(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page
) -> None:
    central.faults = deque(["", "half", "500", "", "drop", ""])
    central.spoil = "/v1/members"
    central.pages = {
        "": page(member(1, 100), member(2, 200), next="a", complete=False),
        "a": page(member(3, 300), next="b", seq=4),
        "b": page(next="b", seq=4),
    }
    with during(rig.feed(identity).run):
        rounds(central, 9)
        assert [balance(rig.replica, number) for number in (1, 2, 3)] == [100, 200, 300]
        central.pages["b"] = page(member(1, 150), MemberChange(member="m-2"), next="c", seq=5)
        central.pages["c"] = page(next="c", seq=5)
        rounds(central, 3)

    assert [balance(rig.replica, number) for number in (1, 2, 3)] == [150, None, 300]
    assert (rig.balances[0], rig.balances[-1]) == (100, 150)  # who is told of a page finds it there
    assert len(rig.balances) == central.requests.count("/v1/members/changes") - 3  # three requests failed
    assert rig.replica.reader(IDENT_KEY).includes.seq == 5


def test_a_restored_server_is_read_anew_while_the_old_replica_answers(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page
) -> None:
    central.pages = {"": page(member(1, 100), member(2, 200), next="a"), "a": page(next="a")}
    with during(rig.feed(identity).run):
        rounds(central, 2)
        central.pages = {"": page(member(1, 90), next="x", complete=False)}  # "x" is not ready: 410 again and again
        rounds(central, 6)
        assert [balance(rig.replica, number) for number in (1, 2)] == [100, 200]
        central.pages["x"] = page(next="y")
        central.pages["y"] = page(next="y")
        rounds(central, 4)

    assert [balance(rig.replica, number) for number in (1, 2)] == [90, None]


def test_a_damaged_replica_is_fetched_again(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page
) -> None:
    central.pages = {"": page(member(1, 100), next="a"), "a": page(next="a")}
    with during(rig.feed(identity).run):
        rounds(central, 2)
    rig.replica.path.write_bytes(b"\xa5" * 20_000)
    with during(rig.feed(identity).run):
        rounds(central, 2)

    assert balance(rig.replica, 1) == 100
    assert list(rig.folder.glob("members.db.damaged-*"))


def test_a_page_that_leads_back_to_itself_is_no_answer(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, watch: Watch
) -> None:
    central.pages = {"": page(next="a", complete=False), "a": page(next="a", complete=False)}
    with during(rig.feed(identity).run):
        watch.until("network", "No connection since ")


def test_a_new_programme_is_told_once_and_kept_for_an_offline_start(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, signed: Callable[..., str]
) -> None:
    central.pages = {"": page(next="a"), "a": page(next="a")}
    central.programmes = Programmes(signed(3))
    with during(rig.feed(identity).run):
        rounds(central, 3)
        central.programmes = Programmes(signed(4))
        rig.until(lambda it: it.revisions == [3, 4])
        rounds(central, 2)
    assert rig.revisions == [3, 4]

    central.faults = deque(["refuse"] * 100_000)
    with during(rig.feed(identity).run):
        rig.until(lambda it: it.revisions == [3, 4, 4])


def test_a_programme_that_the_disk_does_not_take_is_in_force_and_asked_for_again(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, signed: Callable[..., str], watch: Watch
) -> None:
    central.pages = {"": page(next="a"), "a": page(next="a")}
    central.programmes = Programmes(signed(3))
    in_the_way = rig.folder / "programme.jws.new"
    in_the_way.mkdir()
    with during(rig.feed(identity).run):
        watch.until("queue", "The disk is full")
        rig.until(lambda it: it.revisions == [3])
        in_the_way.rmdir()
        watch.until("queue", "Everything is sent")
        rig.until(lambda it: (it.folder / "programme.jws").exists())


@pytest.mark.parametrize("kept", [b"", b"{}", b"\xff", b'{"current":"a.b.c"}'])
def test_a_kept_programme_that_cannot_be_read_is_fetched_again(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, signed: Callable[..., str], kept: bytes
) -> None:
    (rig.folder / "programme.jws").write_bytes(kept)
    central.pages = {"": page(next="a"), "a": page(next="a")}
    central.programmes = Programmes(signed(3))
    with during(rig.feed(identity).run):
        rig.until(lambda it: it.revisions == [3])


def test_an_older_programme_is_not_taken(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, signed: Callable[..., str], watch: Watch
) -> None:
    central.pages = {"": page(next="a"), "a": page(next="a")}
    central.programmes = Programmes(signed(3))
    with during(rig.feed(identity).run):
        rig.until(lambda it: it.revisions == [3])
        central.programmes = Programmes(signed(2))
        watch.until("programme", "The new programme was not taken (old_revision)")
        rounds(central, 2)
    assert rig.revisions == [3]
    with during(rig.feed(identity).run):
        rig.until(lambda it: it.revisions == [3, 3])


def test_a_programme_with_a_foreign_signature_is_not_taken(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, signed: Callable[..., str], watch: Watch
) -> None:
    central.pages = {"": page(next="a"), "a": page(next="a")}
    good = signed(3)
    central.programmes = Programmes(good[:-8] + ("AAAAAAAA" if good[-8:] != "AAAAAAAA" else "BBBBBBBB"))
    with during(rig.feed(identity).run):
        watch.until("programme", "The new programme was not taken (bad_signature)")
    assert rig.revisions == []
    assert not (rig.folder / "programme.jws").exists()


def test_the_next_programme_steps_in_by_itself_offline(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, signed: Callable[..., str]
) -> None:
    central.pages = {"": page(next="a"), "a": page(next="a")}
    soon = datetime.now(UTC) + timedelta(seconds=1)
    central.programmes = Programmes(signed(3), signed(4, soon.isoformat()))
    with during(rig.feed(identity).run):
        rig.until(lambda it: it.revisions == [3])
        central.faults = deque(["refuse"] * 100_000)
        rig.until(lambda it: it.revisions == [3, 4])


def test_a_server_without_a_programme_still_brings_members(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, watch: Watch
) -> None:
    central.pages = {"": page(member(1, 100), next="a"), "a": page(next="a")}
    with during(rig.feed(identity).run):
        rounds(central, 2)
    assert balance(rig.replica, 1) == 100
    assert watch.now("programme") == ("warning", "There is no loyalty programme yet, waiting for the server.")


def test_the_heartbeat_says_where_the_queue_stands(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page
) -> None:
    rig.store.sell(2)
    central.pages = {"": page(next="a"), "a": page(next="a")}
    central.commands = ("fetch_programme", "a command of tomorrow")
    with during(rig.feed(identity).run):
        rounds(central, 3)

    (beat,) = central.heartbeats
    depth = rig.store.reader.depth()
    assert (beat.epoch, beat.last_seq, beat.pending, beat.last_hash) == ("epoch-1", 2, 2, depth.last_hash.hex())
    assert beat.devices == {"counter": "ok"}


def test_a_till_comes_back_from_a_day_offline_at_once(
    rig: Rig, central: Central, during: During, identity: Identity, page: Page, watch: Watch, report: Report
) -> None:
    woken = threading.Event()
    report.when_recovered(lambda _: woken.set())
    central.pages = {"": page(member(1, 100), next="a"), "a": page(next="a")}
    central.faults = deque(["refuse"] * 3)
    with during(rig.feed(identity).run):
        watch.until("network", "Connected.")
        assert woken.wait(WAIT)

    assert any(words.startswith("No connection since") for part, words in watch.heard if part == "network")
