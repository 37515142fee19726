"""A real server on a real socket with a real database, and a till that signs, numbers and chains its rows as the agent does.

Whatever asks for `storage`, and so for a shop or a till, runs twice: on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import gzip
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path

import msgspec
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Table, func, select

from loyalty.chain import GENESIS, row_hash
from loyalty.columns import unpack
from loyalty.engine import quote
from loyalty.enrolment_token import hour_of, mint
from loyalty.jws import sign_request
from loyalty.programme import Programme, load
from loyalty.quote import Basket, Line, MemberState, Quote
from loyalty.wire import ClaimReply, ClaimRequest, EventReply, MemberChange, PackedPage, Problem, ReceiptId, Row, Sale
from loyalty_server import setup
from loyalty_server.admin.api import make_admin_app
from loyalty_server.admin.operators import Role, new_operator
from loyalty_server.app import make_app
from loyalty_server.devices import new_code
from loyalty_server.edge import Limits, Server, names_of
from loyalty_server.enrolment.sender import ConsoleSender
from loyalty_server.folder import DataFolder
from loyalty_server.keys import decode_bytes, encode_bytes, load_keys
from loyalty_server.ledger import differences
from loyalty_server.programmes import publish
from loyalty_server.rates import Rates
from loyalty_server.storage import tables
from loyalty_server.storage.database import Database

from .documents import CAPPED, club
from .front import Front
from .person import Person
from .phone import Phone
from .shell import Shell as Shell
from .shell import shell as shell
from .storages import PostgreSqlStorage, SqliteStorage, Storage

NOON = datetime(2026, 12, 12, 9, 0, tzinfo=UTC)  # 12:00 in Moscow

PROGRAMME = club(CAPPED)


@dataclass
class SetClock:
    """Stands still until a test moves it."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def advance(self, **step: float) -> None:
        self.at += timedelta(**step)


@dataclass
class Shop:
    """One server with two stores. `restart` closes its files and begins again on the same folder."""

    folder: DataFolder
    front: Front
    storage: Storage
    clock: SetClock = field(default_factory=SetClock)
    limits: Limits = field(default_factory=Limits)
    said: StringIO = field(default_factory=StringIO)
    patience: float = 10.0
    rates: Rates = field(default_factory=Rates)

    @property
    def url(self) -> str:
        return self.front.url

    def start(self) -> None:
        self.database, self.keys = Database(self.folder.address), load_keys(self.folder.keys_file)
        self.programme = load(PROGRAMME, "toml")
        self.served = Database(self.folder.address, self.patience)
        self.server = Server(
            self.served, self.keys, self.clock, self.url, names_of(self.url), self.limits, rates=self.rates
        )
        self.front.app = make_app(self.server, ConsoleSender(self.said, self.folder.codes_file))
        self.front.admin = make_admin_app(self.server)
        self.http = requests.Session()
        self.http.trust_env = False

    def close(self) -> None:
        self.http.close()
        self.front.app = self.front.admin = None
        self.served.close()
        self.database.close()

    def restart(self) -> None:
        self.close()
        self.start()

    def code(self, store: str = "S1") -> str:
        with self.database.writing() as tx:
            return new_code(tx, store, self.clock.now())

    def till(self, store: str = "S1", machine: str = "pc-1") -> Till:
        till = Till(self, machine)
        till.claim(self.code(store))
        return till

    def member(self, card: str, balance: int = 0, **more: str | None) -> str:
        with self.database.writing() as tx:
            return setup.add_known_member(tx, card, balance, more.get("phone"), more.get("greeting"), self.clock.now())

    def count(self, table: Table) -> int:
        with self.database.reading() as tx:
            return int(tx.execute(select(func.count()).select_from(table)).scalar_one())

    def all(self, table: Table, *columns: str) -> list[tuple[object, ...]]:
        """Some columns of every line, in the order of the first one."""
        with self.database.reading() as tx:
            found = tx.execute(select(*(table.c[name] for name in columns)).order_by(table.c[columns[0]]))
            return [tuple(row) for row in found]

    def everything(self) -> dict[str, list[str]]:
        """Each line of each table."""
        with self.database.reading() as tx:
            return {name: sorted(map(str, tx.execute(select(table)))) for name, table in tables.metadata.tables.items()}

    def points(self, member: str) -> int:
        """The balance, which must be the sum of the entries."""
        with self.database.reading() as tx:
            assert differences(tx) == []
            balance = tx.execute(select(tables.members.c.balance).where(tables.members.c.id == member))
            return int(balance.scalar_one())

    def flags(self) -> list[str]:
        return [str(kind) for kind, *_ in self.all(tables.flags, "kind")]

    def last_code(self) -> str:
        return re.findall(r"code=(\d{6})\n", self.said.getvalue())[-1]


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Remote:
    """A server that runs as a process of its own."""

    url: str
    clock: RealClock = field(default_factory=RealClock)
    programme: Programme = field(default_factory=lambda: load(PROGRAMME, "toml"))
    http: requests.Session = field(default_factory=requests.Session)


