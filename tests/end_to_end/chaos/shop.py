"""The shop of the demo, with a bad network, and with an agent and a server that can be killed at any moment."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from time import monotonic

from agent import identity
from agent.demo.pos import AgentAway, CashRegister
from agent.demo.processes import free_port
from agent.demo.store import Store
from offline_queue import Keyring, QueueFile

from .lives import READY_WITHIN, Lives, Ready
from .network import BadNetwork

PROGRAMS = {"agent": "tillmate", "server": "tillmate-server"}


class Shop(Store):
    """`lives` has agent and server; the devices are processes of their own that nobody kills."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, "en", free_port(0))
        self.network = BadNetwork(seed)
        self.cable = self.network  # type: ignore[assignment]
        self.lives = Lives(PROGRAMS, folder / "logs", self._is_ready)

    def _start(self, name: str, *command: str) -> None:
        if name in PROGRAMS:
            self.lives.begin(name, *command[1:])
        else:
            super()._start(name, *command)

    def _is_ready(self, name: str, ready: Ready) -> None:
        self.ready[name] = dict(ready)
        if name == "server":
            self.network.server_port = int(self.server_url.rsplit(":", 1)[1])

    def queue_file(self) -> QueueFile:
        """The agent's queue, with the keys to it."""
        return QueueFile(self.state / "queue.db", Keyring(identity.data_keys(self.state)))

    def close(self) -> float:
        """Everything ends."""
        self.lives.close()
        return super().close()


class Register(CashRegister):
    """A cash register that asks until it is answered."""

    def __init__(self, address: str, till: str, token: str) -> None:
        super().__init__(address, till, token, date(2026, 12, 12))

    def _send(self, method: str, path: str, body: object) -> bytes:
        end = monotonic() + READY_WITHIN
        while True:
            try:
                return super()._send(method, path, body)
            except AgentAway:
                if monotonic() > end:
                    raise
