"""What the screen says of a member is the truth at any moment: replica and own rows, counted once each.

One till, and whatever happens between it and the server: sales, deliveries with lost replies, the members' feed page by
page, refills that are cut short, restarts, a replica that is lost. The screen must always show all sales of the member.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.sync.turn import Turn
from loyalty.errors import TillmateError
from tests.rig.sync_world import Central, TillFolder, VirtualClock, furnish

CARDS = [f"290000000{number:04d}" for number in range(5)]
LINE = st.lists(st.sampled_from(["", "", "lost", "down"]), max_size=2)
STEP = st.one_of(
    st.tuples(st.just("sell"), st.integers(0, 4)),
    st.tuples(st.just("send"), LINE),
    st.tuples(st.just("page"), LINE),
    st.tuples(st.just("reset"), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("lose replica"), st.just(0)),
    st.tuples(st.just("new epoch"), st.just(0)),
)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    furnish(folder)
    return folder


class World:
    """A till whose replica is complete, with five members on three pages."""

    def __init__(self, furnished: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="replica-"))
        shutil.copytree(furnished, self.folder / "server")
        self.central = Central(self.folder / "server", VirtualClock(), page=2)
        self.members = [self.central.member(card) for card in CARDS]
        self.till = TillFolder(self.folder / "till", lambda: self.central).start()
        self.till.claim(self.central.code())
        assert self.till.feed()
        self.truth = [0] * len(CARDS)
        self.sold = 0

    def close(self) -> None:
        self.till.stop()
        self.central.close()
        shutil.rmtree(self.folder)

    def do(self, what: str, how: object) -> None:
        till = self.till
        match what, how:
            case "sell", int(who):
                self.sold += 1
                till.sell(self.sold, self.members[who], 10)
                self.truth[who] += 10
            case (("send" | "page"), list(line)):
                till.weather.coming = line
                with suppress(TillmateError):
                    till.delivery.step() if what == "send" else till.feed(1)
            case "reset", _:
                till.members.reset()
            case "restart", _:
                till.restart()
            case "lose replica", _:
                self.lose_replica()
            case "new epoch", _:
                self.fork()

    def lose_replica(self) -> None:
        self.till.stop()
        for file in self.till.folder.glob("members.db*"):
            file.unlink()
        self.till.start()

    def fork(self) -> None:
        """Begin a new epoch, as after a fork, once everything is sent."""
        depth = self.till.reader.depth()
        if depth.agreed and not depth.pending:
            turn = Turn(self.till.who, self.till.line, self.till.reader, self.till.queue)
            turn.begin("fork")

    def shown(self) -> list[int | None]:
        return [self.till.shown(card) for card in CARDS]


def test_the_screen_always_tells_the_truth(furnished: Path, size: Callable[[int, int], int]) -> None:
    @settings(max_examples=size(25, 400), deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(STEP, max_size=30))
    def run(steps: list[tuple[str, object]]) -> None:
        world = World(furnished)
        try:
            for what, how in steps:
                world.do(what, how)
                for said, true in zip(world.shown(), world.truth, strict=True):
                    assert said in (true, None), (what, how)
            world.till.weather.coming = []
            while world.till.delivery.step():
                pass
            assert world.till.feed()
            assert world.shown() == world.truth
        finally:
            world.close()

    run()


def test_a_chunk_that_was_cut_short_goes_on_where_it_stood(furnished: Path) -> None:
    world = World(furnished)
    try:
        world.till.members.reset()
        world.till.feed(1)
        world.till.restart()
        calls = world.till.weather.calls
        assert world.till.feed()
        assert world.till.weather.calls - calls == 2, "two pages were left"
        assert world.shown() == [0] * 5
    finally:
        world.close()


def test_a_tombstone_purges_a_member_and_his_cards(furnished: Path) -> None:
    from loyalty_server.storage import tables

    world = World(furnished)
    try:
        with world.central.database.writing() as tx:
            gone = tables.members.update().where(tables.members.c.id == world.members[0])
            tx.execute(gone.values(deleted_at=world.central.clock.now(), change=999))
        assert world.till.feed()
        assert world.shown() == [None, 0, 0, 0, 0]
        content = b"".join(file.read_bytes() for file in world.till.folder.glob("members.db*"))
        assert world.members[0].encode() not in content, "nor is he left in a free page"
    finally:
        world.close()


def test_the_replica_is_rebuilt_from_nothing_while_the_till_sells(furnished: Path) -> None:
    world = World(furnished)
    try:
        world.do("sell", 0)
        world.do("lose replica", 0)
        assert world.shown() == [None] * 5
        world.do("sell", 1)
        world.till.feed(1)
        assert world.shown()[:2] == [10, 10]
        assert world.till.replica.reader(world.till.who.ident_key).age.as_of is None
        while not world.till.feed(1):
            world.do("sell", 2)
        assert world.shown() == world.truth
        assert world.till.replica.reader(world.till.who.ident_key).age.as_of == world.till.clock.now()
    finally:
        world.close()
