"""What the central server takes on PostgreSQL: receipts a second, end to end, the client on the same cores.

    python benchmarks/server.py [--batches 400] [--processes 2] [--connections 2] [--rows 500]

A private PostgreSQL that syncs each commit to the disk, server processes as `tillmate-server run` starts them, 50,000
claimed devices in 10,000 stores. Each batch has 500 sales of three lines, signed, chained and packed as a till does it,
from a device drawn at random; every other sale has a member (of 200,000), the rest carry an enrolment token. The batches
are made before the clock starts; signing, sending and reading the verdicts is in it, on the same cores. In the end the
ledger must hold what was acknowledged. Exits 1 when it does not, or when a figure misses its target.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import random
import re
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, text

from loyalty.chain import GENESIS, row_hash
from loyalty.engine import quote
from loyalty.enrolment_token import hour_of, mint
from loyalty.jws import sign_request
from loyalty.programme import load
from loyalty.quote import Basket, Counters, Line, MemberState, Quote
from loyalty.wire import EventReply, ReceiptId, Sale
from loyalty_server.folder import DataFolder
from loyalty_server.keys import Keys, encode_bytes
from loyalty_server.ledger import differences
from loyalty_server.programmes import publish
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database
from loyalty_server.storage.statements import append

RIG = runpy.run_path(str(Path(__file__).parents[1] / "tests/rig/postgresql.py"))
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "autovacuum": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}
TARGET, MEAN, LIMIT_MS = 10_000, 25_000_000 / 86_400, 200.0
STORES, DEVICES, MEMBERS = 10_000, 50_000, 200_000
EPOCH = "0" * 32
SERVERS: list[int] = []
PROGRAMME = """
[programme]
id = "bench"
revision = 1
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 500
"""
GROWING = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relkind = 'r' AND (relname IN ('rows', 'ledger', 'tokens', 'regulars') OR relname LIKE 'receipts%')
"""
COMMAND = Path(sys.executable).with_name("tillmate-server")


@dataclass(frozen=True)
class Batch:
    """What one device sends."""

    device: str
    key: bytes
    body: bytes


