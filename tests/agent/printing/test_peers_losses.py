"""Receipts that other tills printed twice, cut in half, or called printed when they were not: by the numbers under which the
users of odoo/odoo reported them. What is lost or doubled on the way to a server: tests/end_to_end/test_peers_losses.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .bench import Bench, Fault

if TYPE_CHECKING:
    from tests.agent.conftest import Store


@pytest.fixture(params=["default", "TM-T88V"])
def bench(request: pytest.FixtureRequest, store: Store) -> Bench:
    """A printer that says when it is done, and one that names what it has printed."""
    return Bench(store, request.param)


def print_with(bench: Bench, fault: Fault) -> None:
    """A receipt that meets the fault, and another one a minute later."""

    def begin() -> None:
        bench.fault = fault
        bench.add("первый")

    bench.world.after(5.0, begin)
    bench.world.after(65.0, lambda: bench.add("второй"))
    bench.run()


def test_odoo_244076_a_printer_that_is_away_for_seconds_prints_once(bench: Bench) -> None:
    """The printer was forgotten for seconds; whoever tried again had it twice."""
    bench.absent = True
    bench.world.after(5.0, lambda: bench.add("первый"))
    bench.world.after(12.0, lambda: setattr(bench, "absent", False))
    bench.run()
    assert (bench.states(), bench.copies("первый")) == ({"первый": ("printed", "")}, 1)


def test_odoo_59059_what_was_printed_although_nobody_heard_of_it_is_not_printed_again(bench: Bench) -> None:
    """An error was shown, the receipt had come out, and came out once more."""
    print_with(bench, Fault(bench.length("первый"), bench.hang_up))
    assert (bench.copies("первый"), bench.copies("второй")) == (1, 1)
    assert bench.states()["первый"][0] in ("unknown", "printed")


def test_odoo_258841_a_slow_printer_gets_the_whole_receipt(bench: Bench) -> None:
    """After three seconds the sending was ended in the middle of the receipt."""

    def stall() -> None:
        bench.stalled = True
        bench.world.after(30.0, lambda: setattr(bench, "stalled", False))

    print_with(bench, Fault(bench.length("первый") // 2, stall))
    assert bench.states() == {"первый": ("printed", ""), "второй": ("printed", "")}
    assert (bench.copies("первый"), bench.copies("второй")) == (1, 1)


def test_odoo_47635_a_receipt_that_was_cut_off_leaves_no_line_on_the_next_one(bench: Bench) -> None:
    """Lines of the last receipt stood on the next one."""
    print_with(bench, Fault(bench.length("первый") // 2, bench.hang_up))
    assert bench.states()["первый"][0] == "unknown"
    (second,) = [piece.text for piece in bench.pieces if "второй" in piece.text]
    assert bench.copies("второй") == 1
    assert "первый" not in second


@pytest.mark.parametrize("thread", ["odoo 208058", "odoo 208611"])
def test_what_is_not_on_the_paper_is_not_called_printed(bench: Bench, thread: str) -> None:
    """The receipt was reported as printed while the paper was out."""
    states: list[str] = []

    def end_the_paper() -> None:
        bench.mechanism.fail_after(0, "paper_out")
        bench.world.after(50.0, lambda: states.append(bench.states()["первый"][0]))
        bench.world.after(55.0, bench.mechanism.new_roll)

    print_with(bench, Fault(bench.length("первый") // 2, end_the_paper))
    assert states[0] in ("sending", "held"), thread
    assert bench.copies("первый") == 1
