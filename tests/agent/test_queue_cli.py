"""`tillmate queue verify|export|retry|salvage`, with a running agent and without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agent import identity
from agent.api.admin_socket import AdminSocket
from agent.cli import main
from agent.clock import SystemClock
from agent.queue_commands import queue_commands
from agent.queue_orders import _Nobody
from loyalty.chain import row_hash
from loyalty.quote import Basket, Line, Quote
from loyalty.wire import Problem, ReceiptId, Sale, Verdict
from offline_queue import (
    BeginEpoch,
    Care,
    CommitSale,
    ForgetAttempts,
    Keyring,
    NoteAttempt,
    Queue,
    QueueFile,
    Reader,
    SettleRows,
)

if TYPE_CHECKING:
    from conftest import Threads

CARD = "2900000000117"
CONFIG = '[state]\nfolder = "{folder}"\n[server]\nurl = "https://loyalty.example.org"\n[[till]]\nid = "1"\n'
QUOTE = Quote(
    total=50000, discount=0, line_discounts=(0,), max_redeem=0, redeemed=0, line_redeemed=(0,), pay=50000, earned=5,
    balance_after=5, tier=None, tier_after=None, to_next_tier=None, stamps_after={}, free_units={}, gifts=(),
    slips=(), coupons_used=(), why=(), prompt={}, programme_revision=1, engine=1,
)  # fmt: skip
PROBLEM = Problem(type="urn:x", title="no", status=422, code="till_unknown", retryable=False)


def commit(number: int) -> CommitSale:
    receipt = ReceiptId(store="S1", till="1", business_day=date(2026, 11, 20), shift="1", number=str(number))
    sale = Sale(receipt=receipt, basket=Basket((Line(sum=50000),)), quote=QUOTE, offline=True, card=CARD)
    return CommitSale(f"s{number}", "h", "sale", datetime(2026, 11, 20, 9, tzinfo=UTC), sale, b"{}", None)


class Shop:
    """A state folder with a sealed queue: 20 sales, 10 settled, the second rejected."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.file = QueueFile(folder / "queue.db", Keyring(identity.data_keys(folder)))

    def open(self) -> Queue:
        return Queue.open(self.file.path, SystemClock(), keys=self.file.keys)

    def fill(self, epoch: str, first: int = 1) -> None:
        queue = self.open()
        queue.carry_out_now(BeginEpoch("D1", epoch))
        for number in range(first, first + 20):
            queue.carry_out_now(commit(number))
        queue.carry_out_now(SettleRows(epoch, 10, (Verdict(2, "rejected", PROBLEM),)))
        queue.close()

    def call(self, *words: object) -> Result:
        path = self.folder / "config.toml"
        path.write_text(CONFIG.format(folder=self.folder), encoding="utf-8")
        return CliRunner().invoke(main, ["queue", *map(str, words), "--config", str(path)], env={"COLUMNS": "160"})

    def reader(self) -> Reader:
        return Reader(self.file)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path / "state")
    made.fill("e1")
    return made


