"""The store: its folder, its config, its programs, its cable."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from threading import Event, Lock
from time import monotonic

from agent.demo.cable import Cable
from agent.demo.processes import NotReady, PortTaken, Program, free_port, program
from drivers.virtual.control import call

TILL = "1"
CARDS = {"2900000000117": 300, "2900000000216": 1500}
"""Member cards of the demo and their opening balance in points."""

CONFIG = """\
language = "{language}"

[state]
folder = "{state}"

[server]
url = "http://127.0.0.1:{server_port}"
claim_code = "{claim_code}"
sync_seconds = 1.0

[api]
port = {api_port}
allowed_origins = [{origins}]

[receipt]
shop = "{shop}"

[codes]
member_card = [{{ pattern = "29xxxxxxxxxxC" }}]

[[till]]
id = "{till}"
printer = "receipt"
scanners = ["counter"]

[[scanner]]
name = "counter"
driver = "serial_port"
options = {{ port = "{scanner}" }}

[[printer]]
name = "receipt"
driver = "tcp"
profile = "default"
width = 80
options = {{ host = "{printer_host}", port = {printer_port} }}
"""

SHOPS = {"ru": "Магазин у дома", "en": "Corner shop"}
GREETINGS = {"ru": ("Анна", "Борис"), "en": ("Anna", "Boris")}
"""What the screen calls the holders of CARDS, in their order."""
RESTART_AFTER = 1.0
"""Seconds after which a service brings a dead agent back."""


@dataclass
class Store:
    """Everything of the shop lives below `folder`. Programs are started by `open` and ended by `close`."""

    folder: Path
    language: str
    api_port: int
    page_origin: str | None = None
    ready: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("server", "till", "paper", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._programs: dict[str, Program] = {}
        self._gate = Lock()
        self._closing = Event()
        self.cable = Cable()
        self.members: dict[str, str] = {}
        """The server's ids of the regulars -> what the screen calls them."""

    @property
    def paper(self) -> Path:
        """Folder of the drawn receipts: NNNN.png and NNNN.txt."""
        return self.folder / "paper"

    @property
    def config(self) -> Path:
        """The agent's config file."""
        return self.folder / "till" / "config.toml"

    @property
    def state(self) -> Path:
        """The agent's state folder."""
        return self.folder / "till" / "state"

    @property
    def codes(self) -> Path:
        """Where the server's development sender leaves the codes that it sent."""
        return self.folder / "server" / "outbox"

    @property
    def ledger_file(self) -> Path:
        """Where `ledger` leaves the server's export."""
        return self.folder / "ledger.csv"

    @property
    def server_url(self) -> str:
        """Address of the central server, past the cable."""
        return self.ready["server"]["url"]

    @property
    def api_url(self) -> str:
        """Address of the agent's local API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def agent_runs(self) -> bool:
        """Is the agent's process alive?"""
        return not self._programs["agent"].ended()

    def open(self, report: Callable[[str], None]) -> None:
        """Start all programs, one after the other, saying each. Raises NotReady."""
        report("server")
        self.cable.start()
        self._open_server()
        self.cable.server_port = int(self.server_url.rsplit(":", 1)[1])
        report("printer")
        self._simulate("printer", "--out", str(self.paper))
        report("scanner")
        self._simulate("scanner")
        report("agent")
        self._open_agent()

    def close(self) -> float:
        """Stop all programs, agent first; none is started any more. Returns the seconds that it took."""
        begin = monotonic()
        with self._gate:
            self._closing.set()
        ordered = sorted(self._programs.values(), key=lambda one: one.name != "agent")
        for one in ordered:
            one.ask_to_stop()
        for one in ordered:
            one.wait(3.0)
        self.cable.stop()
        return monotonic() - begin

    def start_agent(self) -> None:
        """Start (again) the agent, as its service would."""
        self._start("agent", program("tillmate"), "--config", str(self.config), "run")

    def kill_agent(self) -> None:
        """kill -9 of the agent."""
        self._programs["agent"].kill()

    def bring_agent_back(self) -> None:
        """What a service does for an agent that was killed. Raises NotReady."""
        self._closing.wait(RESTART_AFTER)
        self.start_agent()

    def stop_agent(self) -> float:
        """SIGTERM to the agent; returns the seconds until it had ended."""
        begin = monotonic()
        self._programs["agent"].ask_to_stop()
        self._programs["agent"].wait(5.0)
        return monotonic() - begin

    @property
    def agent_listens(self) -> bool:
        """Does the agent have the scanner open? A service is ready before its devices are."""
        return call(self.ready["scanner"]["control"], {"do": "state"})["connected"] is True

    def scan(self, code: str) -> None:
        """The cashier scans a code. Raises ControlError when nobody listens to the scanner."""
        call(self.ready["scanner"]["control"], {"do": "scan", "code": code})

    def printer(self, do: str) -> dict[str, object]:
        """Something happens to the printer: paper_out, paper_in, state ..."""
        return call(self.ready["printer"]["control"], {"do": do})

    def receipts(self) -> list[Path]:
        """The drawn receipts, in the order in which they came out, each with its text beside it."""
        return [text.with_suffix(".png") for text in sorted(self.paper.glob("*.txt"))]

    def ledger(self) -> list[dict[str, str]]:
        """The server's ledger: a row for each entry, and one without a kind for a receipt without entries."""
        self._server("ledger", *self._data, "--csv", str(self.ledger_file))
        with self.ledger_file.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _open_agent(self) -> None:
        """Another program may take the agent's port while the store opens: then it gets another one."""
        self._write_config()
        try:
            self.start_agent()
        except PortTaken:
            self.api_port = free_port(0)
            self._write_config()
            self.start_agent()

    def _open_server(self) -> None:
        data = self._data
        programme = self.folder / "server" / "programme.toml"
        programme.write_bytes(files("agent.demo").joinpath("programme.toml").read_bytes())
        name = SHOPS[self.language]
        self._server("init", *data, "--programme", str(programme), "--store", f"S1:{name}", "--till", f"S1:{TILL}")
        for (card, balance), greeting in zip(CARDS.items(), GREETINGS[self.language], strict=True):
            words = ("--card", card, "--balance", str(balance), "--greeting", greeting)
            self.members[self._server("member", "add", *data, *words).strip()] = greeting
        self._claim_code = self._server("device", "new-code", *data, "--store", "S1").split()[-1]
        cable_end = f"127.0.0.1:{self.cable.port}"
        self._start("server", program("tillmate-server"), "run", *data, "--listen", "127.0.0.1:0", "--name", cable_end)

    @property
    def _data(self) -> list[str]:
        return ["--data", str(self.folder / "server")]

    def _server(self, *words: str) -> str:
        """Carry out one verb of the server's command. Raises NotReady."""
        command = [program("tillmate-server"), *words]
        done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)  # noqa: S603 - own command
        if done.returncode:
            raise NotReady(f"tillmate-server {words[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def _simulate(self, device: str, *words: str) -> None:
        listen = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        self._start(device, program("tillmate"), "simulate", device, *listen, *words)

    def _start(self, name: str, *command: str) -> None:
        with self._gate:
            if self._closing.is_set():
                raise NotReady("the store is closing")
            one = self._programs.setdefault(name, Program(name, command, self.folder / "logs" / f"{name}.log"))
            one.start()
        self.ready[name] = one.await_ready()

    def _write_config(self) -> None:
        printer_host, printer_port = self.ready["printer"]["device"].rsplit(":", 1)
        origin = f'"{self.page_origin}"' if self.page_origin else ""
        self.config.write_text(
            CONFIG.format(
                language=self.language,
                state=self.state,
                server_port=self.cable.port,
                claim_code=self._claim_code,
                api_port=self.api_port,
                origins=origin,
                shop=SHOPS[self.language],
                till=TILL,
                scanner=self.ready["scanner"]["device"],
                printer_host=printer_host,
                printer_port=printer_port,
            ),
            encoding="utf-8",
        )
