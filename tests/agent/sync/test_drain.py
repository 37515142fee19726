"""Delivery over a bad network: every row booked once, whatever becomes of the replies."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.identity import Identity
from agent.sync import Client, Drain, Patience, Report
from offline_queue import Reader

if TYPE_CHECKING:
    import threading

    from tests.agent.sync.central import Central
    from tests.agent.sync.conftest import Store, Watch

During = Callable[[Callable[["threading.Event"], None]], AbstractContextManager["threading.Event"]]

UNCLEAR = ["refuse", "html", "500", "429", "redirect", "drop", "half", "other device", "502 after", "other json"]


def exact(store: Store, central: Central) -> bool:
    """The server holds every row of the queue once, byte for byte."""
    return [central.rows[seq] for seq in sorted(central.rows)] == [
        row.to_wire() for row in store.reader.rows(1, 10_000)
    ]


def test_rows_are_delivered_as_they_come(store: Store, central: Central, drain: Drain, during: During) -> None:
    store.sell(3)
    with during(drain.run):
        store.settle()
        store.sell(2)
        store.settle()

    assert exact(store, central)
    assert sorted(central.rows) == [1, 2, 3, 4, 5]


def test_the_delivery_begins_with_the_claim(
    store: Store,
    central: Central,
    client: Client,
    report: Report,
    patience: Patience,
    identity: Identity,
    during: During,
) -> None:
    clock = SystemClock()
    drain = Drain(
        writer=store.queue,
        open_reader=lambda: Reader(store.path),
        connect=lambda _: client,
        report=report,
        clock=clock,
        patience=patience,
    )
    store.sell(2)
    with during(drain.run):
        drain.identified(identity)
        store.settle()

    assert exact(store, central)


@pytest.mark.parametrize("fault", UNCLEAR)
def test_an_unclear_reply_sends_the_same_rows_again(
    store: Store, central: Central, drain: Drain, during: During, fault: str
) -> None:
    central.faults = deque([fault, fault])
    store.sell(7)
    with during(drain.run):
        store.settle()

    assert exact(store, central)
    assert central.requests == ["/v1/events"] * 3


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_network_loses_and_doubles_nothing(
    store: Store, central: Central, drain: Drain, during: During, seed: int, size: Callable[[int, int], int]
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
    central.faults = deque(chance.choice([*UNCLEAR, "", "", ""]) for _ in range(size(60, 600)))
    central.most_rows = 20
    with during(drain.run):
        for _ in range(size(30, 300)):
            store.sell(chance.randint(1, 5))
        store.settle()

    assert exact(store, central)
    assert len(central.rows) == store.sold


def test_a_rejected_row_is_kept_and_shown_and_blocks_nobody(
    store: Store, central: Central, drain: Drain, during: During, watch: Watch
) -> None:
    central.poison = frozenset({"3"})
    central.faults = deque(["drop"])
    store.sell(5)
    with during(drain.run):
        store.settle()

    (rejected,) = store.reader.rejected(10)
    assert (rejected.row.seq, rejected.problem.code) == (3, "receipt_conflict")
    assert watch.now("queue") == ("warning", "Receipts that the server did not take: 1. Call store IT.")
    assert exact(store, central)


def test_a_gap_is_filled_from_where_the_server_says(
    store: Store, central: Central, drain: Drain, during: During
) -> None:
    store.sell(6)
    with during(drain.run):
        store.settle()
        for seq in (4, 5, 6):  # the server is restored from a backup
            del central.rows[seq]
        store.sell(1)
        store.settle()

    assert exact(store, central)
    assert len(central.rows) == 7


def test_a_server_that_takes_not_even_one_row_is_asked_again_later(
    store: Store, central: Central, drain: Drain, during: During, watch: Watch
) -> None:
    central.most_rows = 0
    store.sell(4)
    with during(drain.run):
        watch.until("network", "The server does not accept this till (too_large) since ")
        central.most_rows = 500
        store.settle()

    assert exact(store, central)


def test_a_batch_that_is_too_large_is_halved(store: Store, central: Central, drain: Drain, during: During) -> None:
    central.most_rows = 30
    store.sell(100)
    with during(drain.run):
        store.settle()

    assert exact(store, central)
    assert central.requests[:3] == ["/v1/events"] * 3
    assert len(central.requests) < 20


def test_no_server_is_a_normal_day(store: Store, central: Central, drain: Drain, during: During, watch: Watch) -> None:
    central.faults = deque(["refuse"] * 5)
    store.sell(1)
    with during(drain.run):
        store.settle()
        watch.until("network", "Connected.")

    offline = [text for part, text in watch.heard if part == "network" and text.startswith("No connection since ")]
    assert offline[0].endswith("receipts waiting: 1.")
    assert watch.now("queue") == ("ok", "Everything is sent.")