@pytest.fixture(params=[False, True], ids=["alone", "served"])
def pushed(shop: Shop, threads: Threads, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """With and without an agent: its writer, its care and its admin socket. What is pushed to deliver at once."""
    pushed: list[str] = []
    if request.param:
        queue = shop.open()
        care = Care(queue, shop.file, SystemClock(), _Nobody())
        socket = AdminSocket(shop.folder / "admin.sock", queue_commands(queue, care, lambda: pushed.append("now")))
        socket.bind()
        for run in (queue.run, care.run, socket.run):
            threads.start(run)
    else:
        pushed.append("now")
    yield pushed
    assert pushed


def spoil(shop: Shop, number: int) -> None:
    with closing(shop.reader()) as reader:
        statement = "SELECT body FROM outbox WHERE seq = ?"
        (body,) = reader._connection.execute(statement, (number,)).fetchone()
    content = bytearray(shop.file.path.read_bytes())
    content[content.index(body) + 30] ^= 1
    shop.file.path.write_bytes(content)


def test_a_sound_queue_is_said_to_be_sound(shop: Shop) -> None:
    ended = shop.call("verify")
    assert (ended.exit_code, ended.output) == (0, "The queue is sound. Rows read: 20, waiting: 10.\n")
    assert json.loads(shop.call("verify", "--json").output) == {"rows": 20, "pending": 10, "damaged": [], "pages": ""}


def test_a_spoiled_row_is_named(shop: Shop) -> None:
    spoil(shop, 13)
    ended = shop.call("verify")
    assert (ended.exit_code, ended.stderr.splitlines()[0]) == (65, "The queue is damaged. Spoiled rows: 1 (13).")
    listed = json.loads(shop.call("list", "--json").output)
    assert [row["kind"] for row in listed["rows"]].count("damaged") == 1
    assert "damaged" in shop.call("show", 13).output


def test_the_queue_is_shown_with_the_key_and_refused_without(shop: Shop) -> None:
    listed = json.loads(shop.call("list", "--json").output)
    assert (listed["pending"], listed["rejected"], listed["rows"][0]["number"]) == (10, 1, 2)
    assert CARD not in shop.call("show", 12).output
    (shop.folder / "data.keys").unlink()
    ended = shop.call("list")
    assert (ended.exit_code, "data.keys" in ended.stderr) == (65, True)


def test_an_export_can_be_checked_by_anybody(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert shop.call("export", out).output == f"Rows written to {out}: 10. They are personal data.\n"
    assert out.stat().st_mode & 0o777 == 0o600
    head, *rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert (head["tillmate_queue"], head["device"], head["epoch"], head["rows"]) == (1, "D1", "e1", 10)
    previous = bytes.fromhex(head["previous"])
    for row in rows:
        previous = row_hash(previous, head["epoch"], row["seq"], row["kind"], row["at"], row["body"].encode())
        assert previous.hex() == row["hash"]
    assert [row["seq"] for row in rows] == [*range(11, 21)]
    assert CARD in rows[0]["body"]
    assert shop.call("export", out).exit_code == 1  # nothing is overwritten


def test_a_person_wants_the_next_attempt_now(shop: Shop, pushed: list[str]) -> None:
    ended = shop.call("retry")
    assert (ended.exit_code, ended.output) == (0, "The next attempt to deliver is made now.\n")
    assert pushed == ["now"]
    with closing(shop.reader()) as reader:
        assert reader.delivery() is None


def test_a_rejected_row_is_sent_again(shop: Shop, pushed: list[str]) -> None:
    pushed.append("")
    ended = shop.call("retry", 2)
    assert (ended.exit_code, ended.output) == (0, "Row 2 is sent again as row 21.\n")
    with closing(shop.reader()) as reader:
        (row,) = reader.rows(21, 1)
        assert row.corrects == 2
    ended = shop.call("retry", 3)
    assert ended.exit_code == 1


def test_the_queue_of_a_dead_pc_is_taken_over(shop: Shop, pushed: list[str], tmp_path: Path) -> None:
    pushed.append("")
    dead = Shop(tmp_path / "dead")
    dead.fill("e9", first=101)
    sealed = shop.call("salvage", dead.file.path)
    assert (sealed.exit_code, "queue_sealed" in sealed.stderr) == (1, True)
    for _ in range(2):
        ended = shop.call("salvage", dead.file.path, "--keys", dead.folder / "data.keys")
        assert (ended.exit_code, ended.output) == (0, "Rows taken over: 10, not readable: 0.\n")
    with closing(shop.reader()) as reader:
        rows = reader.rows(21, 100)
        assert [(row.origin.epoch, row.origin.seq) for row in rows if row.origin] == [
            ("e9", seq) for seq in range(11, 21)
        ]
        assert len(rows) == 10
        assert reader.sale("s115") is not None


def test_what_is_no_queue_is_said_so(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"hello" * 1000)
    ended = shop.call("salvage", other)
    assert (ended.exit_code, ended.stderr.splitlines()[0]) == (
        1,
        "Nothing can be taken over from this file (queue_damaged).",
    )


def test_attempts_are_forgotten(shop: Shop) -> None:
    queue = shop.open()
    queue.carry_out_now(NoteAttempt(3, datetime(2026, 11, 20, 10, tzinfo=UTC), "server_unreachable"))
    queue.carry_out_now(NoteAttempt(4, datetime(2026, 11, 20, 11, tzinfo=UTC), "server_busy"))
    queue.close()
    with closing(shop.reader()) as reader:
        state = reader.delivery()
        assert state is not None
        assert (state.attempts, state.trouble) == (4, "server_busy")
    assert shop.call("retry").exit_code == 0
    with closing(shop.reader()) as reader:
        assert reader.delivery() is None
    queue = shop.open()
    queue.carry_out_now(ForgetAttempts())
    queue.close()
