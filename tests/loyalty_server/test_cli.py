"""The `tillmate-server` command as people and init systems use it: real processes."""

from __future__ import annotations

import csv
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from loyalty.lots import lot_of
from loyalty.quote import Lot, MemberState
from loyalty_server import members
from loyalty_server.enrolment.sender import ConsoleSender
from loyalty_server.folder import DataFolder
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Shell, Till


def test_from_nothing_to_a_ledger(shell: Shell, till_at: Callable[[str], Till], tmp_path: Path) -> None:
    """Codes and members are made beside the running server, as the demo and store IT do."""
    assert shell.init().startswith("initialised ")
    _, url = shell.run()
    till = till_at(url)
    beside = [shell.command, "device", "new-code", "--data", str(shell.folder), "--store", "S1"]
    till.claim(subprocess.run(beside, capture_output=True, text=True, check=True).stdout.strip())
    member = shell("member", "add", "--card", "2900000000018", "--balance", "300").strip()
    (change,) = till.changes()
    assert change.state is not None
    assert (change.member, change.state.balance) == (member, 300)
    till.sell(10000, member=member)
    file = tmp_path / "ledger.csv"
    assert f"lines=2 file={file}" in shell("ledger", "--csv", str(file))
    assert [(line["kind"], line["points"]) for line in csv.DictReader(StringIO(file.read_text()))] == [
        ("opening", "300"),
        ("earn", "10"),
    ]


def test_a_stop_takes_two_seconds_at_most_and_loses_nothing(shell: Shell, till_at: Callable[[str], Till]) -> None:
    shell.init()
    process, url = shell.run()
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    rows = [till.row(till.sale()) for _ in range(3)]
    till.send(*rows)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert time.monotonic() - started <= 2
    _, till.shop.url = shell.run()
    assert till.verdicts(*rows) == ["duplicate"] * 3


def test_ctrl_c_is_no_failure(shell: Shell) -> None:
    shell.init()
    process, _ = shell.run()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=5)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in shell.log.read_text()


def test_kill_9_in_the_middle_doubles_and_loses_nothing(
    shell: Shell, till_at: Callable[[str], Till], size: Callable[[int, int], int]
) -> None:
    """Whatever was acknowledged is booked, whatever was not can be sent again, and each receipt stands once."""
    shell.init()
    process, url = shell.run()
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    member = shell("member", "add", "--card", "2900000000018").strip()
    rows = [till.row(till.sale(member=member)) for _ in range(size(40, 600))]
    acknowledged = 0
    for turn in range(size(2, 30)):
        killer = threading.Timer(0.02 * (turn % 5), process.kill)
        killer.start()
        while acknowledged < len(rows):
            try:
                acknowledged = till.send(*rows[acknowledged : acknowledged + 2]).watermark
            except OSError:
                break
        killer.join()
        process.wait(5)
        process, till.shop.url = shell.run()
        assert till.send().watermark >= acknowledged
    till.send(*rows)
    database, _ = DataFolder(shell.folder).open()
    with database.reading() as tx:
        (balance,) = tx.execute(tables.members.select()).one()[1:2]
        entries = tx.execute(tables.ledger.select()).all()
    database.close()
    assert balance == sum(entry.points for entry in entries) == 10 * len(rows)
    assert {entry.row_id for entry in entries} == {row.id for row in rows}


