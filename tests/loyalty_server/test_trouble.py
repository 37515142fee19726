"""When the server itself is in trouble: the outcome is said to be unknown, nothing is half booked, nothing leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty_server.storage import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
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


def test_errors_of_the_database_carry_no_values(shop: Shop, till: Till, caplog: pytest.LogCaptureFixture) -> None:
    sale = till.sale(card="2977777777777")
    assert till.verdicts(till.row(sale, at="0001-01-01T00:00:00+14:00")) == ["row_not_booked"]
    assert "row=not_booked" in caplog.text
    assert "2977777777777" not in caplog.text
    assert shop.count(tables.receipts) == 0


def test_a_code_that_cannot_be_sent_is_said(shop: Shop, till: Till, phone: Phone) -> None:
    shop.folder.codes_file.mkdir()
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    assert "Не получилось отправить код" in phone.text
    assert 'value="+7 916 123-45-67"' in phone.page
    shop.folder.codes_file.rmdir()
    shop.clock.advance(minutes=1)
    assert phone.submit(**GOOD).submit(code=shop.last_code()).status == 200
