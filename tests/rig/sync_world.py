"""A central server and tills in one process, with a clock of their own: the real server's code and database on one side,
the real queue files and the real sync core on the other, and between them a line that loses what it is told to lose.

`Central` serves the application over real HTTP (`serving`), or is asked directly (`Road`), where thousands of steps
must not take long. `TillFolder` is a store PC's state folder: it is opened, crashed, copied, put back and damaged.
"""

from __future__ import annotations

import heapq
import itertools
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import msgspec
from sqlalchemy import Connection, select
from starlette.types import ASGIApp

from agent import identity
from agent.identity import Identity
from agent.lookup import Lookup
from agent.sync.claim import Claimant, note_epoch
from agent.sync.delivery import Delivery
from agent.sync.errors import Gone, ServerUnreachable
from agent.sync.replies import Answer, read, refusal
from agent.sync.turn import Turn
from loyalty.quote import Basket, Line, MemberState, Quote
from loyalty.wire import (
    ChangesPage,
    ClaimReply,
    ClaimRequest,
    EpochReply,
    EpochRequest,
    EventBatch,
    EventReply,
    Heartbeat,
    HeartbeatReply,
    Problem,
    Programmes,
    ReceiptId,
    Sale,
)
from loyalty_server import setup
from loyalty_server.app import make_app
from loyalty_server.changes import changes_since
from loyalty_server.devices import Device, claim, find_device, new_code, new_code_for, revoke
from loyalty_server.edge import Limits, Server, names_of
from loyalty_server.enrolment.sender import ConsoleSender
from loyalty_server.epochs import open_epoch
from loyalty_server.folder import DataFolder
from loyalty_server.heartbeat import note_heartbeat
from loyalty_server.ingest import Batch, ingest
from loyalty_server.keys import load_keys
from loyalty_server.ledger import differences
from loyalty_server.life import Life
from loyalty_server.listener import bind, serve
from loyalty_server.problems import Refused, problem
from loyalty_server.programmes import in_force
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database
from offline_queue import (
    CommitSale,
    Committed,
    Conflict,
    Keyring,
    NewJob,
    Queue,
    QueueFile,
    Reader,
    Replica,
    ReplicaWriter,
)
from offline_queue.care import Care
from offline_queue.opening import Claimed, open_queue
from offline_queue.outcome import Outcome
from offline_queue.transaction import Operation

T = TypeVar("T")
NOON = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)
WAIT = 20.0


class VirtualClock:
    """Wall and monotonic time that pass only when somebody waits; the wall can leap by itself."""

    def __init__(self, at: datetime = NOON) -> None:
        self._at = at
        self._ticks = 0.0

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._ticks

    def wait(self, event: threading.Event, timeout: float) -> bool:
        if not event.is_set():
            self.advance(seconds=timeout)
        return event.is_set()

    def advance(self, **step: float) -> None:
        passed = timedelta(**step)
        self._ticks += passed.total_seconds()
        self.leap(passed)

    def leap(self, by: timedelta) -> None:
        """Somebody sets the clock, or its battery is empty."""
        try:
            self._at = max(self._at + by, datetime(1971, 1, 1, tzinfo=UTC))
        except OverflowError:
            self._at = datetime(9000, 1, 1, tzinfo=UTC)


PROGRAMME = """
[programme]
id = "club"
revision = 1
engine = 1
starts_at = 2020-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 1000
"""


def furnish(folder: Path, address: str | None = None) -> None:
    """A server's folder with two stores, three tills and a programme; to be copied, because migrations take long."""
    database, keys = DataFolder(folder).create(address)
    program = folder / "programme.toml"
    program.write_text(PROGRAMME, encoding="utf-8")
    with database.writing() as tx:
        setup.add_stores(tx, ["S1:First", "S2:Second"])
        setup.add_tills(tx, ["S1:1", "S1:2", "S2:1"])
        setup.publish_file(tx, keys, program, NOON)
    database.close()


class Backup(Protocol):
    """How the database of a folder is copied while the server runs, and put back while it does not."""

    def take(self, folder: DataFolder) -> None: ...

    def put_back(self, folder: DataFolder) -> None: ...


class FileBackup:
    """As the documentation says for SQLite."""

    def take(self, folder: DataFolder) -> None:
        _copy_database(folder.database_file, folder.path / "backup.db")

    def put_back(self, folder: DataFolder) -> None:
        for name in ("server.db", "server.db-wal", "server.db-shm"):
            (folder.path / name).unlink(missing_ok=True)
        shutil.copy(folder.path / "backup.db", folder.database_file)


