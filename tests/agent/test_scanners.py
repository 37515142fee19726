"""Several scanners at once on a real agent: two tills, four ways in, absent at the start, pulled out again and again."""

from __future__ import annotations

import http.client
import itertools
import json
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from agent.api.admin_socket import call
from agent.clock import SystemClock
from agent.identity import Identity, load, save
from drivers.virtual import scanner
from drivers.virtual.control import ControlError
from drivers.virtual.control import call as control
from loyalty import codes
from loyalty.codes.check_digit import check_digit
from loyalty.quote import MemberState
from loyalty.wire import ChangesPage, Included, MemberChange, Named
from offline_queue import Replica, ReplicaWriter

from .test_run import TILLMATE, Agent, free_ports

if TYPE_CHECKING:
    from conftest import Threads, Until

SEEN_WITHIN = 1.0
BACK_WITHIN = 2.0
EACH = 25
CONFIG = """
language = "en"
[state]
folder = "{state}"
[server]
url = "http://127.0.0.1:{nobody}"
[api]
port = {port}
[codes]
member_card = [{{ pattern = "29xxxxxxxxxxC" }}]
[[till]]
id = "1"
scanners = ["serial", "caller"]
[[till]]
id = "2"
scanners = ["bridge", "listener"]
[[scanner]]
name = "serial"
driver = "serial_port"
options = {{ port = "{pty}" }}
[[scanner]]
name = "caller"
driver = "tcp"
options = {{ listen = "127.0.0.1:{caller}" }}
[[scanner]]
name = "bridge"
driver = "serial_port"
options = {{ port = "socket://127.0.0.1:{bridge}" }}
[[scanner]]
name = "listener"
driver = "tcp"
framing = {{ start = "\\u0002", terminators = "\\u0003" }}
options = {{ host = "127.0.0.1", port = {listener} }}
"""
OWNERS = {"serial": "1", "caller": "1", "bridge": "2", "listener": "2"}


def card(name: str, number: int) -> str:
    """The card number `number` of the customers who use that scanner."""
    body = f"29{list(OWNERS).index(name)}{number:09}"
    return f"{body}{check_digit(body)}"


@dataclass
class Shop(Agent):
    """An agent with two tills, and the members that are scanned."""

    ports: dict[str, int] = field(default_factory=lambda: free_ports("port", "nobody", "caller", "bridge", "listener"))

    @property
    def config(self) -> Path:
        path = self.folder / "config.toml"
        path.write_text(CONFIG.format(state=self.state, pty=self.folder / "pty", **self.ports), encoding="utf-8")
        return path

    def enrol_device(self, till: str = "1") -> None:
        super().enrol_device(till)
        device = load(self.state)
        assert isinstance(device, Identity)
        save(self.state, msgspec.structs.replace(device, tills=(Named("1", "1"), Named("2", "2"))))

    def _fill_members(self, key: bytes) -> None:
        members = tuple(
            MemberChange(
                member=f"{name}-{number}",
                idents=(codes.ident(key, card(name, number)),),
                greeting=f"{name}-{number:03}",
                state=MemberState(balance=1, as_of=datetime(2026, 11, 20, tzinfo=UTC)),
            )
            for name in OWNERS
            for number in range(EACH)
        )
        writer = ReplicaWriter(Replica(self.state / "members.db"), SystemClock().now)
        writer.apply(ChangesPage(changes=members, next="c1", complete=True, includes=Included(epoch="e1", seq=0)))
        writer.close()

    def states(self) -> dict[str, str]:
        """Each scanner's, by the status board."""
        return {each["name"]: each["state"] for each in self.status()["parts"] if each["part"] == "scanner"}

    def page(self, till: str) -> Page:
        """What a cashier page of that till hears."""
        code = call(self.state / "admin.sock", {"do": "pairing_code", "till": till, "for": "pos"})["code"]
        token = str(self.http("POST", "/v1/pairing", {"code": code})[1]["token"])
        return Page(self.ports["port"], till, token)

    def opened(self) -> tuple[int, int]:
        """How many descriptors and threads the process has."""
        assert self.process is not None
        proc = Path(f"/proc/{self.process.pid}")
        return len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir()))


