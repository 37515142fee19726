"""A database that was put back from a backup begins another life; one that only stopped does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loyalty_server.life import Life

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem


def cursor(till: Till) -> str:
    return str(till.ask("GET", "/v1/members/changes").json()["next"])


def test_who_has_read_on_from_a_lost_future_begins_anew(
    shop: Shop, till: Till, problem_of: Callable[[requests.Response], Problem]
) -> None:
    life = Life(shop.folder.mark_file)
    member = shop.member("1")
    assert not life.begin(shop.database)
    shop.close()
    backup = shop.folder.path.with_name("backup")
    shop.storage.copy(shop.folder.path, backup)
    shop.start()
    till.sell(member=member)
    seen = cursor(till)
    with shop.database.reading() as tx:
        life.note(tx)
    assert not Life(shop.folder.mark_file).begin(shop.database), "a restart is no restoration"

    shop.close()
    shop.storage.put_back(backup, shop.folder)
    shop.start()
    shop.member("2")  # as many changes as before: the number alone would not tell
    assert Life(shop.folder.mark_file).begin(shop.database)
    assert problem_of(till.ask("GET", "/v1/members/changes", params={"since": seen})).code == "refill"
    assert not Life(shop.folder.mark_file).begin(shop.database)


@dataclass
class Backups:
    """Copies of a shop that is closed meanwhile, by name."""

    shop: Shop

    def take(self, name: str) -> None:
        self.shop.close()
        self.shop.storage.copy(self.shop.folder.path, self._place(name))
        self.shop.start()

    def put_back(self, name: str) -> None:
        self.shop.close()
        self.shop.storage.put_back(self._place(name), self.shop.folder)
        self.shop.start()

    def _place(self, name: str) -> Path:
        return self.shop.folder.path.with_name(name)


def begin(shop: Shop, mark: str = "server.mark") -> bool:
    return Life(shop.folder.path / mark).begin(shop.database)


def note(shop: Shop) -> None:
    with shop.database.reading() as tx:
        Life(shop.folder.mark_file).note(tx)


def test_the_same_backup_put_back_twice_begins_two_lives(
    shop: Shop, till: Till, problem_of: Callable[[requests.Response], Problem]
) -> None:
    backups = Backups(shop)
    member = shop.member("1")
    backups.take("backup")
    till.sell(member=member)
    lost = [cursor(till)]
    note(shop)
    for _ in range(2):  # nothing is booked between the two
        backups.put_back("backup")
        assert begin(shop)
        lost.append(cursor(till))
    shop.member("2")
    note(shop)
    for each in lost[:2]:
        assert problem_of(till.ask("GET", "/v1/members/changes", params={"since": each})).code == "refill"
    assert till.ask("GET", "/v1/members/changes", params={"since": lost[2]}).status_code == 200


def test_a_newer_backup_put_back_after_an_older_one_begins_another_life(shop: Shop) -> None:
    backups = Backups(shop)
    shop.member("1")
    backups.take("older")
    shop.member("2")
    backups.take("newer")
    shop.member("3")
    note(shop)
    for name in ("older", "newer"):  # the newer one is ahead of all that was booked on the older one
        backups.put_back(name)
        assert begin(shop)
        assert not begin(shop)


def test_a_second_server_that_starts_after_the_first_began_a_life_begins_none(shop: Shop) -> None:
    backups = Backups(shop)
    shop.member("1")
    begin(shop, "second.mark")
    backups.take("backup")
    shop.member("2")
    note(shop)
    backups.put_back("backup")
    assert begin(shop)
    assert not begin(shop, "second.mark")
    assert not begin(shop)


def test_a_mark_that_cannot_be_read_or_written_stops_nothing(shop: Shop) -> None:
    shop.folder.mark_file.write_text("{")
    assert not Life(shop.folder.mark_file).begin(shop.database)
    life = Life(shop.folder.path / "nowhere" / "mark")
    assert not life.begin(shop.database)
    assert life.due(shop.clock.now())
    assert not life.due(shop.clock.now())
    shop.clock.advance(days=-3650)
    assert life.due(shop.clock.now())