def main() -> int:
    """Print the figures; 1 when one misses its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2, help="of the server")
    parser.add_argument(
        "--connections",
        type=int,
        default=2,
        help="batches on their way at once; more than processes wait for their turn",
    )
    parser.add_argument("--rows", type=int, default=500, help="of a batch; the limits are for 500")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database() as server:
        data = DataFolder(Path(folder) / "data")
        keys = people(data, server.url(server.database()))
        batches = prepare(keys, wanted.batches, wanted.rows)
        sizes = statistics.mean(len(batch.body) for batch in batches)
        print(
            f"{len(batches)} batches of {wanted.rows} receipts, {sizes / 1024:.0f} KiB each, from {DEVICES} devices",
            flush=True,
        )
        with servers(data, wanted.processes) as urls:
            send(batches[: wanted.processes * 2], urls, 1)  # whoever waits for the first connection is not measured
            before = processor_times(server.pid)
            took, elapsed = send(batches[wanted.processes * 2 :], urls, wanted.connections)
            after = processor_times(server.pid)
        kept = check(data, len(batches) * wanted.rows)
    rate = len(took) * wanted.rows / elapsed
    p50, p99 = statistics.median(took) * 1000, sorted(took)[len(took) * 99 // 100] * 1000
    spent = ", ".join(f"{name} {(after[name] - before[name]) / len(took) / wanted.rows * 1e6:.0f}" for name in after)
    print(
        f"load average {os.getloadavg()[0]:.1f}; {rate:,.0f} receipts/s: {rate / TARGET:.2f} of the target of {TARGET:,}/s, {rate / MEAN:.0f} times the "
        f"{MEAN:.0f}/s of a day of 25 million receipts\n"
        f"a batch of {wanted.rows}: p50 {p50:.0f} ms, p99 {p99:.0f} ms (limit {LIMIT_MS:.0f})\n"
        f"processor time of a receipt, in us: {spent}"
    )
    return 0 if kept and rate >= TARGET and p99 <= LIMIT_MS else 1


@contextmanager
def database() -> Iterator[object]:
    """A PostgreSQL that is as careful as a real one, on a real disk."""
    programs = RIG["programs"]()
    if programs is None:
        sys.exit("needs postgresql (apt-get install postgresql)")
    server = RIG["PostgreSql"](programs, Path(tempfile.gettempdir()), **SETTINGS)
    try:
        yield server
    finally:
        server.stop()


def people(data: DataFolder, url: str) -> Keys:
    """Stores, devices that were claimed, members: made in the database, because claims are not what is measured."""
    database, keys = data.create(url)
    now = datetime.now(UTC)
    state = msgspec.json.encode(MemberState(counters=Counters())).decode()
    with database.writing() as tx:
        publish(tx, keys, load(PROGRAMME, "toml"), now)
        append(tx, tables.stores, ("id", "name", "ident_generation"), [(f"S{n}", "", 1) for n in range(STORES)])
        append(tx, tables.tills, ("store", "id", "name"), [(f"S{n}", "1", "") for n in range(STORES)])
        append(
            tx,
            tables.devices,
            ("id", "number", "store", "public_key", "machine", "version", "token_generation", "epoch", "claimed_at"),
            [(f"D{n}", n, store_of(n), public_key(n), "", "1", 1, EPOCH, now) for n in range(DEVICES)],
        )
        epochs = [(f"D{n}", EPOCH, 0, GENESIS.hex(), now) for n in range(DEVICES)]
        append(tx, tables.epochs, ("device", "epoch", "last_seq", "last_hash", "opened_at"), epochs)
        members = [(member(n), 0, state, n + 1, now) for n in range(MEMBERS)]
        append(tx, tables.members, ("id", "balance", "state", "change", "created_at"), members)
        append(tx, tables.counters, ("name", "value"), [("change", MEMBERS)])
    analyse(database)
    database.close()
    return keys


def analyse(database: Database) -> None:
    """What a database that has run for a while has done by itself."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def store_of(number: int) -> str:
    """Five devices a store."""
    return f"S{number % STORES}"


def member(number: int) -> str:
    """Return an id as they are: hex digits in no order."""
    return f"{random.Random(number).getrandbits(64):016x}"  # noqa: S311 - not a secret


def private_key(number: int) -> Ed25519PrivateKey:
    """The key of a device."""
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))


def public_key(number: int) -> str:
    """What the server knows of it."""
    return encode_bytes(private_key(number).public_key().public_bytes_raw())


def prepare(keys: Keys, count: int, rows: int) -> list[Batch]:
    """Make the batches, each as its device would send it next."""
    draw = random.Random(8)  # noqa: S311 - the same benchmark every time
    sales = [sale(total) for total in range(20)]
    queues: dict[int, tuple[int, bytes]] = {}
    batches = []
    for _ in range(count):
        number = draw.randrange(DEVICES)
        seq, last = queues.get(number, (0, GENESIS))
        body, queues[number] = _batch(keys, draw, number, (seq, last), [draw.choice(sales) for _ in range(rows)])
        batches.append(Batch(f"D{number}", private_key(number).private_bytes_raw(), body))
    return batches


def sale(total: int) -> Sale:
    """What a till prints for three lines; the engine says the numbers."""
    programme = load(PROGRAMME, "toml")
    now = datetime.now(UTC)
    state = MemberState(balance=300, as_of=now, counters=Counters(purchases={"lifetime": 9, "month": 2}))
    lines = [
        Line(sku=f"46000000{n:05}", name=f"Товар номер {n}", categories=("food",), sum=9_990 + 1_000 * (total + n))
        for n in range(3)
    ]
    basket = Basket(tuple(lines))
    quoted = quote(programme, state, basket, now, 0, offline=False)
    assert isinstance(quoted, Quote)
    receipt = ReceiptId(store="S", till="1", business_day=now.date(), shift="1", number="1")
    return Sale(receipt=receipt, basket=basket, quote=quoted, offline=False, member_state=state, cashier="7")


