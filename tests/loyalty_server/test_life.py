"""A database that was put back from a backup begins another life; one that only stopped does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty_server.life import Life

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_mark_that_cannot_be_read_or_written_stops_nothing(shop: Shop) -> None:
    shop.folder.mark_file.write_text("{")
    assert not Life(shop.folder.mark_file).begin(shop.database)
    life = Life(shop.folder.path / "nowhere" / "mark")
    assert not life.begin(shop.database)
    assert life.due(shop.clock.now())
    assert not life.due(shop.clock.now())
    shop.clock.advance(days=-3650)
    assert life.due(shop.clock.now())
