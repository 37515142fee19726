"""Tables and transactions: the migrations give what the code expects, writers queue up, readers see one picture."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from filelock import FileLock
from sqlalchemy import insert, select, text
from sqlalchemy.exc import StatementError

from loyalty_server import verify
from loyalty_server.folder import DataFolder, NotInitialised
from loyalty_server.keys import Keys, decode_bytes, encode_bytes, load_keys, save_keys
from loyalty_server.storage.database import Database, DatabaseBusy, sqlite_url
from loyalty_server.storage.migrate import is_current, upgrade
from loyalty_server.storage.statements import insert_new, next_number
from loyalty_server.storage.tables import members, metadata, settings, stores, tokens

if TYPE_CHECKING:
    from conftest import Storage


@pytest.fixture
def database(tmp_path: Path, storage: Storage) -> Iterator[Database]:
    database = Database(storage.empty(tmp_path))
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """SQLite alone."""
    database = Database(sqlite_url(tmp_path / "server.db"))
    upgrade(database)
    yield database
    database.close()


def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    with database.reading() as tx:
        opts = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name != "receipts_other"}
        context = MigrationContext.configure(tx, opts=opts)
        found = compare_metadata(context, metadata)
    assert found == []
    assert is_current(database)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    with database.writing() as tx:
        insert_new(tx, settings, {"name": "x", "value": "kept"})
    upgrade(database)
    with database.reading() as tx:
        assert tx.execute(select(settings.c.value)).scalar_one() == "kept"


def test_what_was_booked_before_returns_and_lots_stays(tmp_path: Path, storage: Storage) -> None:
    """From the schema without them to the one of today: everything is there, and nothing of it burns."""
    database, now = Database(storage.empty(tmp_path)), datetime(2026, 12, 12, tzinfo=UTC)
    upgrade(database, "v0003")
    with database.writing() as tx:
        tx.execute(
            text("INSERT INTO members (id, balance, state, change, created_at) VALUES ('m', 10, '{}', 1, :now)"),
            {"now": now},
        )
        tx.execute(
            text(
                "INSERT INTO ledger (member, kind, points, at, booked_at, row_id, business_day) "
                "VALUES ('m', 'opening', 10, :now, :now, 'r', :day)"
            ),
            {"now": now, "day": now.date()},
        )
    assert not is_current(database)
    upgrade(database)
    assert is_current(database)
    with database.reading() as tx:
        assert list(verify.differences(tx, lambda _: None)) == []
        kept = tx.execute(select(members.c.balance, members.c.lots_at, members.c.burns_at)).one()
    assert tuple(kept) == (10, None, None)
    database.close()


def test_an_empty_database_is_not_current(tmp_path: Path, storage: Storage) -> None:
    database = Database(storage.empty(tmp_path))
    assert not is_current(database)
    database.close()


def test_a_file_is_power_safe(file: Database) -> None:
    with file.reading() as tx:
        modes = [
            tx.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert modes == ["wal", 2, 1]


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    def book_and_fail() -> None:
        with database.writing() as tx:
            insert_new(tx, settings, {"name": "x", "value": "y"})
            raise KeyError("x")

    with pytest.raises(KeyError):
        book_and_fail()
    with database.reading() as tx:
        assert tx.execute(select(settings)).all() == []


def test_a_reader_sees_one_picture(database: Database) -> None:
    with database.reading() as before:
        assert before.execute(select(settings)).all() == []
        with database.writing() as tx:
            insert_new(tx, settings, {"name": "x", "value": "y"})
        assert before.execute(select(settings)).all() == []
    with database.reading() as after:
        assert len(after.execute(select(settings)).all()) == 1


def test_many_writers_lose_nothing(database: Database) -> None:
    def count() -> None:
        for _ in range(20):
            with database.writing() as tx:
                next_number(tx, "n")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    with database.writing() as tx:
        assert next_number(tx, "n") == 161


def test_another_process_waits_at_the_same_gate(file: Database, tmp_path: Path) -> None:
    """The child writes while we hold the gate: it must come after us."""
    child = (
        "import sys; from loyalty_server.storage.database import *; "
        "from loyalty_server.storage.statements import next_number; d = Database(sys.argv[1]); print('up', flush=True)\n"
        "with d.writing() as tx: print(next_number(tx, 'n'), flush=True)\n"
        "d.close()"
    )
    with file.writing() as tx:
        process = subprocess.Popen(
            [sys.executable, "-c", child, sqlite_url(tmp_path / "server.db")], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert [next_number(tx, "n") for _ in range(3)] == [1, 2, 3]
    assert process.communicate(timeout=20)[0] == "4\n"


def test_who_writes_one_thing_after_the_other_lets_others_write_between_two(file: Database, tmp_path: Path) -> None:
    """As `expire` does beside the server, which must not be kept from booking until the run ends."""
    child = (
        "import sys, threading; from loyalty_server.storage.database import *; "
        "from loyalty_server.storage.statements import next_number; d = Database(sys.argv[1])\n"
        "while True:\n"
        "    with d.writing() as tx: print(next_number(tx, 'slice'), flush=True); threading.Event().wait(0.05)\n"
        "    d.give_way()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", child, sqlite_url(tmp_path / "server.db")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        for _ in range(10):
            with file.writing() as tx:
                next_number(tx, "receipt")
        with file.writing() as tx:
            slices = next_number(tx, "slice")
        process.kill()
    assert slices < 40, "the receipts did not wait for the end of the run"


def test_a_gate_that_does_not_open_is_said(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "server.db"), patience=0.05)
    with FileLock(tmp_path / "server.db.lock"), pytest.raises(DatabaseBusy), database.writing():
        pass
    with database.writing():
        pass
    database.close()


def test_a_full_disk_is_said_and_nothing_is_booked(file: Database) -> None:
    def fill() -> None:
        with file.writing() as tx:
            pages = tx.execute(text("PRAGMA page_count")).scalar_one()
            tx.execute(text(f"PRAGMA max_page_count={pages}"))
            for number in range(1000):
                insert_new(tx, settings, {"name": f"n{number}", "value": "x" * 1000})

    with pytest.raises(DatabaseBusy):
        fill()
    with file.reading() as tx:
        assert tx.execute(select(settings)).all() == []


def test_times_come_back_aware_and_naive_ones_are_refused(database: Database) -> None:
    moscow = datetime(2026, 12, 12, 12, tzinfo=timezone(timedelta(hours=3)))
    with database.writing() as tx:
        tx.execute(insert(tokens).values(id="t", used_at=moscow))
        assert tx.execute(select(tokens.c.used_at)).scalar_one() == moscow
        with pytest.raises(StatementError, match="without a zone"):
            tx.execute(insert(tokens).values(id="u", used_at=moscow.replace(tzinfo=None)))


def test_an_insert_tells_whether_it_was_new(database: Database) -> None:
    line = {"id": "S", "name": "n", "ident_generation": 1}
    with database.writing() as tx:
        assert insert_new(tx, stores, line)
        assert not insert_new(tx, stores, {**line, "name": "other"})
        assert tx.execute(select(stores.c.name)).scalar_one() == "n"


def test_a_folder_is_made_once_and_kept(tmp_path: Path, storage: Storage) -> None:
    folder = DataFolder(tmp_path / "data")
    first, keys = folder.create(*storage.words()[1:])
    first.close()
    second, again = folder.create()
    second.close()
    assert again == keys
    assert (folder.path.stat().st_mode & 0o777, folder.keys_file.stat().st_mode & 0o777) == (0o700, 0o600)
    kept = folder.database_file if storage.name == "sqlite" else folder.address_file
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kept", [False, True])
def test_another_keys_file_than_the_databases_is_refused(tmp_path: Path, storage: Storage, *, kept: bool) -> None:
    """A second process with keys of its own would hand out other programmes and tokens."""
    first, second = DataFolder(tmp_path / "first"), DataFolder(tmp_path / "second")
    first.path.mkdir()
    first.create(storage.empty(first.path) if storage.name == "postgresql" else None)[0].close()
    if storage.name == "sqlite":
        second.path.mkdir()
        shutil.copy(first.database_file, second.database_file)
    if kept:
        second.path.mkdir(exist_ok=True)
        save_keys(Keys.new(), second.keys_file)
    with pytest.raises(NotInitialised, match=r"copy (the one|keys\.json) of its"):
        second.create(first.address if storage.name == "postgresql" else None)
    shutil.copy(first.keys_file, second.keys_file)
    second.create()[0].close()
    second.open()[0].close()


def test_an_address_is_kept_for_the_owner_alone(tmp_path: Path, storage: Storage) -> None:
    folder = DataFolder(tmp_path / "data")
    if storage.name == "sqlite":
        folder.create()[0].close()
        with pytest.raises(NotInitialised, match=r"has a server\.db: take another folder for .*:\*\*\*@host"):
            folder.create("postgresql://me:secret@host/name")
        return
    folder.create(address := storage.empty(tmp_path))[0].close()
    assert (folder.address_file.stat().st_mode & 0o777, folder.database_file.exists()) == (0o600, False)
    folder.create(address)[0].close()
    with pytest.raises(NotInitialised, match="belongs to another database"):
        folder.create("postgresql://host/name")
    assert folder.address == address


@pytest.mark.parametrize(
    "address", ["", "server.db", "mysql://host/name", "sqlite:///x.db", "postgresql+psycopg2://h/n"]
)
def test_another_kind_of_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(NotInitialised, match="looks like postgresql://"):
        DataFolder(tmp_path).create(address)
    assert not DataFolder(tmp_path).address_file.exists()


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatabaseBusy, match="No such file or directory"):
        DataFolder(tmp_path).create(f"postgresql://me:secret@/name?host={tmp_path}")


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"programme": 1, "master": 2}', '{"programme": "AA", "master": "AA"}']
)
def test_a_folder_without_its_keys_is_refused(tmp_path: Path, storage: Storage, content: str | None) -> None:
    folder = DataFolder(tmp_path)
    folder.create(*storage.words()[1:])[0].close()
    folder.keys_file.unlink()
    if content is not None:
        folder.keys_file.write_text(content)
    with pytest.raises(NotInitialised, match=r"keys\.json"):
        folder.open()


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised, match="init"):
        DataFolder(tmp_path / "nothing").open()


def test_a_database_of_another_version_is_left_alone(tmp_path: Path, storage: Storage) -> None:
    folder = DataFolder(tmp_path)
    database, _ = folder.create(*storage.words()[1:])
    with database.writing() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = 'v9999'"))
    database.close()
    with pytest.raises(NotInitialised, match="another version"):
        folder.open()


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    keys = Keys.new()
    save_keys(keys, tmp_path / "keys.json")
    with pytest.raises(FileExistsError):
        save_keys(Keys.new(), tmp_path / "keys.json")
    assert load_keys(tmp_path / "keys.json") == keys
    assert keys.master.hex() not in repr(keys)


def test_derived_keys_differ_by_owner_and_generation() -> None:
    keys = Keys.new()
    derived = [
        keys.token(1, 1),
        keys.token(1, 2),
        keys.token(11, 1),
        keys.ident("1", 1),
        keys.ident("1 1", 1),
        keys.code("1"),
    ]
    assert len(set(derived)) == len(derived)
    assert Keys.new().token(1, 1) != keys.token(1, 1)


def test_no_stranger_fills_the_memory_with_attempts() -> None:
    keys = Keys.new()
    keys.code("1")
    tracemalloc.start()
    for number in range(500):
        keys.code(f"{number}{'x' * 8000}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


def test_bytes_as_text() -> None:
    for value in (b"", b"\xff", bytes(range(64))):
        assert decode_bytes(encode_bytes(value)) == value
