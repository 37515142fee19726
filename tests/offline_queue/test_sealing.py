"""What is personal does not lie in the file for everybody to read, and a file from before that is sealed while it is used."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offline_queue import (
    CommitSale,
    Committed,
    Conflict,
    Keyring,
    Queue,
    QueueFile,
    QueueSealed,
    Reader,
    SettleRows,
    first_broken,
)
from offline_queue.sealing import NO_KEYS, PLAIN, Spoiled

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock, Running

WAIT = 20.0
Start = Callable[..., AbstractContextManager["Running"]]
SECRETS = frozenset((b'"sku"', "Кофе".encode(), b"m-secret", b'"2026-12-12"', b'"earned"', b"elements"))
"""What a row, a sale's keys and its print job have in them."""


def found_in(path: Path) -> set[bytes]:
    """Which of them can be read in the file and its log."""
    content = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name.startswith("queue.db"))
    return {secret for secret in SECRETS if secret in content}


def test_nothing_personal_lies_in_the_file(path: Path, clock: FixedClock, start: Start, keys: Keyring) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 20, "m-secret")
        assert found_in(path) == set()
    assert found_in(path) == set()
    with closing(Reader(QueueFile(path, keys))) as reader:
        assert len(reader.own_sales("m-secret", 0)) == 20
        assert reader.job(1).document == b'{"elements":[]}'


def test_the_test_above_would_see_it(path: Path, clock: FixedClock, start: Start) -> None:
    with start(path, clock) as run:
        run.sell(1, 20, "m-secret")
    assert found_in(path) == SECRETS


def test_the_chain_goes_over_what_travels(path: Path, clock: FixedClock, start: Start, keys: Keyring) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 5)
        rows = run.reader.rows(1, 10)
        assert first_broken(rows, "epoch-1") is None
        assert rows[0].body.startswith(b'{"receipt"')


def test_without_the_key_nothing_is_read_and_nothing_breaks(
    path: Path, clock: FixedClock, start: Start, keys: Keyring
) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 3)
    for wrong in (NO_KEYS, Keyring([b"w" * 32])):
        with pytest.raises(QueueSealed) as refusal:
            Queue.open(path, clock, keys=wrong)
        assert refusal.value.code == "queue_sealed"
        with closing(Reader(QueueFile(path, wrong))) as reader:
            assert reader.depth().pending == 3  # what the status shows needs no key
            with pytest.raises(QueueSealed):
                reader.rows(1, 10)
    Queue.open(path, clock, "epoch-1", keys=keys).close()


def test_a_plain_file_is_sealed_while_it_is_used(
    path: Path,
    clock: FixedClock,
    start: Start,
    keys: Keyring,
    look_after: Callable[..., None],
    make_commit: Callable[..., CommitSale],
) -> None:
    with start(path, clock) as run:
        run.sell(1, 120, "m-secret")
        before = run.reader.rows(1, 200)
    with start(path, clock, "epoch-1", claim=False, keys=keys) as run:
        again = run.queue.submit(make_commit(7, "m-secret")).result(WAIT)
        assert (again.created, again.seq) == (False, 7)  # known by its plain receipt
        run.sell(121, 130, "m-secret")
        assert run.reader.rows(1, 120) == before
        look_after(run, keys)
        assert run.reader.rows(1, 120) == before
        assert len(run.reader.own_sales("m-secret", 0)) == 130
        assert run.queue.submit(make_commit(7, "m-secret")).result(WAIT).created is False
        other = CommitSale(**{**vars(make_commit(8, "m-secret")), "sale_id": "other"})
        assert run.queue.submit(other).result(WAIT) == Conflict("receipt_conflict")
        assert run.reader.job(1).document == b'{"elements":[]}'
        until, pause = time.monotonic() + WAIT, threading.Event()
        while found_in(path) and time.monotonic() < until:
            pause.wait(0.02)
        assert found_in(path) == set()  # nor in the log, while the till sells on
    assert found_in(path) == set()
    with closing(sqlite3.connect(path)) as connection:
        for table in ("outbox", "sales", "print_jobs"):
            assert connection.execute(f"SELECT DISTINCT sealed_by FROM {table}").fetchall() == [(keys.present,)]  # noqa: S608


def test_a_new_key_takes_over_and_the_old_receipts_are_still_known(
    path: Path,
    clock: FixedClock,
    start: Start,
    keys: Keyring,
    look_after: Callable[..., None],
    make_commit: Callable[..., CommitSale],
) -> None:
    with start(path, clock, keys=keys) as run:
        run.sell(1, 60, "m-1")
    both = Keyring([b"k" * 32, b"n" * 32])
    with start(path, clock, claim=False, keys=both) as run:
        run.sell(61, 70, "m-1")
        look_after(run, both)
        assert len(run.reader.own_sales("m-1", 0)) == 70
        assert isinstance(run.queue.submit(make_commit(1, "m-1")).result(WAIT), Committed)
        other = CommitSale(**{**vars(make_commit(8, "m-1")), "sale_id": "other"})
        assert run.queue.submit(other).result(WAIT) == Conflict("receipt_conflict")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT DISTINCT sealed_by FROM outbox").fetchall() == [(both.present,)]


def test_a_sealed_content_opens_only_in_its_place(keys: Keyring) -> None:
    sealed, key = keys.seal(b"content", "row", 1)
    assert keys.open(sealed, key, "row", 1) == b"content"
    assert keys.seal(b"content", "row", 1).content != sealed
    with pytest.raises(Spoiled):
        keys.open(sealed, key, "row", 2)
    for place in range(len(sealed)):
        spoiled = bytearray(sealed)
        spoiled[place] ^= 4
        with pytest.raises(Spoiled):
            keys.open(bytes(spoiled), key, "row", 1)
    with pytest.raises(Spoiled):
        keys.open(b"", key, "row", 1)


def test_a_key_is_never_shown(keys: Keyring) -> None:
    assert repr(keys) == f"Keyring([{keys.present}])"
    assert keys.present not in (PLAIN, Keyring([b"n" * 32]).present)
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring([b"short"])


def test_a_settled_sale_is_sealed_too(
    path: Path, clock: FixedClock, start: Start, keys: Keyring, look_after: Callable[..., None]
) -> None:
    with start(path, clock) as run:
        run.sell(1, 3, "m-secret")
        run.queue.submit(SettleRows("epoch-1", 3, ())).result(WAIT)
    with start(path, clock, claim=False, keys=keys) as run:
        look_after(run, keys)
    assert found_in(path) == set()
