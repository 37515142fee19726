import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.framing import CERTAIN_END, LIMIT, Frame, Framer, Framing

CODE = b"]E02900000000018"


def frames(framer: Framer, chunks: list[bytes]) -> list[bytes]:
    return [frame.data for chunk in chunks for frame in framer.feed(chunk, 0.0)]


@pytest.mark.parametrize("suffix", [b"\r", b"\n", b"\r\n", b"\r\r", b"\n\r\n\r"])
@pytest.mark.parametrize("cut", range(len(CODE) + 4))
def test_a_code_is_one_frame_wherever_it_is_cut(suffix: bytes, cut: int) -> None:
    sent = CODE + suffix
    assert frames(Framer(), [sent[:cut], sent[cut:]]) == [CODE]


def test_several_codes_in_one_chunk() -> None:
    assert frames(Framer(), [b"1\r\n2\r\n3\r\n4"]) == [b"1", b"2", b"3"]


def test_other_terminators() -> None:
    assert frames(Framer(Framing(terminators="\t\x03")), [b"a\rb\tc\x03d"]) == [b"a\rb", b"c"]
    assert frames(Framer(Framing(terminators="]^")), [b"a]b^c"]) == [b"a", b"b"]


def test_the_group_separator_is_no_terminator() -> None:
    assert frames(Framer(), [b"\x1d0104600000000000\x1d91\r"]) == [b"\x1d0104600000000000\x1d91"]


def test_without_terminators_only_silence_ends_a_frame() -> None:
    framer = Framer(Framing(terminators=""))
    assert framer.feed(b"a\r\nb", 1.0) == []
    assert framer.expire(1.05) == [Frame(b"a\r\nb", 1.0)]


def test_silence_ends_a_code_without_suffix() -> None:
    framer = Framer()
    assert framer.deadline is None
    assert framer.feed(b"29", 10.0) == framer.feed(b"00", 10.04) == []
    assert framer.deadline == pytest.approx(10.09)
    assert framer.expire(10.08) == []
    assert framer.expire(10.09) == [Frame(b"2900", 10.04)]
    assert framer.deadline is None
    assert framer.expire(99.0) == []


def test_a_late_reader_does_not_split_a_code() -> None:
    framer = Framer()
    framer.feed(b"2900", 1.0)
    assert framer.feed(b"0018\r", 9.0) == [Frame(b"29000018", 9.0)]


def test_a_stall_in_a_scanner_with_suffix_gives_a_partial_frame_once() -> None:
    framer = Framer()
    framer.feed(b"1111\r", 0.0)
    framer.feed(b"22", 1.0)
    assert framer.expire(2.0) == [Frame(b"22", 1.0, partial=True)]
    framer.feed(b"3333", 3.0)  # its suffix has been switched off
    assert framer.expire(4.0) == [Frame(b"3333", 3.0)]


def test_where_the_device_says_what_the_end_is_a_code_without_it_is_half_a_code() -> None:
    framer = Framer(Framing(terminators=CERTAIN_END))
    for at in (0.0, 2.0):
        framer.feed(b"1111", at)
        assert framer.expire(at + 1) == [Frame(b"1111", at, partial=True)]
    assert framer.feed(b"2222\0", 4.0) == [Frame(b"2222", 4.0)]


def test_the_rest_of_a_code_that_stalled_is_no_code_of_its_own() -> None:
    framer = Framer()
    framer.feed(b"111\r29000", 1.0)
    assert framer.expire(1.1) == [Frame(b"29000", 1.0, partial=True)]
    framer.feed(b"0000", 1.3)
    assert framer.expire(1.4) == [Frame(b"0000", 1.3, partial=True)]
    assert framer.feed(b"0216\r4600\r", 1.7) == [Frame(b"0216", 1.7, partial=True), Frame(b"4600", 1.7)]
    framer.feed(b"29", 2.0)
    assert framer.expire(2.1) == [Frame(b"29", 2.0, partial=True)]
    assert framer.feed(b"46\r", 2.5) == [Frame(b"46", 2.5)]  # by then a person has scanned again


def test_a_code_that_begins_with_its_mark_is_no_rest() -> None:
    framer = Framer(Framing(start="\x02", terminators="\x03"))
    framer.feed(b"\x0229", 1.0)
    assert framer.expire(1.1) == [Frame(b"29", 1.0, partial=True)]
    assert framer.feed(b"\x0246\x03", 1.2) == [Frame(b"46", 1.2)]


def test_what_an_unplugged_scanner_leaves_behind_is_partial_and_never_glued_on() -> None:
    framer = Framer()
    framer.feed(b"2900", 1.0)
    assert framer.drop() == Frame(b"2900", 1.0, partial=True)
    assert framer.drop() is None
    assert framer.feed(b"5901234123457\r", 2.0) == [Frame(b"5901234123457", 2.0)]


def test_endless_noise_is_bounded_dropped_and_counted() -> None:
    framer = Framer(limit=100)
    for _ in range(1000):
        assert framer.feed(b"\x00" * 10, 1.0) == []
    assert framer.noise == 10_000
    assert framer.feed(b"tail\r29\r", 2.0) == [Frame(b"29", 2.0)]
    assert framer.noise == 10_004


def test_noise_is_ended_by_silence_too() -> None:
    framer = Framer(limit=4)
    framer.feed(b"12345", 1.0)
    assert framer.deadline == pytest.approx(1.05)
    assert framer.expire(1.05) == []
    assert framer.feed(b"1234\r", 2.0) == [Frame(b"1234", 2.0)]