def test_a_taken_port_is_said(shell: Shell) -> None:
    shell.init()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = shell("run", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", code=69)
    assert "cannot listen on 127.0.0.1:" in said


@pytest.mark.parametrize("listen", ["8080", "localhost:", "localhost:x", ":80", "localhost:65536"])
def test_a_wrong_address_is_said(shell: Shell, listen: str) -> None:
    shell.init()
    assert "must be HOST:PORT" in shell("run", "--listen", listen, code=78)


@pytest.mark.parametrize("words", [("run",), ("device", "new-code", "--store", "S1"), ("ledger", "--csv", "x.csv")])
def test_a_folder_that_was_not_initialised_is_said(shell: Shell, words: tuple[str, ...]) -> None:
    assert "run tillmate-server init" in shell(*words, code=78)
    assert not shell.folder.exists()


def test_all_mistakes_of_a_programme_are_said(shell: Shell) -> None:
    said = shell.init(
        shell.programme.replace("rate_bp = 1000", "rate_bp = -1\nrate = 5").replace("RUB", "rub"), code=78
    )
    assert "earn.rate_bp" in said
    assert "earn.rate" in said
    assert "programme.currency" in said


def test_init_again_adds_and_keeps(shell: Shell, tmp_path: Path) -> None:
    shell.init()
    keys = DataFolder(shell.folder).keys_file.read_bytes()
    shell.init(shell.programme, 0, "--store", "S2:Second", "--till", "S2:1")
    assert DataFolder(shell.folder).keys_file.read_bytes() == keys
    assert "there is no store 'S9'" in shell("init", "--till", "S9:1", code=1)
    assert "revision 1 is taken" in shell.init(shell.programme.replace("1000", "900"), code=1)
    file = tmp_path / "next.toml"
    file.write_text(shell.programme.replace("revision = 1", "revision = 2"))
    assert shell("programme", "publish", str(file)) == "published revision=2\n"
    assert shell("programme", "publish", str(file)) == "unchanged revision=2\n"


def test_wishes_that_cannot_be_granted(shell: Shell) -> None:
    shell.init()
    assert "there is no store 'S9'" in shell("device", "new-code", "--store", "S9", code=1)
    assert "there is no device 'D9'" in shell("device", "revoke", "D9", code=1)
    shell("member", "add", "--card", "1", "--phone", "8 916 123-45-67")
    assert "the card belongs to a member already" in shell("member", "add", "--card", "1", code=1)
    assert "the phone belongs" in shell("member", "add", "--card", "2", "--phone", "+79161234567", code=1)
    assert "not a phone number" in shell("member", "add", "--card", "2", "--phone", "12", code=1)
    assert "--card" in shell("member", "add", "--card", " ", code=1)


def test_the_public_address_goes_to_the_tills(shell: Shell, till_at: Callable[[str], Till]) -> None:
    shell.init()
    _, url = shell.run("--public-url", "https://Bonus.example/")
    till = till_at(url)
    assert till.claim(shell("device", "new-code", "--store", "S1").strip()).enrolment_url == "https://Bonus.example"
    for host, status in (("bonus.example", 200), ("bonus.example:443", 421), ("other.example", 421)):
        assert till.ask("GET", "/v1/programme", host=host, headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "words",
    [
        ("--public-url", "bonus.example"),
        ("--public-url", "http://bonus.example"),
        ("--public-url", "https://bonus.example/shop"),
        ("--public-url", "https://"),
        ("--listen", "0.0.0.0:0"),
    ],
)
def test_an_address_that_cannot_stand_on_receipts_is_said(shell: Shell, words: tuple[str, ...]) -> None:
    shell.init()
    assert "must be https://HOST" in shell("run", *words, code=78)


def test_a_ledger_that_cannot_be_written_is_said(shell: Shell, tmp_path: Path) -> None:
    shell.init()
    assert "No such file" in shell("ledger", "--csv", str(tmp_path / "nowhere" / "ledger.csv"), code=1)


def test_the_console_sender_says_it_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sender = ConsoleSender(sys.stdout, tmp_path / "codes.jsonl")
    sender.send("+79161234567", "123456", "Код 123456", datetime(2026, 1, 1, tzinfo=UTC))
    assert capsys.readouterr().out == "code phone=+7***4567 code=123456\n"
    assert json.loads((tmp_path / "codes.jsonl").read_text())["text"] == "Код 123456"


def test_a_balance_that_differs_fails_the_ledger(shell: Shell, tmp_path: Path) -> None:
    shell.init()
    shell("member", "add", "--card", "1", "--balance", "5")
    database, _ = DataFolder(shell.folder).open()
    with database.writing() as tx:
        tx.execute(tables.members.update().values(balance=6))
    database.close()
    assert "1 balances differ" in shell("ledger", "--csv", str(tmp_path / "ledger.csv"), code=1)


def test_a_device_is_revoked_beside_the_running_server(shell: Shell, till_at: Callable[[str], Till]) -> None:
    shell.init()
    _, url = shell.run()
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    assert till.ask("GET", "/v1/programme").status_code == 200
    assert shell("device", "revoke", till.me.device) == f"revoked device={till.me.device}\n"
    assert till.ask("GET", "/v1/programme").json()["code"] == "device_revoked"


def test_points_burn_and_the_ledger_is_held_against_itself(shell: Shell) -> None:
    shell.init(shell.programme + '[lots]\nlives = "P1D"\nuntil = "exact"\n')
    member = shell("member", "add", "--card", "2900000000018", "--balance", "300").strip()
    assert shell("expire") == "expired members=0 points=0 returns_without_sale=0\n"
    assert shell("verify") == "verified differences=0\n"
    assert shell("member", "allow-offline", member) == f"allowed member={member}\n"
    assert "there is no member x" in shell("member", "allow-offline", "x", code=1)
    database, _ = DataFolder(shell.folder).open()
    ago = datetime.now(UTC) - timedelta(days=2)
    lot = Lot(lot_of(ago), 300, ago)
    with database.writing() as tx:
        tx.execute(tables.ledger.update().values(expires_at=ago, at=ago - timedelta(days=1)))
        state = MemberState(lots=(lot,))
        members.write(tx, [(member, members.Member(state=msgspec.structs.replace(state, balance=300), lots_at=ago))])
    database.close()
    assert shell("verify", "--audit", "1") == "verified differences=0 sales_asked_again=0\n"
    assert shell("expire") == "expired members=1 points=300 returns_without_sale=0\n"
    assert shell("expire") == "expired members=0 points=0 returns_without_sale=0\n"
    assert shell("verify") == "verified differences=0\n"
    database, _ = DataFolder(shell.folder).open()
    with database.writing() as tx:
        tx.execute(tables.members.update().values(balance=7))
    database.close()
    assert shell("verify", code=1) == "Error: 1 things differ\n"
