"""The hub and its streams: what a page hears, in which order, and when it ends."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.api.events import QUEUED, Hub
from agent.views import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Shop


def test_a_page_hears_first_how_things_are(shop: Shop) -> None:
    shop.status.set("queue", "", "ok", "screen.no_news")
    shop.hub.publish("1", "view", View(till="1", state="idle"))
    shop.hub.publish("1", "view", View(till="1", state="member", balance=5))
    shop.hub.publish("1", "scan", {"device": "counter", "kind": "member_card"})
    stream = shop.listen()
    name, view = stream.next()
    assert (name, view["state"], view["balance"]) == ("view", "member", 5)
    name, parts = stream.next()
    assert name == "status"
    assert [(part["part"], part["state"]) for part in parts] == [("queue", "ok")]
    shop.hub.publish("1", "scan", {"device": "counter", "kind": "not_loyalty"})
    assert stream.next() == ("scan", {"device": "counter", "kind": "not_loyalty"})
    stream.close()


def test_a_page_hears_its_own_till_only(shop: Shop) -> None:
    first, second = shop.listen("1"), shop.listen("2")
    assert first.next()[0] == second.next()[0] == "status"
    shop.hub.publish("2", "view", View(till="2", state="member"))
    shop.hub.publish("1", "view", View(till="1", state="sold"))
    assert first.next()[1]["till"] == "1"
    assert second.next()[1]["till"] == "2"
    first.close()
    second.close()


def test_a_page_hears_of_its_own_devices_only(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(devices={"1": frozenset({"counter"}), "2": frozenset({"kiosk"})})
    shop.status.set("scanner", "counter", "ok", "screen.no_news")
    shop.status.set("scanner", "kiosk", "down", "screen.no_news")
    shop.status.set("till", "2", "ok", "screen.no_news")
    shop.status.set("network", "", "warning", "screen.no_news")
    names = {}
    for till in ("1", "2"):
        stream = shop.listen(till)
        names[till] = [(part["part"], part["name"]) for part in stream.next()[1]]
        stream.close()
    assert names == {
        "1": [("network", ""), ("scanner", "counter")],
        "2": [("network", ""), ("scanner", "kiosk"), ("till", "2")],
    }


def test_silence_is_filled_with_beats(make_shop: Callable[..., Shop]) -> None:
    stream = make_shop(beat=0.02).listen()
    assert [stream.next()[0] for _ in range(4)] == ["status", "beat", "beat", "beat"]
    stream.close()


def test_nothing_is_lost_or_swapped_between_threads(shop: Shop) -> None:
    stream = shop.listen()
    stream.next()

    def publish() -> None:
        for number in range(QUEUED - 1):
            shop.hub.publish("1", "view", View(till="1", state="member", balance=number))

    thread = threading.Thread(target=publish)
    thread.start()
    assert [stream.next()[1]["balance"] for _ in range(QUEUED - 1)] == list(range(QUEUED - 1))
    thread.join()
    stream.close()


def test_streams_end_promptly_when_the_server_stops(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    streams = [shop.listen() for _ in range(5)]
    for stream in streams:
        stream.next()
    begin = time.monotonic()
    shop.close()
    assert time.monotonic() - begin < 1.0
    for stream in streams:
        with pytest.raises(EOFError):
            stream.next()
        stream.close()


@pytest.mark.parametrize(("published", "heard"), [(QUEUED, QUEUED), (QUEUED + 1, 0)])
def test_a_full_queue_ends_the_stream_and_keeps_nothing(published: int, heard: int) -> None:
    """Nobody reads while it is published; what a dropped client had in its queue is old news and is not sent."""

    async def listen() -> int:
        hub = Hub(beat=0.01)
        hub.open()
        client = hub.join("1")
        assert client is not None
        for number in range(published):
            hub.publish("1", "scan", number)
        frames = 0
        async for frame in client.frames():
            frames += b"event: scan" in frame
            if b"event: beat" in frame:
                break
        return frames

    assert asyncio.run(listen()) == heard


def test_publishing_before_the_start_and_after_the_end_is_harmless(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    stream = shop.listen()
    shop.close()
    shop.hub.publish("1", "view", View(till="1", state="idle"))
    stream.close()
    Hub().publish("1", "view", View(till="1", state="idle"))
