"""The inside of the virtual printer, byte by byte, without a cable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printers.escpos.paper import Paper
from drivers.virtual.mechanism import Mechanism

RECEIPT = b"\x1b@\x1bt\x11Total 5.00\n\x1dVB\x00"
FENCE = b"\x1dr\x01"
EOT = [b"\x10\x04" + bytes([query]) for query in (1, 2, 3, 4)]
ASB_ON = b"\x1da\x0f"
READY, OUT, COVER = b"\x10\x00\x00\x00", b"\x18\x00\x0f\x00", b"\x38\x00\x00\x00"


class Bench:
    """A mechanism and the papers that fell out of it."""

    def __init__(self) -> None:
        self.papers: list[Paper] = []
        self.printer = Mechanism(384, self.papers.append)

    def send(self, data: bytes) -> bytes:
        return self.printer.receive(data)

    @property
    def texts(self) -> list[str]:
        return [paper.text for paper in self.papers]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_real_time_queries_tell_the_state(bench: Bench) -> None:
    def answers() -> bytes:
        return b"".join(bench.send(query) for query in EOT)

    assert answers() == b"\x12\x12\x12\x12"
    bench.printer.paper = "near_end"
    assert answers() == b"\x12\x12\x12\x1e"
    bench.printer.paper = "out"
    assert answers() == b"\x1a\x32\x12\x7e"
    bench.printer.new_roll()
    bench.printer.cover_open = True
    assert answers() == b"\x1a\x16\x12\x12"


@pytest.mark.parametrize("fault", ["paper", "cover"])
def test_data_is_held_while_it_cannot_print_and_printed_once_after(bench: Bench, fault: str) -> None:
    if fault == "paper":
        bench.printer.paper = "out"
    else:
        bench.printer.cover_open = True
    assert bench.send(RECEIPT + FENCE) == b""
    assert (bench.papers, bench.printer.held) == ([], len(RECEIPT + FENCE))
    assert bench.send(EOT[0]) == b"\x1a"  # asked in real time, it answers all the same
    bench.printer.new_roll()
    bench.printer.cover_open = False
    assert bench.printer.work() == b"\x00"
    assert (bench.texts, bench.printer.held) == (["Total 5.00\n"], 0)
    assert bench.printer.work() == b""


@given(st.integers(0, len(RECEIPT + FENCE)), st.integers(1, 9))
def test_paper_may_end_at_any_byte_of_a_job(after: int, piece: int) -> None:
    """Held, then finished: one whole receipt, and the fence not before it."""
    bench = Bench()
    bench.printer.end_paper_after(after)
    job = RECEIPT + FENCE
    replies = b"".join(bench.send(job[at : at + piece]) for at in range(0, len(job), piece))
    assert bench.printer.paper == "out"
    cut, fenced = after >= len(RECEIPT), after == len(job)
    assert (len(bench.papers), replies) == (int(cut), b"\x00" * fenced)
    bench.printer.new_roll()
    replies += bench.printer.work()
    assert (bench.texts, replies) == (["Total 5.00\n"], b"\x00")
    assert all(paper.faults == () for paper in bench.papers)


def test_the_fence_is_answered_in_order_with_the_data(bench: Bench) -> None:
    assert bench.send(b"\x1dv0\x00\x01\x00\x03\x00" + FENCE) == b""  # it was image data
    assert bench.send(FENCE) == b"\x00"
    bench.printer.paper = "near_end"
    assert bench.send(FENCE + b"\x1dr\x02") == b"\x03\x00"


def test_a_query_inside_a_picture_is_answered_and_stays_a_part_of_it(bench: Bench) -> None:
    assert bench.send(b"\x1dv0\x00\x01\x00\x03\x00" + EOT[3] + b"\x1dV\x00") == b"\x12"
    assert bench.texts == ["[picture 8x3]\n"]


def test_automatic_status_comes_at_once_and_at_each_change(bench: Bench) -> None:
    assert bench.send(ASB_ON) == READY
    assert bench.send(b"text\n") == b""
    bench.printer.paper = "out"
    assert bench.printer.work() == OUT
    assert bench.printer.work() == b""
    bench.printer.new_roll()
    assert bench.printer.work() == READY
    bench.printer.cover_open = True
    assert bench.printer.work() == COVER
    bench.printer.cover_open = False
    assert bench.printer.work() == READY
    assert bench.send(ASB_ON) == READY
    assert bench.send(b"\x1da\x00") == b""


def test_a_reset_command_turns_automatic_status_off(bench: Bench) -> None:
    bench.send(ASB_ON + b"\x1b@")
    bench.printer.paper = "out"
    assert bench.printer.work() == b""


def test_a_mute_printer_prints_and_says_nothing(bench: Bench) -> None:
    bench.printer.mute = True
    assert bench.send(EOT[0] + RECEIPT + FENCE + ASB_ON) == b""
    assert len(bench.papers) == 1
    bench.printer.mute = False
    assert bench.send(EOT[0]) == b"\x12"


def test_names_and_job_numbers(bench: Bench) -> None:
    assert bench.send(b"\x1dIB\x1dIC") == b"_Tillmate\x00_Virtual printer\x00"
    assert bench.send(b"\x1dI\x01") == b"\x20"
    assert bench.send(b"\x1d(H\x06\x0000abcd") == b"7\x22abcd\x00"


def test_power_loss_takes_what_is_not_on_paper(bench: Bench) -> None:
    bench.send(ASB_ON + b"printed\n" + b"\x1dv0\x00\x30\x00\x40\x00" + b"\xff" * 99)
    bench.printer.lose_power()
    bench.printer.paper = "out"
    bench.send(b"lost\n")
    bench.printer.lose_power()
    bench.printer.new_roll()
    assert bench.printer.work() == b""
    bench.send(b"after\n\x1dV\x00")
    assert bench.texts == ["printed\nafter\n"]


def test_without_a_power_loss_a_cut_off_picture_swallows_the_next_receipt(bench: Bench) -> None:
    """As on real printers; it is why a job has to be whole."""
    bench.send(b"\x1dv0\x00\x30\x00\x40\x00" + b"\xff" * 99)
    bench.send(RECEIPT)
    assert bench.papers == []


def test_paper_without_a_cut_is_torn_off_by_hand(bench: Bench) -> None:
    bench.send(b"no cutter\n\x1bd\x04")
    assert bench.papers == []
    bench.printer.tear()
    bench.printer.tear()
    assert [text.strip() for text in bench.texts] == ["no cutter"]
