"""Any mix of batches, lost replies, repetitions and poison rows against a plain model: exactly once, in order."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.wire import EventReply, Row
from loyalty_server.devices import find_device
from loyalty_server.ingest import Batch, ingest
from loyalty_server.slips import IncomingRow
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Shop, Till

CARDS = ("2900000000018", "2900000000025")

Kind = st.sampled_from(["sale", "anonymous", "poison", "conflict", "again"])
Step = st.tuples(st.integers(0, 12), st.integers(0, 6))
numbers = itertools.count()


def queue_of(till: Till, kinds: list[str], members: list[str]) -> tuple[list[Row], list[str], list[tuple[str, int]]]:
    """Rows with the verdict that each deserves, whenever it is booked, and the points that it moves."""
    rows, deserved, moves = [], [], []
    sold = None
    for place, kind in enumerate(kinds):
        member = members[place % len(members)]
        match kind:
            case "poison":
                rows.append(till.row("{"))
                deserved.append("rejected")
            case "again" if sold is not None:
                rows.append(till.row(sold))
                deserved.append("duplicate")
            case "conflict" if sold is not None:
                other = till.sale(99900, member=member)
                rows.append(till.row(msgspec.structs.replace(other, receipt=sold.receipt)))
                deserved.append("rejected")
            case _:
                sold = till.sale(1000 * (place + 1), member=None if kind == "anonymous" else member)
                rows.append(till.row(sold))
                deserved.append("accepted")
                moves.append((member, 0 if kind == "anonymous" else sold.quote.earned))
                continue
        moves.append((member, 0))
    return rows, deserved, moves


@pytest.fixture
def members(shop: Shop) -> list[str]:
    return [shop.member(card) for card in CARDS]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(Kind, min_size=1, max_size=12), steps=st.lists(Step, max_size=12))
def test_whatever_is_sent_each_row_counts_once(
    shop: Shop, members: list[str], kinds: list[str], steps: list[tuple[int, int]]
) -> None:
    """A step sends rows [start, start + length); the last step sends all. Replies may as well have been lost."""
    till = shop.till("S1", f"pc-{next(numbers)}")
    till.number = next(numbers) * 1000
    rows, deserved, moves = queue_of(till, kinds, members)
    before = {member: shop.points(member) for member in members}
    watermark = 0
    for start, length in [*steps, (0, len(rows))]:
        batch = rows[start : start + length]
        with shop.database.writing() as tx:
            device = find_device(tx, till.me.device)
            assert device is not None
            sent = tuple(msgspec.convert(msgspec.to_builtins(row), IncomingRow) for row in batch)
            reply = ingest(tx, shop.keys, device, Batch(till.me.epoch, sent), shop.clock.now())
        if batch and start > watermark:
            assert not isinstance(reply, EventReply)
            assert (reply.code, reply.expect) == ("gap", watermark + 1)
            continue
        assert isinstance(reply, EventReply)
        expected = [
            "duplicate" if row.seq <= watermark and deserved[row.seq - 1] == "accepted" else deserved[row.seq - 1]
            for row in batch
        ]
        assert [verdict.verdict for verdict in reply.verdicts] == expected
        watermark = max(watermark, start + len(batch) if batch else 0)
        assert reply.watermark == watermark
        for member in members:
            earned = sum(points for who, points in moves[:watermark] if who == member)
            assert shop.points(member) == before[member] + earned
    booked = [seq for device, seq in shop.all(tables.rows, "device", "seq") if device == till.me.device]
    assert sorted(booked) == list(range(1, len(rows) + 1))
    assert shop.count(tables.receipts) >= deserved.count("accepted")