@dataclass
class Till:
    """A store PC's side of the protocol."""

    shop: Shop | Remote
    machine: str = "pc-1"
    key: bytes = field(default_factory=lambda: Ed25519PrivateKey.generate().private_bytes_raw())
    seq: int = 0
    last: bytes = GENESIS
    number: int = 0
    tokens: int = 0

    @property
    def public_key(self) -> str:
        return encode_bytes(Ed25519PrivateKey.from_private_bytes(self.key).public_key().public_bytes_raw())

    def claim(self, code: str) -> ClaimReply:
        response = self.ask_claim(code)
        assert response.status_code == 201, response.text
        self.me = msgspec.json.decode(response.content, type=ClaimReply)
        return self.me

    def ask_claim(self, code: str) -> requests.Response:
        wish = ClaimRequest(code=code, public_key=self.public_key, machine=self.machine, version="1")
        return self.shop.http.post(f"{self.shop.url}/v1/devices", data=msgspec.json.encode(wish))

    def ask(self, method: str, path: str, **more: object) -> requests.Response:
        """A signed request."""
        at, host = more.pop("at", None), more.pop("host", None)
        host = str(host or self.shop.url.removeprefix("http://"))
        when = at if isinstance(at, datetime) else self.shop.clock.now()
        headers = {"Authorization": f"Bearer {sign_request(self.key, self.me.device, host, when)}"}
        given = more.pop("headers", {})
        assert isinstance(given, dict)
        request = requests.Request(method, self.shop.url + path, headers={**headers, **given}, **more)
        return self.shop.http.send(self.shop.http.prepare_request(request))

    def token(self) -> str:
        """A new enrolment token."""
        self.tokens += 1
        key = decode_bytes(self.me.token_key)
        return mint(key, self.me.device_number, self.me.token_generation, hour_of(self.shop.clock.now()), self.tokens)

    def sale(self, total: int = 10000, **more: object) -> Sale:
        """A sale of one line, with the quote that the engine gives."""
        self.number += 1
        state = more.pop("state", None)
        assert state is None or isinstance(state, MemberState)
        redeem = more.pop("redeem", 0)
        basket = Basket((Line(sum=total, categories=("food",)),))
        quoted = quote(self.shop.programme, state, basket, self.shop.clock.now(), redeem, offline=False)
        assert isinstance(quoted, Quote), quoted
        receipt = ReceiptId(
            store=self.me.store.id, till="1", business_day=date(2026, 12, 12), shift="1", number=str(self.number)
        )
        fields = {"receipt": receipt, "basket": basket, "quote": quoted, "offline": False, "member_state": state}
        return Sale(**{**fields, **more})

    def row(self, body: object, kind: str = "sale", **more: object) -> Row:
        """The next row of the queue."""
        self.seq += 1
        text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
        at = self.shop.clock.now().isoformat()
        fields = {"seq": self.seq, "id": str(uuid.uuid4()), "kind": kind, "at": at, "schema": 1, **more}
        self.last = row_hash(self.last, self.me.epoch, self.seq, kind, str(fields["at"]), text.encode())
        return msgspec.structs.replace(
            Row(seq=1, id="", kind="sale", at="", body=text, schema=1, hash=self.last.hex()), **fields
        )

    def post(self, *rows: Row, epoch: str | None = None, packed: bool = True, after: str = "") -> requests.Response:
        batch = msgspec.json.encode({"epoch": epoch or self.me.epoch, "rows": rows, "after": after})
        if not packed:
            return self.ask("POST", "/v1/events", data=batch)
        return self.ask("POST", "/v1/events", data=gzip.compress(batch, 1), headers={"Content-Encoding": "gzip"})

    def send(self, *rows: Row) -> EventReply:
        response = self.post(*rows)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=EventReply)

    def verdicts(self, *rows: Row) -> list[str]:
        return [each.problem.code if each.problem else each.verdict for each in self.send(*rows).verdicts]

    def changes(self) -> tuple[MemberChange, ...]:
        """The members, as one page tells them."""
        return unpack(msgspec.json.decode(self.ask("GET", "/v1/members/changes").content, type=PackedPage)).changes

    def sell(self, *args: int, **more: object) -> Sale:
        """Sell and deliver."""
        sale = self.sale(*args, **more)
        assert self.verdicts(self.row(sale)) == ["accepted"]
        return sale


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    front = Front()
    yield front
    front.close()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def one_storage(request: pytest.FixtureRequest) -> Storage:
    if request.param == "sqlite":
        return SqliteStorage()
    return PostgreSqlStorage(request.getfixturevalue("postgresql"))


