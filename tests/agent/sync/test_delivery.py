"""One step of the delivery against replies that no honest server gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from agent.identity import Identity
from agent.sync.delivery import MOST_GAPS, Delivery
from agent.sync.errors import Gap, ServerUnreachable
from loyalty.wire import EventBatch, EventReply, Problem, Verdict

if TYPE_CHECKING:
    from tests.agent.sync.conftest import Store

Reply = Callable[[EventBatch], EventReply]


class Scripted:
    """Answers by a function."""

    def __init__(self, reply: Reply) -> None:
        self.events = reply


def reply(batch: EventBatch, **other: object) -> EventReply:
    last = batch.rows[-1].seq
    verdicts = tuple(Verdict(row.seq, "accepted") for row in batch.rows)
    fields = {"device": "D1", "epoch": batch.epoch, "watermark": last, "verdicts": verdicts, **other}
    return EventReply(**fields)


def gap(expect: int | None) -> Reply:
    problem = Problem(type="about:blank", title="gap", status=409, code="gap", retryable=True, expect=expect)

    def answer(_: EventBatch) -> EventReply:
        raise Gap(problem)

    return answer


@pytest.fixture
def deliver(store: Store, identity: Identity) -> Callable[[Reply], Delivery]:
    """A delivery of four rows, the first of which is settled, to a server that answers like this."""
    store.sell(4)
    first = Delivery(
        identity, Scripted(lambda batch: reply(EventBatch(batch.epoch, batch.rows[:1]))), store.reader, store.queue
    )
    assert first.step()
    return lambda answer: Delivery(identity, Scripted(answer), store.reader, store.queue)


@pytest.mark.parametrize(
    "other",
    [
        {"device": "D2"},
        {"epoch": "epoch-2"},
        {"watermark": 1},
        {"watermark": 0},
        {"verdicts": ()},
        {"verdicts": (Verdict(2, "accepted"), Verdict(4, "accepted"))},
        {"verdicts": (Verdict(2, "accepted"), Verdict(2, "accepted"), Verdict(3, "accepted"), Verdict(4, "accepted"))},
        {"verdicts": (Verdict(3, "accepted"), Verdict(2, "accepted"), Verdict(4, "accepted"))},
    ],
)
def test_a_reply_that_does_not_answer_these_rows_settles_nothing(
    store: Store, deliver: Callable[[Reply], Delivery], other: dict[str, object]
) -> None:
    delivery = deliver(lambda batch: reply(batch, **other))
    with pytest.raises(ServerUnreachable):
        delivery.step()
    assert store.reader.depth().watermark == 1


def test_a_part_that_is_booked_is_settled(store: Store, deliver: Callable[[Reply], Delivery]) -> None:
    assert deliver(lambda batch: reply(batch, watermark=3)).step()
    assert store.reader.depth().watermark == 3


def test_verdicts_of_rows_that_are_not_booked_are_not_believed(
    store: Store, deliver: Callable[[Reply], Delivery]
) -> None:
    verdicts = tuple(Verdict(seq, "rejected") for seq in (2, 3, 4))
    assert deliver(lambda batch: reply(batch, watermark=2, verdicts=verdicts)).step()
    depth = store.reader.depth()
    assert (depth.watermark, depth.rejected) == (2, 1)
    assert store.reader.rejected(10)[0].problem.code == "no_reason"


@pytest.mark.parametrize("expect", [None, 0, -3, 2, 3, 1 << 40])
def test_a_gap_that_cannot_be_is_no_answer(deliver: Callable[[Reply], Delivery], expect: int | None) -> None:
    with pytest.raises(ServerUnreachable):
        deliver(gap(expect)).step()


def test_a_server_that_speaks_of_gaps_for_ever_gets_a_pause(deliver: Callable[[Reply], Delivery]) -> None:
    answers: list[int] = []

    def confused(batch: EventBatch) -> EventReply:
        answers.append(batch.rows[0].seq)
        return gap(1)(batch) if batch.rows[0].seq > 1 else reply(EventBatch(batch.epoch, batch.rows[:1]))

    delivery = deliver(confused)

    def go_on() -> None:
        while delivery.step():
            assert len(answers) <= 2 * MOST_GAPS + 4

    for _ in range(3):
        answers.clear()
        with pytest.raises(ServerUnreachable):
            go_on()
        assert len(answers) > MOST_GAPS, "after each pause it gets as many chances"
