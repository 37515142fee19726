"""Receipts of a day in a partition of that day, made in time, without keeping anybody waiting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import text

from loyalty_server.folder import DataFolder
from loyalty_server.storage.partitions import AHEAD, prepare_days

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


def test_a_day_that_has_begun_elsewhere_stays_there(shop: Shop, till: Till) -> None:
    till.sell()
    assert TODAY not in prepare_days(shop.database, TODAY)
    till.sell()
    assert set(places(shop)) == {"receipts_other"}


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
