"""The inbox of a till: bounded outside, ordered inside."""

from __future__ import annotations

import threading

from agent.inbox import BOUND, Inbox


def test_new_events_are_bounded_and_answers_are_not() -> None:
    inbox: Inbox[int] = Inbox()
    assert all(inbox.put(number) for number in range(BOUND))
    assert not inbox.put(BOUND)
    inbox.put_answer(-1)
    inbox.put_again(-2)
    assert [inbox.take(0) for _ in range(3)] == [-1, -2, 0]
    assert inbox.put(BOUND)


def test_answers_come_before_what_waited_before_what_is_new() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("new 1")
    inbox.put_again("again 1")
    inbox.put("new 2")
    inbox.put_again("again 2")
    inbox.put_answer("answer")
    assert [inbox.take(0) for _ in range(5)] == ["answer", "again 1", "again 2", "new 1", "new 2"]


def test_news_without_content_is_put_once_until_it_is_taken() -> None:
    inbox: Inbox[str] = Inbox()
    for _ in range(3):
        inbox.put_once("news")
    inbox.put_answer("answer")
    assert [inbox.take(0) for _ in range(3)] == ["news", "answer", None]
    inbox.put_once("news")
    assert inbox.take(0) == "news"


def test_a_quiet_inbox_gives_nothing_and_a_closed_one_takes_nothing_new() -> None:
    inbox: Inbox[str] = Inbox()
    assert inbox.take(0.01) is None
    inbox.put("inside")
    inbox.close()
    assert not inbox.put("outside")
    inbox.put_answer("answer")
    assert [inbox.take(0), inbox.take(0)] == ["answer", "inside"]


def test_a_waiting_taker_is_woken() -> None:
    inbox: Inbox[str] = Inbox()
    taken: list[str | None] = []
    taker = threading.Thread(target=lambda: taken.append(inbox.take(5)))
    taker.start()
    inbox.put("hello")
    taker.join(1)
    assert taken == ["hello"]
