"""Receipts of a day in a partition of that day, made in time, without keeping anybody waiting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import Inspector, inspect, text

from loyalty_server import verify
from loyalty_server.folder import DataFolder
from loyalty_server.storage.partitions import AHEAD, BEHIND, prepare_days

if TYPE_CHECKING:
    from conftest import Shell, Shop, Till

TODAY = date(2026, 12, 12)  # of the tills' sales


pytestmark = pytest.mark.parametrize("one_storage", ["postgresql"], indirect=True)  # a file has no partitions


def places(shop: Shop) -> list[str]:
    with shop.database.reading() as tx:
        return list(tx.execute(text("SELECT tableoid::regclass::text FROM receipts ORDER BY at, number")).scalars())


def sell_on(till: Till, day: date) -> None:
    sale = till.sale()
    receipt = msgspec.structs.replace(sale.receipt, business_day=day)
    assert till.verdicts(till.row(msgspec.structs.replace(sale, receipt=receipt))) == ["accepted"]


def test_each_day_has_its_own_and_strange_days_have_one(shop: Shop, till: Till) -> None:
    made = prepare_days(shop.database, TODAY)
    assert made == [TODAY + timedelta(days=ahead) for ahead in range(-1, AHEAD)]
    assert prepare_days(shop.database, TODAY) == []
    for day in (TODAY, TODAY + timedelta(days=1), date(1999, 1, 1)):
        sell_on(till, day)
    assert places(shop) == ["receipts_20261212", "receipts_20261213", "receipts_other"]
    assert prepare_days(shop.database, TODAY + timedelta(days=1)) == [TODAY + timedelta(days=AHEAD)]


def test_a_receipt_is_booked_once_in_its_partition_too(shop: Shop, till: Till) -> None:
    prepare_days(shop.database, TODAY)
    sale = till.sell()
    assert till.verdicts(till.row(sale)) == ["duplicate"]
    other = msgspec.structs.replace(till.sale(99900), receipt=sale.receipt)
    assert till.verdicts(till.row(other)) == ["receipt_conflict"]


def test_receipts_of_a_day_to_come_move_when_it_is_made(shop: Shop, till: Till) -> None:
    """A till whose clock is ahead, or a stolen one, must not keep a whole day out of its partition."""
    early = till.row(till.sale())
    assert till.verdicts(early) == ["accepted"]
    sell_on(till, date(1999, 1, 1))
    assert places(shop) == ["receipts_other"] * 2
    assert TODAY in prepare_days(shop.database, TODAY)
    assert places(shop) == ["receipts_20261212", "receipts_other"]
    assert till.verdicts(early) == ["duplicate"]
    till.sell()
    assert places(shop).count("receipts_20261212") == 2
    with shop.database.reading() as tx:
        assert list(verify.differences(tx, lambda _: None)) == []
        here = inspect(tx)
        alike = [
            (here.get_pk_constraint(name)["constrained_columns"], sorted(map(str, _shapes(here, name))))
            for name in ("receipts_20261212", "receipts_20261213")
        ]
    assert alike[0] == alike[1]


def _shapes(here: Inspector, name: str) -> list[tuple[object, ...]]:
    return [(each["column_names"], each["unique"]) for each in here.get_indexes(name)]


def test_too_many_to_move_stay(shop: Shop, till: Till) -> None:
    till.sell()
    till.sell()
    made = prepare_days(shop.database, TODAY, most_moved=1)
    assert TODAY not in made
    assert len(made) == AHEAD
    assert set(places(shop)) == {"receipts_other"}


def test_days_that_passed_while_the_server_was_away_are_made(shop: Shop) -> None:
    prepare_days(shop.database, TODAY)
    later = TODAY + timedelta(days=30)
    made = prepare_days(shop.database, later)
    assert (made[0], made[-1]) == (TODAY + timedelta(days=AHEAD), later + timedelta(days=AHEAD - 1))
    much_later = TODAY + timedelta(days=300)
    made = prepare_days(shop.database, much_later)
    assert (made[0], made[-1]) == (much_later - timedelta(days=BEHIND), much_later + timedelta(days=AHEAD - 1))


def test_it_gives_way_to_whoever_works(shop: Shop, till: Till) -> None:
    with shop.database.writing() as tx:
        tx.execute(text("LOCK TABLE receipts IN ROW EXCLUSIVE MODE"))
        assert prepare_days(shop.database, TODAY) == []
    till.sell()
    assert prepare_days(shop.database, TODAY + timedelta(days=2)) != []


def test_several_at_once_make_each_once(shop: Shop) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: prepare_days(shop.database, TODAY), range(4)))
    assert sorted(map(len, made)) == [0, 0, 0, AHEAD + 1]


def test_a_server_makes_them_when_it_starts(shell: Shell) -> None:
    shell.init()
    shell.run()
    database, _ = DataFolder(shell.folder).open()
    with database.reading() as tx:
        count = tx.execute(text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'receipts'::regclass")).scalar_one()
    database.close()
    assert count == 1 + 1 + AHEAD
