"""The members' replica: what the feed said last, by card, never served half exchanged, and always replaceable."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loyalty.codes import ident
from loyalty.quote import MemberState
from loyalty.wire import ChangesPage, Included, MemberChange
from offline_queue import Replica, ReplicaAge, ReplicaReader, ReplicaWriter

if TYPE_CHECKING:
    from tests.offline_queue.conftest import FixedClock

WAIT = 20.0
KEY = b"k" * 32
CARD = "2900000000018"
Page = Callable[..., ChangesPage]


def member(number: int, balance: int, *cards: str) -> MemberChange:
    return MemberChange(
        member=f"m-{number}",
        idents=tuple(ident(KEY, card) for card in cards),
        greeting="Анна",
        state=MemberState(balance=balance),
    )


def gone(number: int) -> MemberChange:
    return MemberChange(member=f"m-{number}")


def page(*changes: MemberChange, cursor: str = "c", complete: bool = True, seq: int = 0) -> ChangesPage:
    return ChangesPage(changes=changes, next=cursor, complete=complete, includes=Included(epoch="e", seq=seq))


@pytest.fixture
def replica(tmp_path: Path) -> Replica:
    return Replica(tmp_path / "members.db")


@pytest.fixture
def reader(replica: Replica) -> ReplicaReader:
    return replica.reader(KEY)


@pytest.fixture
def writer(replica: Replica, clock: FixedClock) -> Iterator[ReplicaWriter]:
    with closing(ReplicaWriter(replica, clock.now)) as opened:
        yield opened


def files(replica: Replica) -> set[str]:
    return {file.name for file in replica.path.parent.iterdir()}


def test_nobody_is_known_before_the_first_page(reader: ReplicaReader) -> None:
    assert reader.find(CARD) is None
    assert reader.age == ReplicaAge()


def test_a_member_is_found_by_each_card_with_the_age_of_the_knowledge(
    writer: ReplicaWriter, reader: ReplicaReader, clock: FixedClock
) -> None:
    writer.apply(page(member(1, 300, CARD, "other"), cursor="c-1", seq=4))

    found = reader.find(CARD)
    assert found is not None
    assert (found.member, found.greeting, found.state.balance) == ("m-1", "Анна", 300)
    assert found.state.as_of == clock.now()
    assert reader.find("other") == found
    assert reader.find("2900000000025") is None
    assert writer.age == reader.age == ReplicaAge("c-1", True, clock.now(), Included(epoch="e", seq=4))


def test_a_page_without_news_makes_the_knowledge_younger(
    writer: ReplicaWriter, reader: ReplicaReader, clock: FixedClock
) -> None:
    writer.apply(page(member(1, 300, CARD)))
    clock.time += timedelta(minutes=5)
    writer.apply(page())

    found = reader.find(CARD)
    assert found is not None
    assert found.state.as_of == clock.now()


def test_changes_tombstones_and_cards_that_move(writer: ReplicaWriter, reader: ReplicaReader) -> None:
    writer.apply(page(member(1, 300, CARD, "old"), member(2, 10, "two"), member(3, 5, "three")))
    writer.apply(page(member(1, 280, "new"), member(2, 20, "two", CARD), gone(3), gone(99)))

    assert reader.find("old") is None
    assert reader.find("three") is None
    assert {card: reader.find(card).state.balance for card in ("new", "two", CARD)} == {"new": 280, "two": 20, CARD: 20}


def test_cards_that_are_not_told_again_stay(writer: ReplicaWriter, reader: ReplicaReader) -> None:
    writer.apply(page(member(1, 300, CARD, "other")))
    writer.apply(page(MemberChange(member="m-1", state=MemberState(balance=290))))
    assert [reader.find(card).state.balance for card in (CARD, "other")] == [290, 290]
    writer.apply(page(gone(1)))
    assert reader.find(CARD) is None


def test_a_half_delivered_answer_vouches_only_for_its_own_members(writer: ReplicaWriter, reader: ReplicaReader) -> None:
    writer.apply(page(member(1, 100, "one"), member(2, 200, "two"), seq=3))
    writer.apply(page(member(1, 150, "one"), complete=False, seq=5))

    assert [reader.find(card).counted_in("e") for card in ("one", "two")] == [5, 3]
    assert reader.includes.seq == 3
    assert reader.find("one").counted_in("another epoch") == 0

    writer.apply(page(complete=True, seq=7))
    assert [reader.find(card).counted_in("e") for card in ("one", "two")] == [7, 7]


def test_the_old_replica_answers_while_a_fresh_one_is_filled(
    replica: Replica, writer: ReplicaWriter, reader: ReplicaReader
) -> None:
    writer.apply(page(member(1, 100, "one"), member(2, 200, "two"), cursor="old"))
    writer.reset()
    assert writer.age.cursor is None
    writer.apply(page(member(1, 111, "one"), cursor="new-1", complete=False))

    assert (reader.find("one").state.balance, reader.find("two").state.balance) == (100, 200)
    assert (writer.age.cursor, reader.age.cursor) == ("new-1", "old")

    writer.apply(page(member(3, 300, "three"), cursor="new-2"))
    assert (reader.find("one").state.balance, reader.find("two"), reader.find("three").state.balance) == (
        111,
        None,
        300,
    )
    assert writer.age.cursor == reader.age.cursor == "new-2"
    assert not any("new" in name for name in files(replica))


def test_a_refill_that_was_cut_short_goes_on(replica: Replica, writer: ReplicaWriter, clock: FixedClock) -> None:
    writer.apply(page(member(1, 100, "one")))
    writer.reset()
    writer.apply(page(member(1, 111, "one"), cursor="new-1", complete=False))
    writer.close()

    with closing(ReplicaWriter(replica, clock.now)) as again:
        assert again.age.cursor == "new-1"
        again.apply(page(cursor="new-2"))
    assert replica.reader(KEY).find("one").state.balance == 111


def test_a_second_reset_begins_from_nothing(writer: ReplicaWriter, reader: ReplicaReader) -> None:
    writer.apply(page(member(1, 100, "one")))
    writer.reset()
    writer.apply(page(member(1, 111, "one"), complete=False))
    writer.reset()
    writer.apply(page(member(2, 200, "two")))

    assert reader.find("one") is None


def test_a_damaged_file_is_set_aside_at_the_start(replica: Replica, writer: ReplicaWriter, clock: FixedClock) -> None:
    writer.apply(page(member(1, 100, "one")))
    writer.close()
    replica.path.write_bytes(b"\xa5" * 8192)
    replica.path.with_name("members.db.damaged-20200101T000000Z").write_bytes(b"an older one")

    with closing(ReplicaWriter(replica, clock.now)) as again:
        assert again.age.cursor is None
        assert "members.db.damaged-20261212T090000Z" in files(replica)
        assert "members.db.damaged-20200101T000000Z" not in files(replica)
        again.apply(page(member(1, 100, "one")))
        assert replica.reader(KEY).find("one").state.balance == 100


def test_damage_found_by_a_till_is_cured_by_the_writer(
    replica: Replica, writer: ReplicaWriter, reader: ReplicaReader, clock: FixedClock
) -> None:
    writer.apply(page(*(member(number, number, f"card-{number}") for number in range(200))))
    writer.close()
    with closing(ReplicaWriter(replica, clock.now)) as again:
        with replica.path.open("r+b") as file:
            file.write(b"\xa5" * replica.path.stat().st_size)
        assert reader.find("card-7") is None
        assert again.age.cursor is None
        assert any("damaged" in name for name in files(replica))
        again.apply(page(member(7, 77, "card-7")))
        assert reader.find("card-7").state.balance == 77


def test_damage_found_by_a_page_is_cured_at_once(
    replica: Replica, writer: ReplicaWriter, reader: ReplicaReader
) -> None:
    writer.apply(page(member(1, 100, "one"), cursor="old"))
    for sql in (
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'members'",
        "PRAGMA writable_schema = RESET",
    ):
        writer._serving.execute(sql)
    writer.apply(page(member(1, 111, "one"), cursor="new"))

    assert writer.age.cursor is None
    assert any("damaged" in name for name in files(replica))
    writer.apply(page(member(1, 111, "one")))
    assert reader.find("one").state.balance == 111


def test_a_damaged_refill_begins_again(replica: Replica, writer: ReplicaWriter, clock: FixedClock) -> None:
    writer.apply(page(member(1, 100, "one"), cursor="old"))
    writer.close()
    replica.path.with_name("members.db.new").write_bytes(b"\xa5" * 8192)

    with closing(ReplicaWriter(replica, clock.now)) as again:
        assert again.age.cursor == "old"
    assert not any("new" in name for name in files(replica))


def test_another_layout_is_fetched_again(replica: Replica, writer: ReplicaWriter, clock: FixedClock) -> None:
    writer.apply(page(member(1, 100, "one")))
    writer._serving.execute("PRAGMA user_version = 99")
    writer.close()

    with closing(ReplicaWriter(replica, clock.now)) as again:
        assert again.age.cursor is None


def test_a_till_never_meets_a_file_that_is_being_exchanged(writer: ReplicaWriter, reader: ReplicaReader) -> None:
    stop = threading.Event()
    misses: list[int] = []

    def look() -> None:
        looks = 0
        while not stop.is_set():
            looks += 1
            if reader.find("one") is None:
                misses.append(looks)

    writer.apply(page(member(1, 100, "one")))
    till = threading.Thread(target=look)
    till.start()
    for balance in range(30):
        writer.reset()
        writer.apply(page(member(1, balance, "one")))
    stop.set()
    till.join(WAIT)

    assert misses == []


def test_a_look_up_waits_for_an_exchange(replica: Replica, writer: ReplicaWriter, reader: ReplicaReader) -> None:
    writer.apply(page(member(1, 100, "one")))
    done = threading.Event()

    def look() -> None:
        assert reader.find("one") is not None
        done.set()

    with replica.exchange:
        till = threading.Thread(target=look)
        till.start()
        assert not done.wait(0.1)
    assert done.wait(WAIT)
    till.join(WAIT)


def test_a_file_that_somebody_else_holds_open_leaves_nothing_behind(
    replica: Replica, writer: ReplicaWriter, reader: ReplicaReader
) -> None:
    writer.apply(page(member(1, 100, "one")))
    with closing(sqlite3.connect(replica.path, isolation_level=None)) as backup:
        backup.execute("BEGIN")
        backup.execute("SELECT * FROM members").fetchall()
        writer.apply(page(*(member(number, 0, f"card-{number}") for number in range(50))))
        writer.reset()
        writer.apply(page(member(2, 200, "two")))

    assert reader.find("one") is None
    assert reader.find("two").state.balance == 200
    writer.apply(page(member(2, 222, "two")))
    assert reader.find("two").state.balance == 222


def test_neither_cards_nor_the_forgotten_stay_in_the_file(replica: Replica, writer: ReplicaWriter) -> None:
    writer.apply(page(member(1, 100, CARD), MemberChange(member="m-2", greeting="Forgotten", state=MemberState())))
    writer.apply(page(gone(2)))
    writer.close()

    content = replica.path.read_bytes()
    assert b"m-1" in content
    assert CARD.encode() not in content
    assert b"Forgotten" not in content
    assert replica.path.stat().st_mode & 0o777 == 0o600
