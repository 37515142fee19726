"""How often a device may ask: the rate holds over any stretch of time, whatever the clock does, in bounded memory."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_server.problems import Refused
from loyalty_server.rates import Buckets, Rate, Rates

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shop

    from loyalty.wire import Problem

    Read = Callable[[requests.Response], Problem]

START = datetime(2026, 12, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_burst_and_then_one_after_the_other() -> None:
    buckets = Buckets(Rate(3, 2 * SECOND))
    assert [buckets.take("a", START) for _ in range(5)] == [timedelta()] * 3 + [2 * SECOND] * 2
    assert buckets.take("b", START) == timedelta()
    assert buckets.take("a", START + SECOND) == SECOND
    assert buckets.take("a", START + 2 * SECOND) == timedelta()
    assert buckets.take("a", START + 2 * SECOND) == 2 * SECOND
    assert [buckets.take("a", START + 60 * SECOND) for _ in range(4)] == [timedelta()] * 3 + [2 * SECOND]


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_it_is_a_bucket_of_tokens(steps: list[int]) -> None:
    """Against the plain model: a number of tokens that grows with time and is cut off at the burst."""
    buckets, tokens, now = Buckets(Rate(4, SECOND)), 4 * 1000, START
    for step in steps:
        now += timedelta(milliseconds=step)
        tokens = min(tokens + step, 4 * 1000)
        wait = buckets.take("a", now)
        assert wait == timedelta(milliseconds=max(1000 - tokens, 0))
        if tokens >= 1000:
            tokens -= 1000


@given(st.lists(st.integers(-(10**9), 10**9), max_size=30))
def test_a_clock_that_jumps_sends_nobody_away_for_long(jumps: list[int]) -> None:
    buckets, now = Buckets(Rate(2, SECOND)), START
    for jump in jumps:
        now += timedelta(seconds=jump)
        assert buckets.take("a", now) <= SECOND
        assert buckets.take("a", now + SECOND) == timedelta()


def test_the_longest_silent_devices_are_forgotten() -> None:
    buckets = Buckets(Rate(1, SECOND), most=3)
    for device in ("a", "b", "c", "a", "d"):
        buckets.take(device, START)
    assert len(buckets) == 3
    assert buckets.take("a", START) == SECOND
    assert buckets.take("b", START) == timedelta()


def test_threads_get_no_more_than_there_is() -> None:
    buckets, got = Buckets(Rate(100, SECOND)), []

    def ask() -> None:
        got.extend(not buckets.take("a", START) for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), sum(got)) == (400, 100)


def test_part_of_a_second_is_told_as_a_whole_one() -> None:
    rates = Rates(calls=Rate(1, timedelta(milliseconds=20)))
    rates.call("a", START)
    with pytest.raises(Refused) as refused:
        rates.call("a", START)
    assert refused.value.problem.retry_after == 1


def test_each_signed_call_counts(make_shop: Callable[..., Shop], problem_of: Read) -> None:
    shop = make_shop(rates=Rates(calls=Rate(5, SECOND)))
    till = shop.till()
    calls = [
        ("GET", "/v1/programme", b""), ("GET", "/v1/members/changes", b""), ("POST", "/v1/events", b"{"),
        ("POST", "/v1/heartbeat", b"{"), ("POST", "/v1/members/search", b"{"),
    ]  # fmt: skip
    for method, path, body in calls:
        assert till.ask(method, path, data=body).status_code in (200, 400)
    for method, path, body in [*calls, ("POST", "/v1/devices/epochs", b"{")]:
        answer = till.ask(method, path, data=body)
        assert problem_of(answer).code == "too_many_requests"
        assert answer.headers["retry-after"] == "1"
    shop.clock.advance(seconds=1)
    assert till.ask("GET", "/v1/programme").status_code == 200


def test_nobody_else_can_use_up_a_device_s_calls(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(rates=Rates(calls=Rate(2, SECOND)))
    till, thief = shop.till(), shop.till("S1", "pc-2")
    thief.me = till.me  # signs for the other one, with a key of its own
    assert {thief.ask("GET", "/v1/programme").status_code for _ in range(5)} == {401}
    assert till.ask("GET", "/v1/programme").status_code == 200


def test_a_guesser_of_codes_is_sent_away(make_shop: Callable[..., Shop], problem_of: Read) -> None:
    shop = make_shop(rates=Rates(claims=Rate(3, SECOND)))
    till = shop.till()
    codes = {problem_of(till.ask_claim(f"AAAA-BBBB-CCCC-DDD{number}")).code for number in range(2)}
    assert codes == {"claim_code_unknown"}
    answer = till.ask_claim(shop.code())
    assert (problem_of(answer).code, answer.headers["retry-after"]) == ("too_many_requests", "1")
    assert till.ask("GET", "/v1/programme").status_code == 200
    shop.clock.advance(seconds=1)
    assert shop.till("S1", "pc-2").me.device == "D2"


def test_guessers_at_many_addresses_have_one_bound() -> None:
    rates = Rates(claims=Rate(2, SECOND), all_claims=Rate(3, SECOND))

    def claims(address: str) -> bool:
        try:
            rates.claim(address, START)
        except Refused:
            return False
        return True

    assert [claims("192.0.2.1") for _ in range(4)] == [True, True, False, False]
    assert [claims(f"192.0.2.{number}") for number in (2, 3)] == [True, False]