class Page:
    """An event stream: who was greeted, and when."""

    def __init__(self, port: int, till: str, token: str) -> None:
        self.greeted: queue.Queue[tuple[str, float]] = queue.Queue()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.request("GET", f"/v1/tills/{till}/events", headers={"Authorization": f"Bearer {token}"})
        self._reply = self._connection.getresponse()
        assert self._reply.status == 200
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        event = ""
        for raw in self._reply:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "view":
                view = json.loads(line.removeprefix("data: "))
                if view["state"] == "member":
                    self.greeted.put((view["greeting"], time.monotonic()))

    def next(self, within: float = 10.0) -> tuple[str, float]:
        return self.greeted.get(timeout=within)

    def close(self) -> None:
        self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    shop.enrol_device()
    yield shop
    if shop.process is not None:
        shop.process.kill()
        shop.process.communicate()


Start = Callable[..., "Gun"]


@dataclass
class Gun:
    """A virtual scanner."""

    control: str

    def do(self, what: str, **request: object) -> dict[str, object]:
        return control(self.control, {"do": what, **request})

    def scan(self, code: str, within: float = 5.0) -> None:
        """As soon as the agent has it open: a cashier would scan again."""
        end, tick = time.monotonic() + within, threading.Event()
        while True:
            try:
                self.do("scan", code=code)
            except ControlError:
                assert time.monotonic() < end
                tick.wait(0.01)
            else:
                return


@pytest.fixture
def plug_in(threads: Threads) -> Start:
    def start(**options: object) -> Gun:
        ready: queue.Queue[str] = queue.Queue()
        threads.start(lambda stop: scanner.run(scanner.Options(**options), stop, ready.put))  # type: ignore[arg-type]
        return Gun(ready.get(timeout=5).split("control=")[1])

    return start


