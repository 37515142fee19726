"""`tillmate run` as a real process: starts with nothing around it, sells, stops in time, and ends with the right code."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec
import pytest
from click.testing import CliRunner

from agent import identity
from agent.api.admin_socket import call
from agent.cli import main
from agent.clock import SystemClock
from drivers.virtual import scanner
from drivers.virtual.control import call as control
from loyalty import codes, jws, programme
from loyalty.quote import MemberState
from loyalty.wire import ChangesPage, Included, MemberChange, Named, Programmes
from offline_queue import BeginEpoch, Keyring, Queue, QueueFile, Reader, Replica, ReplicaWriter

from .shop import CONFIG, PROGRAMME

if TYPE_CHECKING:
    from conftest import Threads, Until, VirtualPrinter

TILLMATE = Path(sys.executable).with_name("tillmate")
CARD = "2900000000117"
READY_WITHIN = 20.0  # on a machine with other work to do


def free_ports(*names: str) -> dict[str, int]:
    """A port for each, below those that the system gives to whoever asks for any: nobody takes it before it is used."""
    with ExitStack() as held:
        return {name: _held(held) for name in names}


def _held(held: ExitStack) -> int:
    while True:
        probe = held.enter_context(socket.socket())
        with suppress(OSError):
            probe.bind(("127.0.0.1", 10_000 + secrets.randbelow(20_000)))
            return int(probe.getsockname()[1])


@dataclass
class Agent:
    """One `tillmate run` and its folder."""

    folder: Path
    language: str = "en"
    ports: dict[str, int] = field(default_factory=lambda: free_ports("port", "nobody", "scanner", "printer"))
    process: subprocess.Popen[str] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        path = self.folder / "config.toml"
        path.write_text(
            CONFIG.format(language=self.language, folder=self.state, driver="serial_port", **self.ports),
            encoding="utf-8",
        )
        return path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def start(self, **environment: str) -> None:
        command = [str(TILLMATE), "--config", str(self.config), "run", "--verbose"]
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment}
            )
        stdout: IO[str] | None = self.process.stdout
        assert stdout is not None
        killer = threading.Timer(READY_WITHIN, self.process.kill)
        killer.start()
        line = stdout.readline()
        killer.cancel()
        assert line == f"ready port={self.ports['port']}\n", self.log

    def refused(self) -> tuple[int, str]:
        """Exit code and message of a start that comes to nothing."""
        command = [str(TILLMATE), "run", "--config", str(self.config)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=READY_WITHIN, check=False)
        return ended.returncode, ended.stderr

    def stop(self) -> float:
        assert self.process is not None
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0
        return time.monotonic() - begin

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = call(self.state / "admin.sock", {"do": "status"})["status"]  # type: ignore[assignment]
        return answer

    def words(self, part: str) -> str:
        return next((each["text"][self.language] for each in self.status()["parts"] if each["part"] == part), "")

    def sentences(self, part: str) -> str:
        return " ".join(each["text"][self.language] for each in self.status()["parts"] if each["part"] == part)

    def http(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["port"], timeout=10)
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        return reply.status, json.loads(content) if content else None

    def pair(self) -> str:
        code = call(self.state / "admin.sock", {"do": "pairing_code", "till": "1", "for": "pos"})["code"]
        return str(self.http("POST", "/v1/pairing", {"code": code})[1]["token"])

    def enrol_device(self, till: str = "1") -> None:
        """What a claim and the first round of news would have left behind."""
        self.state.mkdir()
        programme_key = identity.new_key()
        device = identity.Identity(
            device="D1",
            device_number=7,
            store=Named("S1", "Ромашка"),
            tills=(Named(till, till),),
            epoch="e1",
            enrolment_url="https://example.org",
            machine="m",
            token_generation=1,
            private_key=identity.new_key(),
            programme_key=identity.from_base64(identity.public_key(programme_key)),
            token_key=b"t" * 32,
            ident_key=b"i" * 32,
        )
        identity.save(self.state, device)
        self._fill_queue()
        document = programme.to_json(programme.load(PROGRAMME, "toml"))
        kept = Programmes(jws.sign_programme(programme_key, document))
        (self.state / "programme.jws").write_bytes(msgspec.json.encode(kept))
        self._fill_members(device.ident_key)

    def _fill_queue(self) -> None:
        queue, stop = Queue.open(self.state / "queue.db", SystemClock()), threading.Event()
        writer = threading.Thread(target=queue.run, args=(stop,))
        writer.start()
        queue.submit(BeginEpoch("D1", "e1")).result(5)
        stop.set()
        writer.join()

    def _fill_members(self, key: bytes) -> None:
        member = MemberChange(
            member="m1",
            idents=(codes.ident(key, CARD),),
            greeting="Анна",
            state=MemberState(balance=300, as_of=datetime(2026, 11, 20, tzinfo=UTC)),
        )
        writer = ReplicaWriter(Replica(self.state / "members.db"), SystemClock().now)
        included = Included(epoch="e1", seq=0)
        writer.apply(ChangesPage(changes=(member,), next="c1", complete=True, includes=included))
        writer.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    yield agent
    if agent.process is not None:
        agent.process.kill()
        agent.process.communicate()


def test_with_nothing_around_it_it_starts_says_so_in_words_and_stops_in_time(agent: Agent, until: Until) -> None:
    agent.start()
    assert agent.http("GET", "/readyz")[0] == agent.http("GET", "/healthz")[0] == 200
    until(lambda: "cannot be reached" in agent.words("printer"))
    until(lambda: "not connected" in agent.words("scanner"))
    until(lambda: "not registered" in agent.words("network"))
    assert "no loyalty programme yet" in agent.words("programme")
    status, answer = agent.http("POST", "/v1/tills/1/identify", {"code": CARD}, agent.pair())
    assert (status, answer["code"]) == (503, "no_programme")
    assert agent.stop() <= 3.0
    assert "hung=none" in agent.log


def test_people_and_programs_can_ask_how_it_is(agent: Agent, until: Until) -> None:
    agent.enrol_device()
    agent.start()
    until(lambda: "No connection since" in agent.words("network"))

    def tillmate(*words: str) -> str:
        ended = CliRunner().invoke(main, [*words, "--config", str(agent.config)], env={"COLUMNS": "160"})
        assert ended.exit_code == 0, ended.output
        return ended.output

    shown = tillmate("status")
    assert "device D1, store S1" in shown
    assert "No connection since" in shown
    assert json.loads(tillmate("status", "--json"))["queue"]["pending"] == 0
    assert tillmate("open", "--print").startswith(f"http://127.0.0.1:{agent.ports['port']}/pair#")
    assert "Everything has been delivered." in tillmate("queue", "list")


@pytest.fixture
def start_scanner(threads: Threads) -> Callable[[int], str]:
    def start(port: int) -> str:
        ready: list[str] = []
        heard = threading.Event()

        def announce(line: str) -> None:
            ready.append(line)
            heard.set()

        threads.start(lambda stop: scanner.run(scanner.Options(listen=f"127.0.0.1:{port}"), stop, announce))
        assert heard.wait(5)
        return ready[0].split("control=")[1]

    return start


def test_a_whole_sale_as_each_device_appears_and_nothing_personal_in_the_log(
    agent: Agent, until: Until, start_scanner: Callable[[int], str], start_printer: Callable[..., VirtualPrinter]
) -> None:
    agent.enrol_device()
    agent.start()
    token = agent.pair()
    gun = start_scanner(agent.ports["scanner"])
    until(lambda: "ready" in agent.words("scanner"))
    paper = start_printer(listen=f"127.0.0.1:{agent.ports['printer']}")
    until(lambda: "ready" in agent.words("printer"))
    until(lambda: "No connection since" in agent.words("network"))

    control(gun, {"do": "scan", "code": CARD})
    until(lambda: agent.http("POST", "/v1/tills/1/identify", {"code": "x"}, token)[1]["view"]["state"] == "member")
    lines = [{"sku": "1", "name": "Кофе", "sum": 50000}]
    status, quoted = agent.http("PUT", "/v1/tills/1/basket", {"lines": lines, "redeem": 0}, token)
    assert (status, quoted["quote"]["earned"]) == (200, 5)
    receipt = {"business_day": "2026-11-20", "shift": "1", "number": "77"}
    sale = {"quote_id": quoted["quote_id"], "redeemed": 0, "receipt": receipt, "prints": "agent"}
    status, sold = agent.http("POST", "/v1/tills/1/sales", sale, token)
    assert (status, sold["balance_after"]) == (201, 305)
    assert agent.http("POST", "/v1/tills/1/sales", sale, token) == (200, sold)
    until(lambda: len(paper.papers) == 1)
    assert "305" in paper.papers[0]

    status, quoted = agent.http("PUT", "/v1/tills/1/basket", {"lines": lines, "redeem": 0}, token)
    sale = {**sale, "quote_id": quoted["quote_id"], "receipt": {**receipt, "number": "78"}}
    status, invited = agent.http("POST", "/v1/tills/1/sales", sale, token)
    assert status == 201
    until(lambda: len(paper.papers) == 2)
    assert invited["token"] in paper.papers[1].replace("\n", "")
    assert agent.stop() <= 3.0

    for secret in (CARD, token, invited["token"], invited["token"].lower(), "Анна"):
        assert secret not in agent.log
    assert "scanned=" in agent.log  # it is a log of everything
    reader = Reader(QueueFile(agent.state / "queue.db", Keyring(identity.data_keys(agent.state))))
    assert [row.seq for row in reader.pending(10)] == [1, 2]
    reader.close()


def test_the_service_manager_is_told(agent: Agent, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        agent.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="900000")
        assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        agent.stop()
        heard = set()
        while b"STOPPING=1" not in heard:
            heard.add(manager.recv(100))


def test_a_second_agent_on_the_same_queue_ends_with_75(agent: Agent) -> None:
    agent.start()
    code, message = agent.refused()
    assert code == 75
    assert message.splitlines()[-1] == "Another program is working with the queue file."
    assert agent.http("GET", "/healthz")[0] == 200


def test_a_port_that_is_taken_ends_with_69(agent: Agent) -> None:
    agent.language = "ru"
    with socket.create_server(("127.0.0.1", agent.ports["port"])):
        code, message = agent.refused()
    assert code == 69
    assert message.splitlines()[-1] == f"Порт {agent.ports['port']} занят другой программой."
    agent.start()  # the queue was given back


@pytest.mark.parametrize("name", ["data.keys", "identity.json"])
def test_a_damaged_file_ends_with_65_and_is_left_as_it_was(agent: Agent, name: str) -> None:
    agent.enrol_device()
    damaged = b"not what it was" * 1000
    (agent.state / name).write_bytes(damaged)
    code, message = agent.refused()
    assert code == 65
    sentence, details = message.splitlines()[-2:]
    assert "damaged" in sentence
    assert details.startswith("Details: ")
    assert (agent.state / name).read_bytes() == damaged


def test_a_till_that_the_server_does_not_know_is_pointed_out(agent: Agent, until: Until) -> None:
    agent.enrol_device(till="7")
    agent.start()
    until(lambda: "did not know till 1" in agent.words("till"))


def test_a_queue_that_is_missing_on_a_claimed_device_is_begun_anew_and_said_so(agent: Agent, until: Until) -> None:
    agent.enrol_device()
    (agent.state / "queue.db").unlink()
    agent.start()
    until(lambda: "begun anew" in agent.sentences("queue"))


def test_a_damaged_queue_is_set_aside_and_the_till_sells_on(agent: Agent, until: Until) -> None:
    agent.enrol_device()
    damaged = b"not what it was" * 1000
    (agent.state / "queue.db").write_bytes(damaged)
    agent.start()
    until(lambda: "Nothing can be read of queue.db.damaged-" in agent.sentences("queue"))
    (aside,) = agent.state.glob("queue.db.damaged-*")
    assert aside.read_bytes() == damaged
    status, answer = agent.http("POST", "/v1/tills/1/identify", {"code": CARD}, agent.pair())
    assert (status, answer["kind"]) == (200, "member_card")


def test_a_queue_of_a_newer_version_ends_with_65_and_is_left_alone(agent: Agent) -> None:
    agent.enrol_device()
    with closing(sqlite3.connect(agent.state / "queue.db")) as newer:
        newer.execute("PRAGMA user_version = 99")
    code, message = agent.refused()
    assert (code, "newer version" in message) == (65, True)
    assert not [*agent.state.glob("queue.db.damaged-*")]


def test_a_damaged_replica_is_set_aside_and_the_till_sells_on(agent: Agent, until: Until) -> None:
    agent.enrol_device()
    (agent.state / "members.db").write_bytes(b"not what it was" * 1000)
    agent.start()
    until(lambda: list(agent.state.glob("members.db.damaged-*")) != [])
    status, answer = agent.http("POST", "/v1/tills/1/identify", {"code": CARD}, agent.pair())
    assert (status, answer["kind"]) == (200, "card_only")


@pytest.mark.parametrize(("language", "word"), [("en", "did you mean"), ("ru", "может быть")])
def test_mistakes_in_the_config_end_with_78(agent: Agent, language: str, word: str) -> None:
    agent.language = language
    source = agent.config.read_text(encoding="utf-8").replace("scanners =", "scaners =").replace("host =", "hots =")
    path = agent.folder / "broken.toml"
    path.write_text(source, encoding="utf-8")
    for verb in ("check", "run", "status"):
        ended = subprocess.run(
            [str(TILLMATE), verb, "--config", str(path)], capture_output=True, text=True, timeout=20, check=False
        )
        assert ended.returncode == 78
        assert ended.stderr.count(word) == 2
        assert "till[0].scaners" in ended.stderr


def test_a_state_folder_that_is_none_ends_with_78(agent: Agent) -> None:
    agent.state.write_text("a file")
    code, message = agent.refused()
    assert (code, message) == (78, f"The state folder {agent.state} cannot be used: {agent.state}: File exists.\n")


def test_run_does_not_import_what_only_people_need() -> None:
    script = "import sys, agent.cli, agent.app; print(sorted({'rich', 'sqlalchemy', 'segno'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
