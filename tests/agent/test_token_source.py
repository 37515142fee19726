"""Enrolment tokens come from reserved blocks, and a disk that refuses stops nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.clock import SystemClock
from agent.token_source import BLOCK, TokenKey, TokenSource
from loyalty import enrolment_token
from offline_queue import QueueFull
from offline_queue.outcome import Outcome
from offline_queue.transaction import Operation

if TYPE_CHECKING:
    from conftest import Store, Until

KEY = TokenKey(b"k" * 32, device_number=7, generation=3)
CLOCK = SystemClock()


def counter(token: str | None) -> int:
    assert token is not None
    assert enrolment_token.genuine(token, KEY.key)
    made = enrolment_token.read(token)
    assert (made.device_number, made.generation) == (7, 3)
    return made.counter


def test_tokens_go_up_one_by_one_over_the_edge_of_a_block(store: Store, until: Until) -> None:
    source = TokenSource(KEY, store.queue, CLOCK)
    seen = []
    for _ in range(BLOCK + 5):
        until(lambda: source.peek() is not None)
        seen.append(counter(source.peek()))
        source.take()
    assert seen == list(range(BLOCK + 5))


def test_a_new_source_begins_behind_everything_that_was_reserved(store: Store, until: Until) -> None:
    first = TokenSource(KEY, store.queue, CLOCK)
    until(lambda: first.peek() is not None)
    second = TokenSource(KEY, store.queue, CLOCK)
    until(lambda: second.peek() is not None)
    assert counter(second.peek()) == counter(first.peek()) + BLOCK


class Refusing:
    """A queue that is full, and then answers with an error, and then works."""

    def __init__(self) -> None:
        self.asked = 0

    def submit(self, _: Operation[int], /) -> Outcome[int]:
        self.asked += 1
        answer = Outcome[int]()
        if self.asked == 1:
            raise QueueFull("the disk is full")
        if self.asked == 2:
            answer.fail(QueueFull("the disk is full"))
        else:
            answer.succeed(100)
        return answer


def test_a_disk_that_refuses_is_asked_again() -> None:
    source = TokenSource(KEY, Refusing(), CLOCK)
    assert [source.peek(), source.peek(), source.peek()] == [None, None, None]
    assert counter(source.peek()) == 100
