"""Exactly once, or not: what was acknowledged against what was booked."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent.demo.pos import Receipt


@dataclass(frozen=True)
class Verdict:
    """Numbers that are missing, and numbers that are there more than once or without having been sold."""

    acknowledged: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]

    @property
    def exact(self) -> bool:
        return not self.lost and not self.doubled


def compare(acknowledged: Sequence[str], booked: Iterable[str]) -> Verdict:
    """Each acknowledged number once, and no other."""
    wanted, found = Counter(acknowledged), Counter(booked)
    return Verdict(wanted.total(), tuple((wanted - found).elements()), tuple((found - wanted).elements()))


@dataclass(frozen=True)
class Booked:
    """What the server's own file says."""

    receipts: tuple[str, ...]
    points: Mapping[str, int]
    """Number of a receipt -> what it moved."""
    owners: Mapping[str, str]
    """Number of a receipt -> whose points moved."""
    balances: Mapping[str, int]
    opening: Mapping[str, int]
    rows: Mapping[str, Sequence[tuple[int, str]]]
    """Epoch -> seq and verdict of its rows, in order."""


def booked(file: Path) -> Booked:
    """Read the server's database."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as server:
        points: defaultdict[str, int] = defaultdict(int)
        opening: defaultdict[str, int] = defaultdict(int)
        owners: dict[str, str] = {}
        for number, member, moved in server.execute("SELECT number, member, points FROM ledger"):
            if number is None:
                opening[member] += moved
            else:
                points[number] += moved
                assert owners.setdefault(number, member) == member
        rows: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for epoch, seq, verdict in server.execute("SELECT epoch, seq, verdict FROM rows ORDER BY epoch, seq"):
            rows[epoch].append((seq, verdict))
        return Booked(
            receipts=tuple(number for (number,) in server.execute("SELECT number FROM receipts")),
            points=dict(points),
            owners=owners,
            balances=dict(server.execute("SELECT id, balance FROM members")),
            opening=dict(opening),
            rows=dict(rows),
        )


def sums_agree(receipts: Iterable[Receipt], found: Booked) -> None:
    """The points of each receipt, and what each member has in the end."""
    balances = Counter(found.opening)
    for number, sold in receipts:
        moved = sold.earned - sold.redeemed if number in found.owners else 0
        assert found.points.get(number, 0) == moved, f"receipt {number}: {sold}, booked {found.points.get(number)}"
        assert sold.token is None or moved == 0, f"receipt {number} had no member, and yet points moved"
        if moved:
            balances[found.owners[number]] += moved
    assert dict(found.balances) == {member: balances[member] for member in found.balances}