class Central:
    """The server on its folder. Its clock is right; those of the tills may not be."""

    def __init__(self, folder: Path, clock: VirtualClock, page: int = 1000, backup: Backup | None = None) -> None:
        self.folder = DataFolder(folder)
        self.clock = clock
        self.limits = Limits(page=page)
        self._backup = backup or FileBackup()
        self._has_backup = False
        self._open()

    def _open(self) -> None:
        self.keys = load_keys(self.folder.keys_file)
        self.database = Database(self.folder.address)
        self.life = Life(self.folder.mark_file)
        self.life.begin(self.database)

    def close(self) -> None:
        self.database.close()

    def backup(self) -> None:
        """As the documentation says: a copy of the database while the server runs."""
        self._backup.take(self.folder)
        self._has_backup = True
        with self.database.reading() as tx:
            self.life.note(tx)

    def restore(self) -> bool:
        """Stop, put the backup in place, start. False = there is none."""
        if not self._has_backup:
            return False
        with self.database.reading() as tx:
            self.life.note(tx)
        self.close()
        self._backup.put_back(self.folder)
        self._open()
        return True

    def code(self, store: str = "S1") -> str:
        return self._write(lambda tx: new_code(tx, store, self.clock.now()))

    def code_for(self, device: str) -> str:
        return self._write(lambda tx: new_code_for(tx, device, self.clock.now()))

    def revoke(self, device: str) -> None:
        self._write(lambda tx: revoke(tx, device, self.clock.now()))

    def member(self, card: str) -> str:
        return self._write(lambda tx: setup.add_known_member(tx, card, 0, None, None, self.clock.now()))

    def receipts(self) -> dict[str, int]:
        """What is booked: number of the receipt -> points earned. Balances and entries must agree with it."""
        with self.database.reading() as tx:
            assert differences(tx) == []
            columns = (tables.receipts.c.till, tables.receipts.c.number, tables.receipts.c.earned)
            found = [(f"{till}/{number}", earned) for till, number, earned in tx.execute(select(*columns))]
        assert len(found) == len(dict(found)), "a receipt is booked twice"
        return dict(found)

    def balances(self) -> dict[str, int]:
        with self.database.reading() as tx:
            found = tx.execute(select(tables.members.c.id, tables.members.c.balance))
            return {str(name): int(points) for name, points in found}

    def check_numbers(self) -> None:
        """In every epoch rows 1, 2, 3 ... up to the watermark, each with one verdict."""
        with self.database.reading() as tx:
            for device, epoch, last in tx.execute(
                select(tables.epochs.c.device, tables.epochs.c.epoch, tables.epochs.c.last_seq)
            ).all():
                here = select(tables.rows.c.seq).where(tables.rows.c.device == device, tables.rows.c.epoch == epoch)
                assert list(tx.execute(here.order_by(tables.rows.c.seq)).scalars()) == list(range(1, last + 1))

    def flags(self) -> list[str]:
        with self.database.reading() as tx:
            return list(tx.execute(select(tables.flags.c.kind).order_by(tables.flags.c.id)).scalars())

    def app(self, url: str) -> ASGIApp:
        server = Server(self.database, self.keys, self.clock, url, names_of(url), self.limits, self.life)
        return make_app(server, ConsoleSender(cast("Any", _Nowhere()), self.folder.codes_file))

    @contextmanager
    def serving(self, wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app) -> Iterator[str]:
        """Over HTTP on the loopback; `wrap` may put faults around the application."""
        listener = bind("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop, ready = threading.Event(), threading.Event()
        thread = threading.Thread(target=serve, args=(wrap(self.app(url)), listener, stop, ready.set))
        thread.start()
        try:
            assert ready.wait(WAIT)
            yield url
        finally:
            stop.set()
            thread.join(WAIT)
            assert not thread.is_alive()

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self.database.writing() as tx:
            return work(tx)


class _Nowhere:
    def write(self, _: str) -> int:
        return 0

    def flush(self) -> None:
        """Nothing is kept."""


@dataclass
class Weather:
    """What becomes of the next calls, in order; then it is fine. down: the call never arrives; lost: the reply does not."""

    coming: list[str] = field(default_factory=list)
    always: str = ""
    calls: int = 0

    def take(self) -> str:
        self.calls += 1
        return self.always or (self.coming.pop(0) if self.coming else "")


class Road:
    """The server as one device reaches it, without HTTP: what goes over it is encoded and decoded as on the wire."""

    def __init__(self, central: Callable[[], Central], weather: Weather, device: str = "") -> None:
        self.central = central
        self._weather = weather
        self._device = device

    def claim(self, request: ClaimRequest) -> ClaimReply:
        def work(central: Central, tx: Connection) -> object:
            return claim(tx, central.keys, request, "https://example.org", central.clock.now())

        return self._call(work, ClaimReply)

    def open_epoch(self, wish: EpochRequest) -> EpochReply:
        return self._call(lambda central, tx: open_epoch(tx, self._who(tx), wish, central.clock.now()), EpochReply)

    def events(self, batch: EventBatch) -> EventReply:
        sent = msgspec.json.decode(msgspec.json.encode(batch), type=Batch)
        return self._call(
            lambda central, tx: ingest(tx, central.keys, self._who(tx), sent, central.clock.now()), EventReply
        )

    def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        return self._call(
            lambda central, tx: note_heartbeat(tx, self._who(tx), heartbeat, central.clock.now()), HeartbeatReply
        )

    def changes(self, since: str | None, epoch: str = "") -> ChangesPage:
        def work(central: Central, tx: Connection) -> object:
            most = central.limits.page
            return changes_since(tx, central.keys, self._who(tx), since or "", most, central.clock.now(), epoch)

        return self._call(work, ChangesPage)

    def programmes(self, _: str) -> tuple[Programmes, str] | None:
        def work(central: Central, tx: Connection) -> object:
            return in_force(tx, central.clock.now())

        return self._call(work, Programmes), "etag"

    def _who(self, tx: Connection) -> Device:
        device = find_device(tx, self._device)
        if device is None or device.revoked:
            raise Refused(problem("device_revoked" if device else "bad_signature"))
        return device

    def _call(self, work: Callable[[Central, Connection], object], shape: type[T]) -> T:
        weather = self._weather.take()
        if weather == "down":
            raise ServerUnreachable("down", "network")
        central = self.central()
        try:
            with central.database.writing() as tx:
                said = work(central, tx)
        except Refused as refused:
            said = refused.problem
        if weather == "lost":
            raise ServerUnreachable("lost", "network")
        content = msgspec.json.encode(said)
        if isinstance(said, Problem):
            raise refusal(Answer(said.status, {"content-type": "application/problem+json"}, content), NOON)
        return read(Answer(200, {}, content), shape)


class _Straight:
    """The queue without its thread: what is handed in is carried out at once."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> object:
        return getattr(self._queue, name)

    def submit(self, operation: Operation[T]) -> Outcome[T]:
        done = Outcome[T]()
        try:
            done.succeed(self._queue.carry_out_now(operation))
        except Exception as error:  # noqa: BLE001 - as the writer does: it is the caller's answer
            done.fail(error)
        return done


class Quiet:
    """Hears what `Care` has to say."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def quote(earned: int) -> Quote:
    return Quote(
        total=earned * 10, discount=0, line_discounts=(0,), max_redeem=0, redeemed=0, line_redeemed=(0,), pay=earned * 10,
        earned=earned, balance_after=earned, tier=None, tier_after=None, to_next_tier=None, stamps_after={}, free_units={},
        gifts=(), slips=(), coupons_used=(), why=(), prompt={}, programme_revision=1, engine=1,
    )  # fmt: skip


class TillFolder:
    """A store PC: its folder, and what runs on it while it is on."""

    def __init__(
        self, folder: Path, central: Callable[[], Central], weather: Weather | None = None, *, till: str = "1"
    ) -> None:
        self.folder = folder
        self.till = till
        self.clock = VirtualClock()
        self.weather = weather or Weather()
        self.central = central
        self.code = ""
        self.running = False

    # what people do with it

    def start(self) -> TillFolder:
        self.folder.mkdir(parents=True, exist_ok=True)
        who = identity.load(self.folder)
        self.file = QueueFile(self.folder / "queue.db", Keyring(identity.data_keys(self.folder)))
        claimed = Claimed(who.device, who.epoch) if who else None
        self._queue = open_queue(self.file.path, self.clock, claimed, keys=self.file.keys)
        self.queue = cast("Queue", _Straight(self._queue))
        self.reader = Reader(self.file)
        self.replica = Replica(self.folder / "members.db")
        self.members = ReplicaWriter(self.replica, self.clock.now)
        self.care = Care(self.queue, self.file, self.clock, cast("Any", Quiet()))
        self.running = True
        if who:
            self._begin(who)
        return self

    def _begin(self, who: Identity) -> None:
        self.who = who
        self.line = Road(self.central, self.weather, who.device)
        turn = Turn(
            who,
            self.line,
            self.reader,
            self.queue,
            machine=identity.machine_id(self.folder),
            agreed=lambda epoch: note_epoch(self.folder, epoch),
        )
        self.delivery = Delivery(who, self.line, self.reader, self.queue, turn)

    def claim(self, code: str) -> None:
        self._begin(self.claimant(code).claim())

    def claim_again(self, code: str) -> None:
        self._begin(self.claimant(code).claim_again())

    def claimant(self, code: str) -> Claimant:
        line = Road(self.central, self.weather)
        return Claimant(folder=self.folder, code=code, server=line, writer=self.queue)

    def stop(self) -> None:
        """Also what a kill leaves: everything that was answered is on the disk."""
        if self.running:
            self.care._end_salvage()  # gives its connection back, as the end of the process would
            self.members.close()
            self.reader.close()
            self._queue.close()
        self.running = False

    def restart(self) -> None:
        self.stop()
        self.start()

    def copy_to(self, folder: Path) -> None:
        """An image of the disk; taken while the till is off."""
        assert not self.running
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)

    def damage(self) -> None:
        """The head of the file is gone, and with it SQLite's way to everything behind it."""
        assert not self.running
        with self.file.path.open("r+b") as file:
            file.write(b"\xa5" * 100)

    # what happens on it

    def sell(self, number: int, member: str | None, earned: int, redeemed: int = 0) -> None:
        assert isinstance(self.commit(number, member, earned, redeemed), Committed)

    def commit(self, number: int, member: str | None, earned: int, redeemed: int = 0) -> Committed | Conflict:
        """What the POS gets for its answer, once it is on the disk."""
        receipt = ReceiptId(store="S1", till=self.till, business_day=date(2026, 12, 12), shift="1", number=str(number))
        sale = Sale(
            receipt=receipt,
            basket=Basket(lines=(Line(sum=earned * 10),)),
            quote=msgspec.structs.replace(quote(earned), redeemed=redeemed),
            offline=True,
            member=member,
            member_state=MemberState() if member else None,
        )
        name = f"{self.till}-{number}"
        said = f"{earned} {redeemed}"
        job = NewJob("receipt", b'{"elements":[]}', name)
        return self.queue.submit(CommitSale(name, said, "sale", self.clock.now(), sale, said.encode(), job)).result(0)

    def heartbeat(self) -> Heartbeat:
        """How the queue is."""
        depth = self.reader.depth()
        return Heartbeat(
            epoch=depth.epoch or "",
            last_seq=depth.last_seq,
            last_hash=depth.last_hash.hex(),
            pending=depth.pending,
            oldest_pending_at=depth.oldest_at,
            version="1",
            programme_revision=1,
            devices={},
            at=self.clock.now(),
            opened=depth.opened,
            instance=depth.instance,
            settled_hash=(depth.settled_hash or b"").hex(),
        )

    def beat(self) -> None:
        """A heartbeat, and what follows from its answer."""
        beat = self.heartbeat()
        self.delivery.judge(beat, self.line.heartbeat(beat))

    def feed(self, pages: int = 1000) -> bool:
        """So many pages of members; whether the replica is complete then."""
        for _ in range(pages):
            cursor = self.members.age.cursor
            try:
                page = self.line.changes(cursor, self.reader.depth().epoch or "")
            except Gone:
                self.members.reset()
                continue
            self.members.apply(page)
            if page.complete:
                return True
        return False

    def shown(self, card: str) -> int | None:
        """The balance on the screen."""
        known = Lookup(self.replica.reader(self.who.ident_key), self.reader).find(card)
        return known.state.balance if known else None

    def look_after(self, steps: int = 10_000) -> None:
        """So much of the work in the background."""
        for _ in range(steps):
            if not self.care.step():
                return


class Timeline:
    """What happens at which time while somebody waits: the `Waits` of the sync core, in virtual time and in one thread."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._rung = False
        self.waits: list[float] = []

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do that then."""
        heapq.heappush(self._events, (self._clock.monotonic() + seconds, next(self._order), action))

    def ring(self) -> None:
        self._rung = True

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.waits.append(seconds)
        end = self._clock.monotonic() + seconds
        while not (self._rung or stop.is_set()) and self._events and self._events[0][0] <= end:
            at, _, action = heapq.heappop(self._events)
            self._clock.advance(seconds=max(at - self._clock.monotonic(), 0.0))
            action()
        if not (self._rung or stop.is_set()):
            self._clock.advance(seconds=max(end - self._clock.monotonic(), 0.0))
        self._rung = False


def spread(seed: int) -> random.Random:
    """Chance that can be repeated."""
    return random.Random(seed)  # noqa: S311 - no secret


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