class Caller:
    """A scanner that calls the agent."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 5)

    def scan(self, code: str) -> None:
        self._socket.sendall(code.encode() + b"\r\n")

    def close(self) -> None:
        self._socket.close()


class Between:
    """A scanner that puts STX and ETX around its codes."""

    def __init__(self, gun: Gun) -> None:
        self._gun = gun

    def scan(self, code: str) -> None:
        self._gun.scan(f"\x02{code}\x03")


def test_four_scanners_talk_at_once_and_each_till_greets_its_own_in_order(
    shop: Shop, until: Until, plug_in: Start
) -> None:
    """odoo 3564: of two scans within two seconds one was lost."""
    shop.start()
    until(lambda: shop.states() == dict.fromkeys(OWNERS, "down"), 5)
    guns = {
        "serial": plug_in(pty=str(shop.folder / "pty")),
        "bridge": plug_in(listen=f"127.0.0.1:{shop.ports['bridge']}"),
        "listener": Between(plug_in(listen=f"127.0.0.1:{shop.ports['listener']}", suffix="")),
        "caller": Caller(shop.ports["caller"]),
    }
    until(lambda: shop.states() == dict.fromkeys(OWNERS, "ok"), 5)
    pages = {till: shop.page(till) for till in ("1", "2")}
    gate, tick = threading.Barrier(len(guns)), threading.Event()

    def use(name: str) -> None:
        gate.wait(5)
        for number in range(EACH):
            guns[name].scan(card(name, number))
            tick.wait(0.02)

    cashiers = [threading.Thread(target=use, args=(name,)) for name in guns]
    for each in cashiers:
        each.start()
    for each in cashiers:
        each.join(30)
    for till, page in pages.items():
        names = [name for name in OWNERS if OWNERS[name] == till]
        greeted = [page.next()[0] for _ in range(EACH * len(names))]
        for name in names:
            assert [each for each in greeted if each.startswith(name)] == [f"{name}-{n:03}" for n in range(EACH)]
        assert page.greeted.empty()
        page.close()
    guns["caller"].close()  # type: ignore[union-attr]


def test_pulled_and_plugged_in_again_and_again_and_nothing_is_left_behind(
    shop: Shop, until: Until, plug_in: Start, size: Callable[[int, int], int], proof: Callable[[str], None]
) -> None:
    gun = plug_in(pty=str(shop.folder / "pty"))
    shop.start()
    until(lambda: shop.states().get("serial") == "ok", 5)
    page, tick = shop.page("1"), threading.Event()
    numbers = itertools.cycle(range(EACH))
    lost, back, before = [], [], (0, 0)
    for cycle in range(size(10, 100) + 1):
        number = next(numbers)
        tick.wait(0.6)  # a cable that is in for less than that counts as loose
        gun.do("unplug")
        pulled = time.monotonic()
        until(lambda: shop.states().get("serial") == "down", 5)
        lost.append(time.monotonic() - pulled)
        gun.do("plug")
        plugged = time.monotonic()
        until(lambda: shop.states().get("serial") == "ok", 5)  # opening throws away what came in that moment
        gun.scan(card("serial", number))
        greeted, at = page.next()
        back.append(at - plugged)
        assert greeted == f"serial-{number:03}"
        if cycle == 0:
            before = shop.opened()  # after the first, when everything that is made once has been made
    until(lambda: shop.opened()[0] <= before[0] and shop.opened()[1] <= before[1], 5)
    page.close()
    proof(f"scanner: {len(lost)} replugs, seen within {max(lost):.2f} s, greeted within {max(back):.2f} s")
    assert max(lost) <= SEEN_WITHIN
    assert max(back) <= BACK_WITHIN


def test_half_a_code_at_an_unplug_greets_nobody(shop: Shop, until: Until, plug_in: Start) -> None:
    gun = plug_in(pty=str(shop.folder / "pty"))
    shop.start()
    until(lambda: shop.states().get("serial") == "ok", 5)
    page = shop.page("1")
    gun.do("scan", code=card("serial", 1), gap_ms=20, suffix="")
    until(lambda: int(str(gun.do("state")["bytes"])) >= 5)
    gun.do("unplug")
    until(lambda: shop.states().get("serial") == "down", 5)
    gun.do("plug")
    until(lambda: shop.states().get("serial") == "ok", 5)
    gun.scan(card("serial", 2))
    assert page.next()[0] == "serial-002"
    assert page.greeted.empty()
    page.close()


def test_what_is_typed_on_the_screen_greets_as_a_scan_does(shop: Shop) -> None:
    shop.start()
    page = shop.page("1")
    typed = shop.http("POST", "/v1/tills/1/identify", {"code": card("serial", 6)}, token=shop.pair())
    assert (typed[0], page.next()[0]) == (200, "serial-006")
    page.close()


def test_the_same_code_twice_in_a_moment_is_one_scan(shop: Shop, until: Until, plug_in: Start) -> None:
    gun = plug_in(pty=str(shop.folder / "pty"))
    shop.start()
    until(lambda: shop.states().get("serial") == "ok", 5)
    command = _scan(shop, "--count", "2", "--json")
    seen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert seen.stderr is not None
    assert "The agent runs" in seen.stderr.readline()
    for number in (3, 3, 4):
        gun.scan(card("serial", number))
    shown, _ = seen.communicate(timeout=20)
    first, second = map(json.loads, shown.splitlines())
    assert (first["text"], first["class"], first["scanner"]) == (card("serial", 3), "member_card", "serial")
    assert second["text"] == card("serial", 4)
    assert seen.returncode == 0


def _scan(shop: Shop, *words: str) -> list[str]:
    return [str(TILLMATE), "scan", *words, "--config", str(shop.folder / "config.toml")]


def test_scan_reads_the_ports_itself_where_no_agent_runs(shop: Shop, plug_in: Start) -> None:
    gun = plug_in(pty=str(shop.folder / "pty"))
    assert shop.config.exists()
    seen = subprocess.Popen(
        _scan(shop, "--scanner", "serial", "--count", "1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert seen.stderr is not None
    assert "No agent runs" in seen.stderr.readline()
    assert "serial: The scanner is ready." in seen.stderr.readline()
    gun.scan("]E0" + card("serial", 5))
    shown, _ = seen.communicate(timeout=20)
    assert seen.returncode == 0
    assert "5d 45 30 32 39" in shown
    assert "class  member_card" in shown


def test_scan_names_the_scanners_that_there_are(shop: Shop) -> None:
    assert shop.config.exists()
    ended = subprocess.run(_scan(shop, "--scanner", "nobody"), capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "serial, caller, bridge, listener" in ended.stderr
