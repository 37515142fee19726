from __future__ import annotations

import hashlib
import struct

from hypothesis import given
from hypothesis import strategies as st

from loyalty.chain import GENESIS, row_hash

ROW = ("epoch-1", 1, "sale", "2026-12-12T12:00:00+03:00", b'{"a":1}')


def test_the_hash_is_what_the_protocol_says() -> None:
    fields = [b"epoch-1", b"1", b"sale", b"2026-12-12T12:00:00+03:00", hashlib.sha256(b'{"a":1}').digest()]
    packed = bytes(32) + b"".join(struct.pack(">I", len(field)) + field for field in fields)
    assert row_hash(GENESIS, *ROW) == hashlib.sha256(packed).digest()


def test_the_hash_never_changes_between_versions() -> None:
    assert row_hash(GENESIS, *ROW).hex() == "c8b0559e781555b38f20291f10777521b90e605e5bcc10a74717fb626b8c874c"


@given(st.integers(0, 5), st.text(max_size=3))
def test_every_field_counts(place: int, other: str) -> None:
    row = [GENESIS, *ROW]
    replaced = [hashlib.sha256(other.encode()).digest(), other, 2 + len(other), other, other, other.encode()]
    changed = [*row]
    changed[place] = replaced[place]
    assert row_hash(*changed) != row_hash(*row)


@given(st.text(max_size=8), st.text(max_size=8), st.integers(0, 8))
def test_letters_that_move_from_one_field_to_the_next_change_the_hash(one: str, two: str, cut: int) -> None:
    joined = one + two
    moved = (joined[:cut], joined[cut:])
    same = row_hash(GENESIS, one, 1, two, "", b"") == row_hash(GENESIS, moved[0], 1, moved[1], "", b"")
    assert same == (moved == (one, two))


def test_an_altered_row_breaks_every_later_link() -> None:
    def chain(bodies: list[bytes]) -> list[bytes]:
        hashes, previous = [], GENESIS
        for seq, body in enumerate(bodies, start=1):
            previous = row_hash(previous, "e", seq, "sale", "t", body)
            hashes.append(previous)
        return hashes

    honest, forged = chain([b"1", b"2", b"3", b"4"]), chain([b"1", b"x", b"3", b"4"])
    assert honest[0] == forged[0]
    assert not set(honest[1:]) & set(forged[1:])
