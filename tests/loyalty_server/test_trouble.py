"""When the server itself is in trouble: the outcome is said to be unknown, nothing is half booked, nothing leaks."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Phone, Shop, Till

    from loyalty.wire import Problem

GOOD = {"phone": "+7 916 123-45-67", "personal_data": "yes"}


def test_a_database_that_is_held_is_busy_and_then_works(
    make_shop: Callable[..., Shop], problem_of: Callable[[requests.Response], Problem]
) -> None:
    shop = make_shop(patience=0.05)
    till = shop.till()
    row = till.row(till.sale())
    with shop.storage.held(shop.folder):
        response = till.post(row)
        assert (response.status_code, problem_of(response).code) == (503, "busy")
        assert response.headers["retry-after"] == "1"
        assert till.ask("GET", "/v1/members/changes").status_code == 200
    assert till.verdicts(row) == ["accepted"]


def test_a_customer_sees_a_page_and_not_a_problem(make_shop: Callable[..., Shop], phone_at: type[Phone]) -> None:
    shop = make_shop(patience=0.05)
    phone = phone_at(shop, "en").open(f"/E/{shop.till().token()}")
    with shop.storage.held(shop.folder):
        phone.submit(**GOOD)
    assert (phone.status, phone.text) == (503, "That did not work Please try again in a minute.")
    assert "style-src" in phone.headers["content-security-policy"]


def test_an_unforeseen_failure_tells_nothing(
    shop: Shop, till: Till, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    phone.open(f"/E/{till.token()}")
    shop.said.close()  # the sender has no console any more
    phone.submit(**GOOD)
    assert phone.status == 500
    assert "closed file" not in phone.page
    assert "Попробуйте ещё раз" in phone.text
    assert "failure method=POST" in caplog.text
    assert "9161234567" not in caplog.text


def test_what_the_database_refuses_is_rejected_alone_and_tells_nothing(
    shop: Shop, till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    with shop.database.writing() as tx:
        tx.execute(text("CREATE UNIQUE INDEX odd ON receipts (pay, business_day)"))
    member = shop.member("2977777777777")
    rows = [till.row(till.sale(total, member=member)) for total in (10000, 7654300, 7654300, 20000)]
    assert till.verdicts(*rows) == ["accepted", "accepted", "row_not_booked", "accepted"]
    assert "rows=refused" in caplog.text
    assert "7654300" not in caplog.text
    assert (shop.count(tables.receipts), shop.points(member)) == (3, 10 + 7654 + 20)
    assert shop.flags() == ["rejected"]
    assert till.verdicts(*rows) == ["duplicate", "duplicate", "row_not_booked", "duplicate"]


def test_a_database_that_is_broken_rejects_no_row(
    shop: Shop, till: Till, problem_of: Callable[[requests.Response], Problem]
) -> None:
    """What is not the row's fault must not be said to it: a till never sends a rejected row again."""
    row = till.row(till.sale())
    with shop.database.writing() as tx:
        tx.execute(text("ALTER TABLE receipts RENAME COLUMN pay TO paid"))
    answer = till.post(row)
    assert problem_of(answer).code in ("internal", "busy")
    assert answer.status_code != 500 or answer.headers["connection"] == "close"
    with shop.database.writing() as tx:
        tx.execute(text("ALTER TABLE receipts RENAME COLUMN paid TO pay"))
    assert till.verdicts(row) == ["accepted"]


def test_a_code_that_cannot_be_sent_is_said(shop: Shop, till: Till, phone: Phone) -> None:
    shop.folder.codes_file.mkdir()
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    assert "Не получилось отправить код" in phone.text
    assert 'value="+7 916 123-45-67"' in phone.page
    shop.folder.codes_file.rmdir()
    shop.clock.advance(minutes=1)
    assert phone.submit(**GOOD).submit(code=shop.last_code()).status == 200


@pytest.mark.parametrize("one_storage", ["postgresql"], indirect=True)  # SQLite has one writer
def test_a_batch_that_stands_in_a_ring_of_waiting_is_booked_all_the_same(
    shop: Shop, till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    """Another one has what it needs last and wants what it has: the database gives the batch up, which has waited longer."""
    member = shop.member("2977777777777")
    row = till.row(till.sale(10000, member=member))
    with ThreadPoolExecutor() as pool:
        with shop.database.writing() as tx:
            tx.execute(text("SET LOCAL deadlock_timeout = '30s'"))
            tx.execute(text("UPDATE counters SET value = value WHERE name = 'change'"))
            answer = pool.submit(till.verdicts, row)
            _until_somebody_waits(shop)
            tx.execute(text("UPDATE members SET balance = balance"))
        assert answer.result(30) == ["accepted"]
    assert "collided=" in caplog.text
    assert shop.points(member) == 10


def _until_somebody_waits(shop: Shop) -> None:
    deadline = time.monotonic() + 20
    waiting = 0
    while not waiting:
        assert time.monotonic() < deadline
        with shop.database.reading() as tx:
            waiting = tx.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
