"""What the cashier of the demo sees: the agent's event stream, read as the cashier page reads it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Event, Thread

import msgspec
import requests

from agent.views import PartState, View

RECONNECT_AFTER = 0.2


class Screen:
    """Keeps the newest view and the newest states of network, queue, printer and scanner."""

    def __init__(self, address: str, till: str, token: str) -> None:
        self._url = f"{address}/v1/tills/{till}/events"
        self._token = token
        self._changed = Condition()
        self._stop = Event()
        self.view: View | None = None
        self.parts: tuple[PartState, ...] = ()
        self._thread = Thread(target=self._follow, name="demo-screen", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading after the next event."""
        self._stop.set()

    def wait_for(self, condition: Callable[[Screen], bool], seconds: float) -> bool:
        """Wait until what is on the screen meets the condition; False when it does not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), seconds)

    def part(self, name: str) -> PartState | None:
        """State of one part: network, queue, printer, scanner or programme."""
        return next((part for part in self.parts if part.part == name), None)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except requests.RequestException:
                self._stop.wait(RECONNECT_AFTER)  # the agent is down: a browser would try again as well

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        with requests.get(self._url, headers=headers, stream=True, timeout=(1, 30)) as reply:
            reply.raise_for_status()
            event = ""
            for line in reply.iter_lines(chunk_size=1, decode_unicode=True):
                if self._stop.is_set():
                    return
                field, _, value = line.partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    self._show(event, value)

    def _show(self, event: str, payload: str) -> None:
        with self._changed:
            if event == "view":
                self.view = msgspec.json.decode(payload, type=View)
            elif event == "status":
                self.parts = msgspec.json.decode(payload, type=tuple[PartState, ...])
            self._changed.notify_all()