def _batch(
    keys: Keys, draw: random.Random, number: int, before: tuple[int, bytes], sales: list[Sale]
) -> tuple[bytes, tuple[int, bytes]]:
    now = datetime.now(UTC)
    token_key, rows, (seq, last) = keys.token(number, 1), [], before
    for unnamed in sales:
        seq += 1
        receipt = ReceiptId(
            store=store_of(number), till="1", business_day=now.date(), shift=str(number), number=str(seq)
        )
        known = {"member": member(draw.randrange(MEMBERS))} if seq % 2 else {}
        token = {} if known else {"token": mint(token_key, number, 1, hour_of(now), seq), "member_state": None}
        sold = msgspec.structs.replace(unnamed, receipt=receipt, **known, **token)
        body = msgspec.json.encode(sold)
        last = row_hash(last, EPOCH, seq, "sale", now.isoformat(), body)
        row = {"seq": seq, "id": str(uuid.uuid4()), "kind": "sale", "at": now.isoformat(), "schema": 1}
        rows.append({**row, "body": body.decode(), "hash": last.hex()})
    return gzip.compress(msgspec.json.encode({"epoch": EPOCH, "rows": rows}), 1), (seq, last)


@contextmanager
def servers(data: DataFolder, count: int) -> Iterator[list[str]]:
    """So many server processes on one database."""
    words = [COMMAND, "run", "--data", str(data.path), "--listen", "127.0.0.1:0"]
    running = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(count)
    ]
    SERVERS[:] = [process.pid for process in running]
    try:
        yield [re.fullmatch(r"ready url=(.+)\n", process.stdout.readline())[1] for process in running]
    finally:
        for process in running:
            process.terminate()
            process.communicate(timeout=10)


def send(batches: list[Batch], urls: list[str], connections: int) -> tuple[list[float], float]:
    """Send them all, `connections` at once, the batches of one device in order; how long each took, and all."""
    lanes: list[list[Batch]] = [[] for _ in range(connections)]
    for batch in batches:
        lanes[int(batch.device[1:]) % connections].append(batch)
    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        took = list(pool.map(_send, lanes, [urls[place % len(urls)] for place in range(connections)]))
    return [each for lane in took for each in lane], time.perf_counter() - start


def _send(batches: list[Batch], url: str) -> list[float]:
    host = url.removeprefix("http://")
    took = []
    with closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        for batch in batches:
            start = time.perf_counter()
            token = sign_request(batch.key, batch.device, host, datetime.now(UTC))
            headers = {"Authorization": f"Bearer {token}", "Content-Encoding": "gzip"}
            connection.request("POST", "/v1/events", batch.body, headers)
            response = connection.getresponse()
            answer = response.read()
            assert response.status == 200, answer
            reply = msgspec.json.decode(answer, type=EventReply)
            assert all(each.verdict == "accepted" for each in reply.verdicts), reply.verdicts[0]
            took.append(time.perf_counter() - start)
    return took


def processor_times(postmaster: int) -> dict[str, float]:
    """Seconds that each part has spent so far."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return {
        "server": sum(map(_spent, SERVERS)),
        "PostgreSQL": sum(map(_spent, [postmaster, *map(int, children)])),
        "client": sum(os.times()[:2]),
    }


def _spent(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(data: DataFolder, sent: int) -> bool:
    """Tell whether the ledger holds what was acknowledged, and nothing else."""
    database, _ = data.open()
    with closing(database), database.reading() as tx:
        receipts = tx.execute(select(func.count()).select_from(tables.receipts)).scalar_one()
        wrong = differences(tx)
        size = tx.execute(text(GROWING)).scalar_one()
    print(f"ledger: {receipts:,} receipts of {sent:,} that were acknowledged, {len(wrong)} balances that differ")
    print(f"on the disk, in bytes a receipt: {int(size) // receipts:,}")
    return receipts == sent and not wrong


if __name__ == "__main__":
    sys.exit(main())
