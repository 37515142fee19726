"""The splitter: lengths from the manual, any pieces, nothing lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printers.escpos.commands import Command, RealTime, Splitter, split

WHOLE = [
    ("ESC @", b"\x1b@"),
    ("ESC !", b"\x1b!\x18"),
    ("ESC $", b"\x1b$\x10\x01"),
    ("ESC *", b"\x1b*\x21\x02\x00" + bytes(6)),
    ("ESC *", b"\x1b*\x01\x02\x00" + bytes(2)),
    ("ESC &", b"\x1b&\x03\x41\x42\x02" + bytes(6) + b"\x01" + bytes(3)),
    ("ESC D", b"\x1bD\x08\x10\x00"),
    ("ESC SP", b"\x1b \x02"),
    ("ESC U", b"\x1bU\x01"),
    ("ESC c", b"\x1bc5\x01"),
    ("ESC p", b"\x1bp\x00\x19\xfa"),
    ("ESC W", b"\x1bW" + bytes(8)),
    ("ESC ( A", b"\x1b(A\x04\x000\x07\x03\x01"),
    ("GS V", b"\x1dV\x00"),
    ("GS V", b"\x1dVB\x1b"),
    ("GS ( k", b"\x1d(k\x05\x001P0\x1b@"),
    ("GS 8 L", b"\x1d8L\x03\x00\x00\x000p\x10"),
    ("GS v 0", b"\x1dv0\x00\x02\x00\x03\x00\x1b@\x10\x04\x01\n"),
    ("GS k", b"\x1dk\x04AB\x00"),
    ("GS k", b"\x1dkI\x03\x1b@\x00"),
    ("GS *", b"\x1d*\x01\x02" + bytes(16)),
    ("GS C", b"\x1dC01;"[:3] + b"\x03\x01"),
    ("GS C", b"\x1dC;1;9;1;1;1;"),
    ("GS r", b"\x1dr\x01"),
    ("GS a", b"\x1da\x0f"),
    ("GS I", b"\x1dIB"),
    ("GS ( H", b"\x1d(H\x06\x0000abcd"),
    ("FS .", b"\x1c."),
    ("FS q", b"\x1cq\x02\x01\x00\x01\x00" + bytes(8) + b"\x01\x00\x02\x00" + bytes(16)),
    ("FS 2", b"\x1c2\x77\x21" + bytes(72)),
    ("FS g", b"\x1cg1\x00\x00\x00\x00\x00\x02\x00ab"),
    ("DLE EOT", b"\x10\x04\x01"),
    ("DLE EOT", b"\x10\x04\x08\x03"),
    ("DLE ENQ", b"\x10\x05\x02"),
    ("DLE DC4", b"\x10\x14\x01\x00\x05"),
    ("DLE DC4", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"),
    ("LF", b"\n"),
    ("NUL", b"\x00"),
    ("unknown", b"\x1b\x01"),
    ("unknown", b"\x07"),
]

pieces = st.lists(
    st.sampled_from([raw for _, raw in WHOLE]) | st.binary(max_size=12) | st.just("Привет".encode("cp866"))
)


@pytest.mark.parametrize(("name", "raw"), WHOLE, ids=[f"{name} {raw[:6].hex()}" for name, raw in WHOLE])
def test_a_command_ends_where_the_manual_says(name: str, raw: bytes) -> None:
    assert split(raw + b"\nText") == [Command(name, raw), Command("LF", b"\n"), Command("text", b"Text")]


@pytest.mark.parametrize(("name", "raw"), WHOLE, ids=[f"{name} {raw[:6].hex()}" for name, raw in WHOLE])
def test_it_comes_out_with_its_last_byte_and_not_before(name: str, raw: bytes) -> None:
    splitter = Splitter()
    for at in range(len(raw) - 1):
        assert splitter.feed(raw[at : at + 1]) == []
        assert splitter.pending == raw[: at + 1]
    assert splitter.feed(raw[-1:]) == [Command(name, raw)]
    assert splitter.pending == b""


@given(pieces, st.lists(st.integers(1, 40)))
def test_any_stream_in_any_pieces_gives_the_same_commands(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    splitter, commands, at = Splitter(), [], 0
    for size in [*cuts, len(stream)]:
        commands += splitter.feed(stream[at : at + size])
        at += size
    assert b"".join(command.raw for command in commands) + splitter.pending == stream
    whole = Splitter()
    assert joined(commands) == joined(whole.feed(stream))


def joined(commands: list[Command]) -> list[Command]:
    """Runs of text may be cut anywhere; put them together again."""
    result: list[Command] = []
    for command in commands:
        if result and command.name == "text" == result[-1].name:
            result[-1] = Command("text", result[-1].raw + command.raw)
        else:
            result.append(command)
    return result


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"\x1b", "unknown"), (b"\x1bt", "ESC t"), (b"\x1d(k\x05\x00", "GS ( k"), (b"\x1d8L\x01", "GS 8 L")],
)
def test_what_is_pending_has_a_name_as_soon_as_it_can(start: bytes, name: str) -> None:
    splitter = Splitter()
    splitter.feed(b"a\n" + start)
    assert splitter.pending_name == name


def test_a_stream_that_is_cut_off_says_so() -> None:
    assert split(b"\x1b@\x1dv0\x00\x02\x00") == [Command("ESC @", b"\x1b@"), Command("unknown", b"\x1dv0\x00\x02\x00")]


def test_arguments_stand_after_the_letters() -> None:
    assert [command.args for command in split(b"\x1bt\x11\x1d(k\x03\x001Q0\x1b \x02ab\n")] == [
        b"\x11",
        b"\x03\x001Q0",
        b"\x02",
        b"ab",
        b"",
    ]


@given(st.binary(max_size=20).map(lambda noise: noise.replace(b"\x10", b"")), st.integers(0, 40))
def test_a_query_is_found_inside_a_picture_and_across_pieces(noise: bytes, at: int) -> None:
    stream = b"\x1dv0\x00\x10\x00\x04\x00" + noise + b"\x10\x04\x02" + noise + b"\x10\x05\x01" + noise
    watch = RealTime()
    found = watch.feed(stream[:at]) + watch.feed(stream[at:])
    assert found == [Command("DLE EOT", b"\x10\x04\x02"), Command("DLE ENQ", b"\x10\x05\x01")]


def test_what_only_looks_like_a_query_is_not_one() -> None:
    assert RealTime().feed(b"\x10\x10\x04\x09\x10\x14\x09\x10") == []
    assert RealTime().feed(b"\x10\x10\x04\x01") == [Command("DLE EOT", b"\x10\x04\x01")]


@given(
    st.lists(st.sampled_from([b"\x10\x04\x01", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", b"ab", b"\x10", b"\x1b@"])),
    st.integers(0, 60),
)
def test_a_chunk_is_cut_behind_each_real_time_command(parts: list[bytes], at: int) -> None:
    stream = b"".join(parts)
    watch = RealTime()
    pieces = watch.cut(stream[:at]) + watch.cut(stream[at:])
    assert b"".join(piece for piece, _ in pieces) == stream
    whole = b""
    for piece, command in pieces:
        whole += piece
        assert command is None or whole.endswith(command.raw)
    assert [command for _, command in pieces if command] == RealTime().feed(stream)
