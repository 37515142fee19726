"""Rows that a till has carried over from an earlier epoch: what was said to them when they came before.

Two rows may have stood under one number of an old epoch (that is what a fork is), so the row's id must be the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select

from loyalty.wire import Problem
from loyalty_server.slips import DUPLICATE, IncomingRow, Outcome, plain, rejected
from loyalty_server.storage.statements import matching, within
from loyalty_server.storage.tables import devices, epochs, rows

_MOST = 1 << 62

_Key = tuple[str, str, int]
"""A row's id, and the epoch and number that it had."""


class _Home(NamedTuple):
    """Whose an epoch is."""

    device: str
    store: str


class Carried:
    """Those of a batch, for whose past the database is asked at once."""

    def __init__(self, connection: Connection, store: str, batch: Collection[IncomingRow]) -> None:
        self._store = store
        self._before: set[_Key] = set()
        keys = [key for row in batch if (key := _key(row)) is not None]
        self._homes: Mapping[str, _Home] = _homes(connection, keys) if keys else {}
        self._found: Mapping[_Key, Row[Any]] = _found(connection, keys, self._homes) if keys else {}

    def said(self, row: IncomingRow) -> Outcome | None:
        """What was said to it, or to the same one earlier in this batch; None = it never came, or was not carried over."""
        if row.origin is None:
            return None
        key = _key(row)
        if key is None:
            return rejected("row_malformed", "`origin.seq` is not a possible number")
        if key in self._before:
            return DUPLICATE
        self._before.add(key)
        home, found = self._homes.get(key[1]), self._found.get(key)
        if home is not None and home.store != self._store:
            return rejected("foreign_epoch")
        if found is None or (found.verdict == "rejected" and row.kind != "damaged"):
            return None
        said = None if found.problem is None else msgspec.json.decode(found.problem, type=Problem)
        return Outcome("rejected", said) if found.verdict == "rejected" else DUPLICATE


def possible(number: int | None) -> int | None:
    """Return a number that a row can have; None for any other."""
    return number if number is not None and 0 <= number < _MOST else None


def _key(row: IncomingRow) -> _Key | None:
    origin = row.origin
    if origin is None or possible(origin.seq) is None:
        return None
    return (plain(row.id), plain(origin.epoch), origin.seq)


def _homes(connection: Connection, keys: Collection[_Key]) -> dict[str, _Home]:
    """The devices whose epochs those were, where they are known."""
    of_epochs = select(epochs.c.epoch, devices.c.id, devices.c.store).join(devices, devices.c.id == epochs.c.device)
    names = {epoch for _, epoch, _ in keys}
    found = connection.execute(of_epochs.where(within(connection, epochs.c.epoch, names)))
    return {row[0]: _Home(row[1], row[2]) for row in found}


def _found(connection: Connection, keys: Collection[_Key], homes: Mapping[str, _Home]) -> dict[_Key, Row[Any]]:
    """The rows that stood there, and those that have been carried over from there; the latter have the last word, and what
    was booked before what was not.
    """
    numbers = {(homes[epoch].device, epoch, seq) for _, epoch, seq in keys if epoch in homes}
    there, again = [], [rows.c.id, rows.c.origin_epoch, rows.c.origin_seq]
    if numbers:
        here = matching(connection, [rows.c.device, rows.c.epoch, rows.c.seq], numbers)
        there = [((row.id, row.epoch, row.seq), row) for row in connection.execute(select(rows).where(here))]
    moved = connection.execute(
        select(rows).where(rows.c.origin_epoch.is_not(None), matching(connection, again, set(keys)))
    )
    since = [((row.id, row.origin_epoch, row.origin_seq), row) for row in moved]
    return dict(there) | dict(sorted(since, key=lambda each: each[1].verdict != "rejected"))
