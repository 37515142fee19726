"""Batches as they travel: packed or not, too long, cut off, no batch at all, and two at once."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import select, text

from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]


def test_a_batch_that_is_cut_off_books_nothing(shop: Shop, till: Till, problem_of: Read) -> None:
    packed = gzip.compress(msgspec.json.encode({"epoch": till.me.epoch, "rows": [till.row(till.sale())]}))
    for body in (packed[:-9], packed + b"x", b"\x1f\x8b", b"{}"):
        response = till.ask("POST", "/v1/events", data=body, headers={"Content-Encoding": "gzip"})
        assert (response.status_code, problem_of(response).code) == (400, "malformed")
    assert shop.count(tables.rows) == 0


def test_plain_json_is_taken_too(till: Till) -> None:
    assert till.post(till.row(till.sale()), packed=False).status_code == 200


def test_a_gzip_bomb_ends_at_the_limit(till: Till, problem_of: Read) -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    assert len(bomb) < 100_000
    response = till.ask("POST", "/v1/events", data=bomb, headers={"Content-Encoding": "gzip"})
    assert (response.status_code, problem_of(response).code) == (413, "too_large")


def test_a_body_that_is_too_long_is_refused(till: Till, problem_of: Read) -> None:
    response = till.ask("POST", "/v1/events", data=b" " * ((4 << 20) + 1))
    assert (response.status_code, problem_of(response).code) == (413, "too_large")


def test_an_unknown_packing_is_refused(till: Till, problem_of: Read) -> None:
    response = till.ask("POST", "/v1/events", data=b"{}", headers={"Content-Encoding": "br"})
    assert (response.status_code, problem_of(response).code) == (415, "media_type")


def test_a_batch_has_five_hundred_rows_at_most(shop: Shop, till: Till, problem_of: Read) -> None:
    rows = [till.row(till.sale()) for _ in range(501)]
    assert problem_of(till.post(*rows)).code == "too_large"
    assert till.send(*rows[:500]).watermark == 500
    assert shop.count(tables.receipts) == 500


@pytest.mark.parametrize("numbers", [(1, 3), (2, 1), (1, 1), (0, 1), (-1, 0)])
def test_a_batch_is_numbered_without_a_hole(till: Till, numbers: tuple[int, int], problem_of: Read) -> None:
    rows = [msgspec.structs.replace(till.row(till.sale()), seq=number) for number in numbers]
    assert problem_of(till.post(*rows)).code == "malformed"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"epoch":1,"rows":[]}', b"\xff", b'{"epoch":"e","rows":' + b"[" * 9999]
)
def test_what_is_no_batch_is_malformed(till: Till, body: bytes, problem_of: Read) -> None:
    response = till.ask("POST", "/v1/events", data=body)
    assert (response.status_code, problem_of(response).code) == (400, "malformed")


@pytest.mark.parametrize("one_storage", ["postgresql"], indirect=True)
def test_a_large_batch_waits_for_its_turn_and_a_small_one_does_not(shop: Shop, till: Till) -> None:
    """SQLite has one writer anyway."""
    second, third = (shop.till(machine=machine) for machine in ("pc-2", "pc-3"))
    second.number, third.number = 1000, 2000
    rows = [[each.row(each.sale()) for _ in range(100)] for each in (till, second)]
    with ThreadPoolExecutor(2) as pool:
        with shop.database.writing() as tx:
            tx.execute(select(tables.devices).where(tables.devices.c.id == till.me.device).with_for_update())
            first = pool.submit(till.send, *rows[0])
            while not tx.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
                assert not first.done()
            after = pool.submit(second.send, *rows[1])
            while b"requests_running 2.0" not in shop.server.meters.text():
                assert not after.done()
            for _ in range(5):
                third.sell()
            waiting = tx.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
            assert waiting == 1
            assert (first.done(), after.done()) == (False, False)
        assert [len(each.result(10).verdicts) for each in (first, after)] == [100, 100]
