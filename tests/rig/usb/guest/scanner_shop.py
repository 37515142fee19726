"""A whole agent with a till for each scanner, whose server takes long for each answer. Asked in JSON lines.

    {"do": "begin", "tables": [{"name": "left", "driver": "hid_keyboard", "options": {...}}], "cards": [...]}

`begin` enrols members with these cards and starts the agent; the answer to `state` has whom the page of each till has greeted: a
member is called as his card.
"""

from __future__ import annotations

import http.client
import json
import logging
import socket
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from agent import identity
from agent.api.admin_socket import call
from agent.app import build
from agent.clock import SystemClock
from agent.config import Config
from loyalty import codes, jws, programme
from loyalty.quote import MemberState
from loyalty.strict import structure
from loyalty.wire import ChangesPage, Included, MemberChange, Named, Programmes
from offline_queue import BeginEpoch, Queue, Replica, ReplicaWriter

TAKES = 20.0
"""Seconds for each answer of the server."""
PROGRAMME = """
[programme]
id = "club"
revision = 1
engine = 1
starts_at = 2020-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 100
"""


class SlowServer(ThreadingHTTPServer):
    """Says that it is overloaded, late."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        self.waiting = 0
        self.tick = threading.Event()  # never set


class _Slow(BaseHTTPRequestHandler):
    server: SlowServer

    def handle_one_request(self) -> None:
        self.rfile.readline()
        self.server.waiting += 1
        self.server.tick.wait(TAKES)
        self.server.waiting -= 1
        self.wfile.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.close_connection = True


class Page(threading.Thread):
    """The page of a cashier."""

    def __init__(self, port: int, till: str, token: str) -> None:
        super().__init__(daemon=True)
        self.greeted: list[str] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.request("GET", f"/v1/tills/{till}/events", headers={"Authorization": f"Bearer {token}"})
        self._reply = self._connection.getresponse()

    def run(self) -> None:
        """Until the agent ends the stream."""
        event = b""
        for line in self._reply:
            if line.startswith(b"event: "):
                event = line.removeprefix(b"event: ").strip()
            elif line.startswith(b"data: ") and event == b"view":
                view = json.loads(line.removeprefix(b"data: "))
                if view["state"] == "member":
                    self.greeted.append(view["greeting"])


class Shop:
    """The agent and all around it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = SlowServer()
        self._port = _free_port()
        self._pages: dict[str, Page] = {}
        self._stop, self._ready = threading.Event(), threading.Event()
        self._agent: threading.Thread | None = None

    def begin(self, tables: list[dict[str, Any]], cards: list[str]) -> None:
        """Claim the tills, know the members, start the agent, open the pages."""
        tills = [table["name"] for table in tables]
        enrol(self._folder, tills, cards)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._agent = threading.Thread(target=self._run, args=(self._config(tables),))
        self._agent.start()
        if not self._ready.wait(60):
            raise TimeoutError("the agent is not ready")
        for till in tills:
            self._pages[till] = Page(self._port, till, self._paired(till))
            self._pages[till].start()

    def _config(self, tables: list[dict[str, Any]]) -> Config:
        return structure(
            {
                "language": "en",
                "state": {"folder": str(self._folder)},
                "server": {"url": f"http://127.0.0.1:{self._server.server_port}"},
                "api": {"port": self._port},
                "codes": {"member_card": [{"pattern": "29xxxxxxxxxxC"}]},
                "till": [{"id": table["name"], "scanners": [table["name"]]} for table in tables],
                "scanner": tables,
            },
            Config,
        )

    def state(self) -> dict[str, object]:
        """What is known so far."""
        parts = call(self._folder / "admin.sock", {"do": "status"})["status"]["parts"] if self._pages else []
        return {
            "greeted": {till: list(page.greeted) for till, page in self._pages.items()},
            "scanners": {each["name"]: each["state"] for each in parts if each["part"] == "scanner"},
            "waiting": self._server.waiting,
        }

    def stop(self) -> None:
        """End the agent."""
        self._stop.set()
        if self._agent is not None:
            self._agent.join(10)

    def _run(self, config: Config) -> None:
        build(config, SystemClock()).run(self._stop, lambda _: self._ready.set())

    def _paired(self, till: str) -> str:
        code = call(self._folder / "admin.sock", {"do": "pairing_code", "till": till, "for": "pos"})["code"]
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("POST", "/v1/pairing", json.dumps({"code": code}), {"Content-Type": "application/json"})
        token = json.loads(connection.getresponse().read())["token"]
        connection.close()
        return str(token)


def enrol(folder: Path, tills: list[str], cards: list[str]) -> None:
    """What a claim and the first round of news leave behind."""
    key = identity.new_key()
    device = identity.Identity(
        device="D1",
        device_number=7,
        store=Named("S1", "Ромашка"),
        tills=tuple(Named(till, till) for till in tills),
        epoch="e1",
        enrolment_url="https://loyalty.example.org",
        machine=identity.machine_id(folder),
        token_generation=1,
        private_key=identity.new_key(),
        programme_key=identity.from_base64(identity.public_key(key)),
        token_key=b"t" * 32,
        ident_key=b"i" * 32,
    )
    identity.save(folder, device)
    kept = Programmes(jws.sign_programme(key, programme.to_json(programme.load(PROGRAMME, "toml"))))
    (folder / "programme.jws").write_bytes(msgspec.json.encode(kept))
    queue, stop = Queue.open(folder / "queue.db", SystemClock()), threading.Event()
    writing = threading.Thread(target=queue.run, args=(stop,))
    writing.start()
    queue.submit(BeginEpoch("D1", "e1")).result(30)
    stop.set()
    writing.join()
    state = MemberState(balance=1, as_of=datetime(2026, 1, 1, tzinfo=UTC))
    members = tuple(
        MemberChange(member=card, idents=(codes.ident(device.ident_key, card),), greeting=card, state=state)
        for card in cards
    )
    writer = ReplicaWriter(Replica(folder / "members.db"), SystemClock().now)
    writer.apply(ChangesPage(changes=members, next="c1", complete=True, includes=Included(epoch="e1", seq=0)))
    writer.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Answer until the input ends."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(relativeCreated)d %(name)s %(message)s")
    folder = Path("/var/lib/tillmate") / f"shop-{time.monotonic_ns()}"
    folder.mkdir(mode=0o700)
    shop = Shop(folder)
    for line in sys.stdin:
        request = json.loads(line)
        result = getattr(shop, request.pop("do"))(**request)
        sys.stdout.write(json.dumps({"result": result}) + "\n")
        sys.stdout.flush()
    shop.stop()


if __name__ == "__main__":
    main()
