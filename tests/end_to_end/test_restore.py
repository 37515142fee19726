"""The server put back to an hour ago, a till put back to yesterday: the ledger is complete all the same, nothing is doubled.

On SQLite and on PostgreSQL, whose backups are those that docs/server.md names. Real queue files and the real sync core on
the tills' side, the real server's code on the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url

from agent.sync.turn import PAUSE
from loyalty.errors import TillmateError
from loyalty_server.folder import DataFolder
from tests.rig.postgresql import PostgreSql
from tests.rig.sync_world import Backup, Central, FileBackup, TillFolder, VirtualClock, furnish, spread

CARDS = ("2900000000018", "2900000000025")
ROUNDS = 10


@dataclass
class Dump:
    """As the documentation says for PostgreSQL."""

    server: PostgreSql

    def take(self, folder: DataFolder) -> None:
        self.server.dump(self._name(folder), folder.path / "backup.dump")

    def put_back(self, folder: DataFolder) -> None:
        self.server.put_back(self._name(folder), folder.path / "backup.dump")

    def _name(self, folder: DataFolder) -> str:
        return str(make_url(folder.address).database)


@dataclass
class World:
    """A server and its tills; `due` = receipt -> member (None = nobody) and points, of all that must be booked."""

    central: Central
    folder: Path
    members: list[str]
    tills: list[TillFolder] = field(default_factory=list)
    due: dict[str, tuple[str | None, int]] = field(default_factory=dict)

    def open_till(self) -> TillFolder:
        place = len(self.tills)
        made = TillFolder(self.folder / f"till-{place}", lambda: self.central, till=str(place + 1)).start()
        made.claim(self.central.code())
        self.tills.append(made)
        return made

    def sell(self, till: TillFolder, member: str | None, points: int) -> None:
        number = len(self.due) + 1
        till.sell(number, member, points)
        self.due[f"{till.till}/{number}"] = (member, points)

    def pass_time(self, **step: float) -> None:
        for clock in (self.central.clock, *(till.clock for till in self.tills)):
            clock.advance(**step)

    def settle(self) -> None:
        """Everybody beats and delivers, a minute a round, until nothing waits."""
        for _ in range(ROUNDS):
            self.pass_time(minutes=1)
            for till in self.tills:
                till.weather.coming = []
                try_to(till.beat)
                try_to(lambda till=till: deliver(till))
        for till in self.tills:
            depth = till.reader.depth()
            assert (depth.pending, depth.undelivered, depth.rejected, depth.agreed) == (0, 0, 0, 1), depth

    def judge(self) -> None:
        """What is booked is what is due, and everybody shows it."""
        assert self.central.receipts() == {number: points for number, (_, points) in self.due.items()}
        self.central.check_numbers()
        balances = {name: sum(points for who, points in self.due.values() if who == name) for name in self.members}
        assert self.central.balances() == balances
        for till in self.tills:
            assert till.feed()
            assert [till.shown(card) for card in CARDS] == list(balances.values())


def deliver(till: TillFolder) -> None:
    till.look_after()
    while till.delivery.step():
        till.look_after()


def put_back(till: TillFolder, image: Path) -> None:
    till.stop()
    shutil.rmtree(till.folder)
    shutil.copytree(image, till.folder)
    till.start()


def try_to(work: Callable[[], object]) -> bool:
    try:
        work()
    except TillmateError:
        return False
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    backup: Backup = FileBackup()
    address = None
    if request.param == "postgresql":
        server: PostgreSql = request.getfixturevalue("postgresql")
        backup, address = Dump(server), server.url(server.database())
    furnish(tmp_path / "server", address)
    central = Central(tmp_path / "server", VirtualClock(), page=2, backup=backup)
    world = World(central, tmp_path, [central.member(card) for card in CARDS])
    yield world
    for till in world.tills:
        till.stop()
    world.central.close()
    if address is not None:
        server.drop(str(make_url(address).database))


@pytest.mark.timeout(900)
def test_a_server_that_was_put_back_to_an_hour_ago_gets_everything_again(
    world: World, size: Callable[[int, int], int], proof: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    chance = spread(1)
    tills = [world.open_till() for _ in range(size(3, 20))]

    def trade(steps: int) -> None:
        for _ in range(steps):
            till = chance.choice(tills)
            world.sell(till, chance.choice([None, *world.members]), chance.randint(1, 9))
            till.weather.coming = [chance.choice(["", "", "lost", "down"])]
            if chance.random() < 0.5:
                try_to(lambda till=till: deliver(till))
            world.pass_time(seconds=60)

    trade(size(20, 200))
    for till in tills:
        till.weather.coming = []
        assert till.feed()
    world.central.backup()
    before = tills[0].members.age.cursor
    trade(size(60, 600))
    booked = len(world.central.receipts())
    assert world.central.restore()
    lost = booked - len(world.central.receipts())
    assert lost > 0
    trade(size(10, 100))  # before and while the tills learn of it
    world.settle()
    world.judge()
    after = tills[0].members.age.cursor
    assert str(before).split(".")[0] != str(after).split(".")[0], "cursors of the lost hour are void"
    assert set(world.central.flags()) <= {"unknown_till"}
    name = request.node.callspec.params["world"]
    proof(
        f"server put back to an hour ago on {name}: {lost} receipts of {len(tills)} tills were gone, "
        f"{len(world.due)} of {len(world.due)} booked in the end"
    )


def test_a_server_that_is_put_back_twice_shows_every_till_all_that_is_booked(world: World) -> None:
    """Nothing is booked between the two. The first till has read on before them, so it must not miss the change that the
    second one makes under the same number."""
    first, second = world.open_till(), world.open_till()
    world.central.backup()
    world.sell(first, world.members[1], 5)
    deliver(first)
    assert first.feed()
    assert world.central.restore()
    assert world.central.restore()
    world.sell(second, world.members[0], 7)
    deliver(second)
    world.settle()
    world.judge()


def test_a_new_epoch_that_the_server_lost_before_its_first_row_is_followed_by_another(world: World) -> None:
    till = world.open_till()
    world.central.backup()
    world.sell(till, world.members[0], 3)
    till.stop()
    till.copy_to(world.folder / "image")
    till.start()
    till.beat()
    put_back(till, world.folder / "image")
    till.beat()
    assert till.delivery.step(), "the server agrees to another epoch"
    assert world.central.restore(), "and does not know it any more"
    for _ in range(PAUSE):
        try_to(till.beat)
    world.settle()
    world.judge()


@pytest.mark.parametrize("first", ["beat", "sell"])
def test_a_till_from_a_day_old_image_loses_and_doubles_nothing(world: World, first: str) -> None:
    till, neighbour = world.open_till(), world.open_till()
    for points in (1, 2, 3):
        world.sell(till, world.members[0], points)
    deliver(till)
    for points in (4, 5):
        world.sell(
            till, world.members[1], points
        )  # wait in the image, and are delivered from the disk that it replaces
    till.stop()
    till.copy_to(world.folder / "image")
    till.start()
    for hour in range(24):
        world.sell(till, world.members[hour % 2], hour + 1)
        world.sell(neighbour, world.members[0], 1)
        deliver(till)
        world.pass_time(hours=1)

    put_back(till, world.folder / "image")
    if first == "beat":
        till.beat()
    for points in (7, 8):
        world.sell(till, world.members[0], points)
    world.settle()
    world.judge()