STX_ETX = Framing(start="\x02", terminators="\x03")


@pytest.mark.parametrize("cut", range(20))
def test_between_stx_and_etx_a_line_end_belongs_to_the_code(cut: int) -> None:
    sent = b"\x02BEGIN\r\nEND\x03\r\n\x022900\x03\r\n"
    framer = Framer(STX_ETX)
    assert frames(framer, [sent[:cut], sent[cut:]]) == [b"BEGIN\r\nEND", b"2900"]
    assert framer.noise == 0


def test_what_lies_outside_stx_and_etx_is_noise() -> None:
    framer = Framer(STX_ETX)
    assert frames(framer, [b"rubbish", b"\x0229", b"00\x03xx"]) == [b"2900"]
    assert framer.noise == 9
    assert framer.deadline is None


def test_a_code_whose_end_is_lost_is_partial_and_the_next_is_whole() -> None:
    framer = Framer(STX_ETX)
    assert framer.feed(b"\x0229\x0246\x03", 1.0) == [Frame(b"29", 1.0, partial=True), Frame(b"46", 1.0)]
    framer.feed(b"\x0229", 2.0)
    assert framer.expire(3.0) == [Frame(b"29", 2.0, partial=True)]
    assert framer.feed(b"00\x03", 4.0) == [], "the end of a code whose begin was told already"
    framer.feed(b"\x0229", 5.0)
    assert framer.drop() == Frame(b"29", 5.0, partial=True)
    assert framer.feed(b"00\x03\x0246\x03", 6.0) == [Frame(b"46", 6.0)]


def test_prefix_and_suffix_are_taken_off_and_nothing_else() -> None:
    framer = Framer(Framing(prefix="@", suffix="##"))
    assert frames(framer, [b"@2900##\r\n", b"2900\r", b"@#29@#\r", b"@##\r\n", b" \x1d29 \r"]) == [
        b"2900",
        b"2900",
        b"#29@#",
        b" \x1d29 ",
    ]
    framer.feed(b"@29", 1.0)
    assert framer.drop() == Frame(b"@29", 1.0, partial=True)


@pytest.mark.parametrize("cut", range(15))
def test_codes_of_one_length_need_no_terminator(cut: int) -> None:
    sent = b"11112222\r\n3333"
    framer = Framer(Framing(length=4))
    assert frames(framer, [sent[:cut], sent[cut:]]) == [b"1111", b"2222", b"3333"]
    assert frames(Framer(Framing(length=4, terminators="")), [b"11\r\n22", b"22"]) == [b"11\r\n", b"2222"]
    assert frames(Framer(Framing(length=4, start="\x02", terminators="")), [b"\x021111x\x022222"]) == [
        b"1111",
        b"2222",
    ]


def test_what_is_shorter_than_the_length_is_partial() -> None:
    framer = Framer(Framing(length=4))
    assert framer.feed(b"111\r2222", 1.0) == [Frame(b"111", 1.0, partial=True), Frame(b"2222", 1.0)]
    framer.feed(b"33", 2.0)
    assert framer.expire(3.0) == [Frame(b"33", 2.0, partial=True)]


def test_the_silence_that_ends_a_code_can_be_chosen() -> None:
    framer = Framer(Framing(idle_ms=120))
    framer.feed(b"2900", 1.0)
    assert framer.deadline == pytest.approx(1.12)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"terminators": "я"}, "terminators: only ASCII"),
        ({"start": "\x02\x02"}, "start: one character"),
        ({"start": "\r"}, "start: one character"),
        ({"length": LIMIT + 1}, "length 8193"),
        ({"length": -1}, "length -1"),
        ({"idle_ms": 1}, "idle_ms 1"),
    ],
)
def test_a_senseless_framing_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Framing(**fields)  # type: ignore[arg-type]


def test_eight_kibibytes_are_the_most_that_is_kept() -> None:
    framer = Framer()
    framer.feed(b"7" * LIMIT, 1.0)
    assert framer.noise == 0
    framer.feed(b"7", 1.0)
    assert framer.noise == LIMIT + 1
    assert framer.feed(b"\r29\r", 1.0) == [Frame(b"29", 1.0)]


FRAMINGS = st.sampled_from(
    [
        Framing(),
        STX_ETX,
        Framing(length=3),
        Framing(prefix="2", suffix="7"),
        Framing(terminators=""),
        Framing(start="\x02", terminators=""),
        Framing(start="\x02", length=3),
    ]
)


@given(
    FRAMINGS,
    st.lists(
        st.binary(max_size=12) | st.sampled_from([b"\r", b"\n", b"\r\n", b"\x02", b"\x03", b"2900000000018"]),
        max_size=30,
    ),
    st.data(),
)
def test_any_chunking_of_the_same_bytes_gives_the_same_frames(
    framing: Framing, pieces: list[bytes], data: st.DataObject
) -> None:
    sent = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=20)))
    chunks = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    whole, cut = Framer(framing, limit=16), Framer(framing, limit=16)
    assert frames(whole, [sent]) == frames(cut, chunks)
    assert (whole.noise, whole.drop()) == (cut.noise, cut.drop())


@given(st.lists(st.binary(max_size=20), max_size=30))
def test_no_byte_is_made_up_and_none_is_lost(chunks: list[bytes]) -> None:
    framer = Framer()
    kept = b"".join(frames(framer, chunks)) + (rest.data if (rest := framer.drop()) else b"")
    assert kept == b"".join(chunks).replace(b"\r", b"").replace(b"\n", b"")
