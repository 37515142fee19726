"""A receipt in doubt: the cashier is asked about it, decides once, and a copy says that it is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from agent.printing.decisions import PrintDecisions
from offline_queue import NewJob, QueuePrint, Reader, SetJob
from receipt_templates.document import Document, Text, from_json, to_json

if TYPE_CHECKING:
    from tests.agent.api.conftest import Shop
    from tests.agent.conftest import Store

SLIP = to_json(Document((Text("Чек"),), "ru"))
DOUBTFUL = "/v1/tills/1/receipts/doubtful"


@pytest.fixture
def shop_in_doubt(make_shop: Callable[..., Shop], store: Store) -> Shop:
    decisions = PrintDecisions({}, store.queue, lambda: Reader(store.path))
    shop = make_shop(receipts=decisions, printers={"1": "receipt", "2": "other"})
    job = store.queue.submit(QueuePrint(NewJob("receipt", SLIP))).result(5)
    store.queue.submit(SetJob(job, "unknown", "silent")).result(5)
    found = store.reader.job(job)
    assert found is not None
    shop.clock.at = shop.clock.at.fromisoformat(found.changed_at)
    return shop


def questions(shop: Shop, path: str = DOUBTFUL) -> list[int]:
    reply = shop.ask("GET", path)
    assert reply.status == 200
    return [each["job"] for each in json.loads(reply.body)["receipts"]]


def test_a_copy_is_ordered_once_and_says_that_it_is_one(shop_in_doubt: Shop, store: Store) -> None:
    (job,) = questions(shop_in_doubt)
    assert shop_in_doubt.ask("POST", f"/v1/tills/1/receipts/{job}", {"decision": "again"}).status == 204
    assert questions(shop_in_doubt) == []
    again = shop_in_doubt.ask("POST", f"/v1/tills/1/receipts/{job}", {"decision": "again"})
    assert (again.status, again.code) == (409, "job_not_now")
    assert store.states() == [("unknown", "repeated"), ("queued", "")]
    copy = store.reader.job(job + 1)
    assert copy is not None
    assert [element.text for element in from_json(copy.document).elements] == ["ПОВТОР", "Чек"]  # type: ignore[union-attr]


def test_a_receipt_that_came_out_is_left_alone(shop_in_doubt: Shop, store: Store) -> None:
    (job,) = questions(shop_in_doubt)
    assert shop_in_doubt.ask("POST", f"/v1/tills/1/receipts/{job}", {"decision": "leave"}).status == 204
    assert (questions(shop_in_doubt), store.states()) == ([], [("unknown", "dropped")])


def test_nobody_is_asked_about_a_customer_who_has_left(shop_in_doubt: Shop) -> None:
    shop_in_doubt.clock.at += timedelta(minutes=16)
    assert questions(shop_in_doubt) == []


def test_a_till_decides_about_its_own_printer_only(shop_in_doubt: Shop) -> None:
    (job,) = questions(shop_in_doubt)
    token = shop_in_doubt.token("2")
    reply = shop_in_doubt.ask("POST", f"/v1/tills/2/receipts/{job}", {"decision": "again"}, token)
    assert (reply.status, reply.code) == (404, "job_unknown")


@pytest.mark.parametrize("number", ["0", "99", "x", "1" * 30, "-1"])
def test_a_job_that_is_none(shop_in_doubt: Shop, number: str) -> None:
    reply = shop_in_doubt.ask("POST", f"/v1/tills/1/receipts/{number}", {"decision": "again"})
    assert (reply.status, reply.code) == (404, "job_unknown")


def test_a_job_that_may_still_be_printed_gets_no_copy(shop_in_doubt: Shop, store: Store) -> None:
    waiting = store.queue.submit(QueuePrint(NewJob("receipt", SLIP))).result(5)
    reply = shop_in_doubt.ask("POST", f"/v1/tills/1/receipts/{waiting}", {"decision": "again"})
    assert (reply.status, reply.code) == (409, "job_not_now")
    assert store.states()[-1] == ("queued", "")