@pytest.fixture
def storage(one_storage: Storage) -> Iterator[Storage]:
    yield one_storage
    one_storage.tidy()


def furnish(folder: DataFolder, storage: Storage) -> None:
    """What every test finds: two stores with their tills, and a programme."""
    database, keys = folder.create(*storage.words()[1:])
    with database.writing() as tx:
        setup.add_stores(tx, ["S1:First", "S2:Second"])
        setup.add_tills(tx, ["S1:1", "S1:2", "S2:1"])
        publish(tx, keys, load(PROGRAMME, "toml"), NOON)
    database.close()


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, one_storage: Storage) -> Path:
    """Made once and copied, because migrations take longer than most tests."""
    folder = tmp_path_factory.mktemp("furnished")
    furnish(DataFolder(folder), one_storage)
    one_storage.keep()
    return folder


@pytest.fixture
def make_shop(tmp_path: Path, front: Front, furnished: Path, storage: Storage) -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def make(*, new: bool = False, **more: object) -> Shop:
        folder = DataFolder(tmp_path / f"server-{len(shops)}")
        if new:
            furnish(folder, storage)
        else:
            storage.copy(furnished, folder.path)
        shops.append(Shop(folder, front, storage, **more))
        shops[-1].start()
        return shops[-1]

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()


@pytest.fixture
def till(shop: Shop) -> Till:
    return shop.till()


@pytest.fixture
def make_operator(shop: Shop) -> Callable[[str, Role], Person]:
    def make(name: str, role: Role) -> Person:
        with shop.database.writing() as tx:
            return Person(shop, name, new_operator(tx, name, role, shop.clock.now()))

    return make


@pytest.fixture
def operator(make_operator: Callable[[str, Role], Person]) -> Person:
    """Who may do everything."""
    return make_operator("anna", "write")


@pytest.fixture
def reader(make_operator: Callable[[str, Role], Person]) -> Person:
    """Who may only look."""
    return make_operator("boris", "read")


@pytest.fixture
def till_at() -> Iterator[Callable[[str], Till]]:
    """A till, not claimed yet, of the server at an address."""
    remotes: list[Remote] = []

    def make(url: str) -> Till:
        remotes.append(Remote(url))
        return Till(remotes[-1])

    yield make
    for remote in remotes:
        remote.http.close()


@pytest.fixture
def phone(shop: Shop) -> Phone:
    return Phone(shop)


@pytest.fixture(scope="session")
def phone_at() -> type[Phone]:
    return Phone


@pytest.fixture
def other_phone(shop: Shop) -> Phone:
    return Phone(shop, language="en")


@pytest.fixture(scope="session")
def problem_of() -> Callable[[requests.Response], Problem]:
    """The problem in a response, whose form is checked."""

    def read(response: requests.Response) -> Problem:
        assert response.headers["content-type"] == "application/problem+json", response.text
        problem = msgspec.json.decode(response.content, type=Problem)
        assert problem.status == response.status_code
        assert problem.type == f"urn:tillmate:problem:{problem.code}"
        return problem

    return read
