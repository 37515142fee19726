"""The pace of a serial line and its flow control, in a time that passes when told."""

import pytest

from drivers.virtual.line import Flow, FlowControl, Throttle


class Time:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_bytes_come_at_the_pace_of_the_line() -> None:
    time = Time()
    throttle, taken = Throttle(9600, time), 0
    for _ in range(1000):
        allowed = throttle.allowance(16384)
        taken += allowed
        if allowed:
            throttle.took(allowed, allowed)
        time.now += 0.001
    assert 955 <= taken <= 965


def test_an_idle_line_saves_nothing_up() -> None:
    time = Time()
    throttle = Throttle(9600, time)
    assert throttle.allowance(100) == 1
    throttle.took(0, 1)
    time.now += 60
    assert (throttle.pause, throttle.allowance(100)) == (None, 1)
    throttle.took(1, 1)
    assert throttle.pause == pytest.approx(0.0036, abs=0.001)
    time.now += 0.01
    assert throttle.allowance(100) == 10
    assert throttle.allowance(5) == 5
    throttle.took(3, 10)
    assert throttle.pause is None


def test_without_a_pace_all_comes_at_once() -> None:
    throttle = Throttle(0, Time())
    throttle.took(0, 16384)
    assert (throttle.allowance(16384), throttle.pause) == (16384, None)


def test_xoff_comes_before_the_buffer_is_full_and_xon_when_there_is_room_again() -> None:
    flow = FlowControl("xonxoff", 4096)
    assert [flow.signals(room) for room in (4096, 129, 128, 50, 255, 256, 4096)] == [
        *(b"", b"", b"\x13", b"", b"", b"\x11", b"")
    ]
    assert [flow.until_signal(room) for room in (4096, 129, 100)] == [3968, 1, 1]
    small = FlowControl("xonxoff", 45)
    assert [small.signals(room) for room in (23, 22, 32, 33)] == [b"", b"\x13", b"", b"\x11"]


@pytest.mark.parametrize(("flow", "ready"), [("dtr", False), ("none", True), ("hold", True)])
def test_other_flow_control_sends_nothing(flow: Flow, ready: bool) -> None:
    control = FlowControl(flow, 4096)
    assert control.until_signal(4096) == (3968 if flow == "dtr" else None)
    assert control.signals(0) == b""
    assert control.until_signal(0) is None
    assert (control.ready, control.sent_xoff, control.holds_back) == (ready, False, flow == "hold")
    assert control.signals(4096) == b""
    assert control.ready
