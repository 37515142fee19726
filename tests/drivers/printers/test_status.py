"""Replies are told apart by their bits, whatever stands between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printers.escpos.commands import split
from drivers.printers.escpos.status import (
    ASK_NAME,
    AUTOMATIC_ON,
    CLEAR,
    RECOVER,
    RECOVER_AND_CLEAR,
    Answer,
    Automatic,
    Block,
    Cleared,
    Condition,
    Fence,
    Flow,
    Printed,
    Replies,
    Reply,
    automatic_condition,
    condition,
    job_id_command,
)

ASB = b"\x18\x00\x0f\x00"
SAMPLES: list[tuple[bytes, Reply]] = [
    (b"\x12", Answer(None, 0x12)),
    (b"\x7e", Answer(None, 0x7E)),
    (b"\x0f", Fence(0x0F)),
    (b"\x00", Fence(0x00)),
    (ASB, Automatic(ASB)),
    (b"\x10\x00\x00\x0f", Automatic(b"\x10\x00\x00\x0f")),
    (b"_EPSON\x00", Block(b"_EPSON")),
    (b"7\x22abcd\x00", Printed(b"abcd")),
    (b"7\x22~ !r\x00", Printed(b"~ !r")),
    (b"7\x25\x00", Cleared()),
    (b"7\x22abc\x00", Block(b"7\x22abc")),
    (b"7\x27a\x1fb\x00", Block(b"7\x27a\x1fb")),
    (b"=\x21x\x00", Block(b"=\x21x")),
    (b";1\x00", Block(b";1")),
    (b"\x18\x04\x0c\x0f", Automatic(b"\x18\x04\x0c\x0f")),
    (b"\x11", Flow(go_on=True)),
    (b"\x13", Flow(go_on=False)),
]


@given(st.lists(st.sampled_from(SAMPLES)), st.lists(st.integers(1, 5)))
def test_any_mixture_in_any_pieces(sent: list[tuple[bytes, Reply]], cuts: list[int]) -> None:
    stream, replies, got, at = b"".join(raw for raw, _ in sent), Replies(), [], 0
    for size in [*cuts, len(stream)]:
        got += replies.feed(stream[at : at + size])
        at += size
    assert got == [reply for _, reply in sent]


@pytest.mark.parametrize(("raw", "reply"), [pair for pair in SAMPLES if len(pair[0]) > 1])
@pytest.mark.parametrize("flow", [0x11, 0x13])
def test_flow_control_may_stand_inside_a_reply(raw: bytes, reply: Reply, flow: int) -> None:
    for at in range(1, len(raw)):
        mixed = raw[:at] + bytes([flow]) + raw[at:]
        assert Replies().feed(mixed) == [Flow(flow == 0x11), reply]


def test_an_answer_may_stand_inside_an_automatic_status() -> None:
    assert Replies().feed(ASB[:2] + b"\x12" + ASB[2:]) == [Answer(None, 0x12), Automatic(ASB)]


def test_answers_belong_to_the_queries_in_their_order() -> None:
    replies = Replies()
    replies.asked(1, 2, 4)
    assert replies.feed(b"\x1a" + ASB + b"\x32\x11\x72\x12") == [
        Answer(1, 0x1A),
        Automatic(ASB),
        Answer(2, 0x32),
        Flow(go_on=True),
        Answer(4, 0x72),
        Answer(None, 0x12),
    ]


def test_a_lost_answer_does_not_shift_the_next_round() -> None:
    replies = Replies()
    replies.asked(1, 2)
    replies.feed(b"\x12")
    replies.asked(4)
    assert replies.feed(b"\x1e") == [Answer(4, 0x1E)]


def test_a_text_without_an_end_is_given_up() -> None:
    replies = Replies()
    assert replies.feed(b"_" + b"x" * 254) == []
    assert replies.feed(b"x") == [Block(b"_" + b"x" * 255)]
    assert replies.feed(b"\x12") == [Answer(None, 0x12)]


@pytest.mark.parametrize(
    ("answers", "expected", "problem"),
    [
        ({}, Condition(), None),
        ({1: 0x12, 2: 0x12, 3: 0x12, 4: 0x12}, Condition(), None),
        ({1: 0x1A, 2: 0x32, 4: 0x7E}, Condition(offline=True, paper_out=True, paper_low=True), "paper_out"),
        ({1: 0x1A, 2: 0x36, 4: 0x7E}, Condition(True, True, True, True), "cover_open"),
        ({4: 0x1E}, Condition(paper_low=True), None),
        ({3: 0x1A}, Condition(cutter=True), "cutter"),
        ({2: 0x52, 3: 0x32}, Condition(error=True), "error"),
        ({1: 0x1A}, Condition(offline=True), "offline"),
    ],
)
def test_the_condition_from_answers(answers: dict[int, int], expected: Condition, problem: str | None) -> None:
    assert condition(answers) == expected
    assert condition(answers).problem == problem


@pytest.mark.parametrize(("status", "reply"), [(b"\x1a", Answer(None, 0x1A)), (ASB, Automatic(ASB))])
def test_a_text_that_was_cut_off_takes_nothing_with_it(status: bytes, reply: Reply) -> None:
    """The power went in the middle of a reply; it comes back on the same line."""
    assert Replies().feed(b"7\x22ab" + status + b"_Printer\x00\x00") == [reply, Block(b"_Printer"), Fence(0)]


@pytest.mark.parametrize(
    ("bits", "expected", "problem"),
    [
        (b"\x10\x00\x00\x00", Condition(), None),
        (b"\x10\x00\x03\x00", Condition(paper_low=True), None),
        (b"\x18\x00\x0f\x00", Condition(offline=True, paper_out=True, paper_low=True), "paper_out"),
        (b"\x38\x00\x00\x00", Condition(offline=True, cover_open=True), "cover_open"),
        (b"\x18\x08\x00\x00", Condition(offline=True, cutter=True), "cutter"),
        (b"\x18\x20\x00\x00", Condition(offline=True, error=True), "error"),
        (b"\x18\x40\x00\x00", Condition(offline=True, overheated=True), "overheated"),
    ],
)
def test_the_condition_from_an_automatic_status(bits: bytes, expected: Condition, problem: str | None) -> None:
    assert automatic_condition(Automatic(bits)) == expected
    assert automatic_condition(Automatic(bits)).problem == problem


def test_what_a_printer_is_told_is_a_command_each() -> None:
    commands = [job_id_command(b"a~ 1"), ASK_NAME, AUTOMATIC_ON, CLEAR, RECOVER, RECOVER_AND_CLEAR]
    assert [command.name for command in split(b"".join(commands))] == [
        *("GS ( H", "GS I", "GS a", "DLE DC4", "DLE ENQ", "DLE ENQ")
    ]


@pytest.mark.parametrize("job", [b"", b"abc", b"abcde", b"ab\x1fc", b"abc\x7f", b"ab\xe0c"])
def test_a_job_id_that_no_printer_takes_is_refused(job: bytes) -> None:
    with pytest.raises(ValueError, match="four bytes"):
        job_id_command(job)
