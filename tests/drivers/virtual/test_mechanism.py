"""The inside of the virtual printer, byte by byte, without a cable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printers.escpos.paper import Paper
from drivers.printers.escpos.status import AUTOMATIC_ON, CLEAR, RECOVER, RECOVER_AND_CLEAR, job_id_command
from drivers.virtual.mechanism import Mechanism
from drivers.virtual.options import Model

RECEIPT = b"\x1b@\x1bt\x11Total 5.00\n\x1dVB\x00"
FENCE = b"\x1dr\x01"
EOT = [b"\x10\x04" + bytes([query]) for query in (1, 2, 3, 4)]
ASB_ON = b"\x1da\x0f"
READY, OUT, COVER = b"\x10\x00\x00\x00", b"\x18\x00\x0f\x00", b"\x38\x00\x00\x00"


class Bench:
    """A mechanism and the papers that fell out of it, in a time that stands still."""

    def __init__(self, **model: object) -> None:
        self.papers: list[Paper] = []
        self.time = 100.0
        self.printer = Mechanism(Model(384, **model), self.papers.append, lambda: self.time)  # type: ignore[arg-type]

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
    bench.printer.fail_after(after, "paper_out")
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


@pytest.mark.parametrize(
    ("fault", "answers", "automatic"),
    [
        ("cutter", b"\x1a\x52\x1a\x12", b"\x18\x08\x00\x00"),
        ("broken", b"\x1a\x52\x32\x12", b"\x18\x20\x00\x00"),
        ("overheated", b"\x1a\x52\x52\x12", b"\x18\x40\x00\x00"),
        ("cover", b"\x1a\x16\x12\x12", COVER),
        ("paper_out", b"\x1a\x32\x12\x7e", OUT),
        ("near_end", b"\x12\x12\x12\x1e", b"\x10\x00\x03\x00"),
    ],
)
def test_each_fault_has_its_own_bits(bench: Bench, fault: str, answers: bytes, automatic: bytes) -> None:
    assert bench.send(ASB_ON) == READY
    bench.printer.fail_after(0, fault)
    assert bench.printer.work() == automatic
    assert b"".join(bench.send(query) for query in EOT) == answers
    bench.send(RECEIPT + FENCE)
    assert len(bench.papers) == (fault == "near_end")


@given(st.integers(0, len(RECEIPT + FENCE)), st.sampled_from(["cover", "cutter", "overheated"]), st.integers(1, 9))
def test_any_fault_at_any_byte_loses_and_doubles_nothing(after: int, fault: str, piece: int) -> None:
    bench = Bench()
    bench.printer.fail_after(after, fault)
    job = RECEIPT + FENCE
    replies = b"".join(bench.send(job[at : at + piece]) for at in range(0, len(job), piece))
    assert bench.printer.offline
    assert (len(bench.papers), replies) == (int(after >= len(RECEIPT)), b"\x00" * (after == len(job)))
    bench.printer.cover_open = bench.printer.hot = False
    replies += bench.send(RECOVER)
    assert (bench.texts, replies) == (["Total 5.00\n"], b"\x00")


@given(st.integers(0, len(RECEIPT + FENCE)))
def test_it_may_fall_silent_at_any_byte(after: int) -> None:
    bench = Bench()
    bench.printer.fail_after(after, "mute")
    assert bench.send(RECEIPT + FENCE + EOT[0]) == b""
    assert bench.texts == ["Total 5.00\n"]


def test_several_faults_wait_for_their_bytes(bench: Bench) -> None:
    bench.printer.fail_after(8, "cover")
    bench.printer.fail_after(4, "near_end")
    bench.send(b"1234")
    assert (bench.printer.paper, bench.printer.offline) == ("near_end", False)
    bench.send(b"5678")
    assert bench.printer.cover_open


def test_a_cutter_error_is_held_until_it_is_ended_by_the_host(bench: Bench) -> None:
    bench.printer.cutter_jammed = True
    assert bench.send(RECEIPT + FENCE + job_id_command(b"0001")) == b""
    assert (bench.send(b"\x10\x05\x00"), bench.texts) == (b"", [])
    assert bench.send(RECOVER) == b"\x007\x220001\x00"
    assert bench.texts == ["Total 5.00\n"]


def test_an_error_may_be_ended_and_what_is_held_forgotten(bench: Bench) -> None:
    bench.printer.fail_after(len(RECEIPT) - 6, "cutter")
    assert bench.send(RECEIPT + FENCE) == b""
    assert bench.send(RECOVER_AND_CLEAR + FENCE) == b"\x00"
    assert (bench.papers, bench.printer.held) == ([], 0)
    bench.send("Итого\n\x1dV\0".encode("cp866"))
    assert bench.texts == ["Итого\n"]  # the code page of the forgotten job


@pytest.mark.parametrize("command", [RECOVER, RECOVER_AND_CLEAR])
@pytest.mark.parametrize("fault", ["paper_out", "cover", "overheated", "broken"])
def test_only_a_cutter_error_is_ended_that_way(bench: Bench, command: bytes, fault: str) -> None:
    bench.printer.fail_after(0, fault)
    bench.send(RECEIPT)
    bench.send(command)
    assert bench.printer.offline
    assert bench.printer.held == len(RECEIPT + command)
    if fault == "broken":
        bench.printer.lose_power()
        assert not bench.printer.offline


@pytest.mark.parametrize("fault", ["paper_out", "cover", "cutter", "overheated"])
def test_a_held_job_can_be_withdrawn(bench: Bench, fault: str) -> None:
    bench.printer.fail_after(12, fault)
    bench.send(RECEIPT + FENCE)
    assert bench.send(CLEAR) == b"7\x25\x00"
    assert bench.printer.held == 0
    bench.printer.new_roll()
    bench.printer.cover_open = bench.printer.cutter_jammed = bench.printer.hot = False
    assert bench.send(b"next\n\x1dV\x00" + FENCE) == b"\x00"
    assert bench.texts == ["next\n"]


def test_withdrawing_takes_what_came_before_and_not_what_comes_after(bench: Bench) -> None:
    bench.printer.cover_open = True
    assert bench.send(RECEIPT + CLEAR + b"kept\n\x1dV\x00") == b"7\x25\x00"
    bench.printer.cover_open = False
    bench.printer.work()
    assert bench.texts == ["kept\n"]


def test_withdrawing_frees_a_printer_that_waits_for_the_rest_of_a_picture(bench: Bench) -> None:
    bench.send(b"\x1dv0\x00\x30\x00\x40\x00" + b"\xff" * 99)
    assert bench.send(CLEAR) == b"7\x25\x00"
    bench.send(RECEIPT)
    assert bench.texts == ["Total 5.00\n"]


@pytest.mark.parametrize("wrong", [CLEAR[:-1] + b"\x09", CLEAR[:3] + b"\x02" + CLEAR[4:]])
def test_only_the_right_seven_bytes_withdraw(bench: Bench, wrong: bytes) -> None:
    bench.printer.cover_open = True
    assert bench.send(RECEIPT + wrong) == b""
    bench.printer.cover_open = False
    bench.printer.work()
    assert bench.texts == ["Total 5.00\n"]


def test_drawer_kicks_are_counted(bench: Bench) -> None:
    def kicks(stream: bytes) -> int:
        before = bench.printer.drawer_kicks
        bench.send(stream)
        return bench.printer.drawer_kicks - before

    picture = b"\x1dv0\x00\x05\x00\x01\x00"
    pulse = b"\x10\x14\x01\x00\x05"
    assert kicks(b"\x1bp\x00\x19\xfa") == 1
    assert kicks(pulse) == 1
    assert kicks(picture + pulse) == 1  # obeyed inside a picture
    assert kicks(b"\x10\x14\x03\x00\x00\x00\x01\x00") == 1
    assert kicks(b"\x1d(D\x03\x00\x14\x01\x00" + picture + pulse) == 0
    assert kicks(b"\x1d(D\x03\x00\x14\x01\x01" + pulse) == 1
    assert kicks(b"\x1d(D\x03\x00\x14\x01\x00\x1b@" + pulse) == 1
    assert kicks(RECEIPT + b"\x10\x14\x02\x01\x08" + CLEAR) == 0


def test_automatic_status_tells_what_was_asked_for() -> None:
    def told(mask: int, fault: str) -> bool:
        printer = Bench().printer
        assert printer.receive(b"\x1da" + bytes([mask])) == READY
        printer.fail_after(0, fault)
        return printer.work() != b""

    faults = ("paper_out", "near_end", "cover", "cutter")
    assert [told(0x08, fault) for fault in faults] == [True, True, False, False]
    assert [told(0x02, fault) for fault in faults] == [True, False, True, True]
    assert [told(0x04, fault) for fault in faults] == [False, False, False, True]
    assert [told(0x01, fault) for fault in faults] == [False] * 4
    assert [told(AUTOMATIC_ON[2], fault) for fault in faults] == [True] * 4


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("all", b"\x127\x25\x00\x00_Virtual printer\x007\x220001\x00" + READY),
        ("no_ids", b"\x127\x25\x00\x00_Virtual printer\x00" + READY),
        ("status_only", b"\x12"),
        ("none", b""),
    ],
)
def test_a_printer_may_lack_answers(answers: str, expected: bytes) -> None:
    bench = Bench(answers=answers)
    replies = bench.send(EOT[0]) + bench.send(CLEAR)
    assert replies + bench.send(FENCE + b"\x1dIC" + job_id_command(b"0001") + ASB_ON) == expected
    bench.send(RECEIPT)
    assert bench.texts == ["Total 5.00\n"]


def test_answers_that_no_printer_gives_are_refused() -> None:
    with pytest.raises(ValueError, match=r"answers: 'some' is none of all, no_ids, status_only, none"):
        Model(answers="some")  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="no slots known"):
        Model(family="abacus")


def test_what_does_not_fit_is_lost_and_counted() -> None:
    bench = Bench(buffer=45)
    bench.printer.cover_open = True
    bench.send(b"1234567890" * 4)
    assert (bench.printer.room, bench.printer.dropped) == (5, 0)
    bench.send(b"12345lost")
    assert (bench.printer.held, bench.printer.room, bench.printer.dropped) == (45, 0, 4)
    assert bench.send(EOT[1]) == b"\x16"  # obeyed though there is no room for it
    bench.printer.cover_open = False
    bench.printer.work()
    bench.send(b"\n\x1dV\x00")
    assert "".join(bench.texts).replace("\n", "") == "1234567890" * 4 + "12345"


def test_a_printer_that_can_print_empties_its_buffer_meanwhile() -> None:
    bench = Bench(buffer=45)
    bench.send(b"0123456789\n" * 50 + b"\x1dV\x00" + FENCE)
    assert (bench.texts, bench.printer.dropped) == (["0123456789\n" * 50], 0)


def test_paper_takes_its_time() -> None:
    """100 mm/s are 800 dots: a line of 30 dots takes 37.5 ms, and the fence is answered when the last is printed."""
    bench = Bench(speed=100)
    assert bench.send(b"line\n" * 3 + FENCE) == b""
    for _ in range(2):
        bench.time += 0.0376
        assert bench.printer.work() == b""
    assert 0 < bench.printer.busy_for <= 0.0375
    bench.time += 0.0376
    assert bench.printer.work() == b"\x00"
    assert (bench.printer.busy_for, bench.printer.held) == (0, 0)


def test_a_slow_printer_loses_what_comes_too_fast() -> None:
    bench = Bench(speed=100, buffer=64)
    bench.send(b"0123456789\n" * 20)
    assert bench.printer.dropped > 100


def test_other_families_have_other_slots() -> None:
    bench = Bench(family="star")
    bench.send(b"\x1bt\x0a" + "Итого\n\x1dV\0".encode("cp866"))
    assert (bench.texts, bench.papers[0].faults) == (["Итого\n"], ())
    chinese = Bench(chinese=True)
    chinese.send(b"\x1bt\x11" + "Итого\n\x1dV\0".encode("cp866"))
    assert chinese.texts != ["Итого\n"]
