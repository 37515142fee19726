"""The scanners of a till as the product reads them: drivers, links, framing, repeats. Asked in JSON lines.

    python scanner_desk.py '[{"name": "left", "driver": "hid_keyboard", "options": {...}}]'     what [[scanner]]s say

The answer to `state` has all scans and all that was said of the connections, with monotonic times. `slow` makes the one who
takes the scans take so many seconds for each.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.config import Scanner
from agent.messages import Scanned
from agent.scanning.listen import from_ports
from loyalty.strict import structure


class Desk:
    """Takes what the scanners read; the main thread asks."""

    def __init__(self, tables: list[dict[str, Any]]) -> None:
        self._tables = [structure(table, Scanner) for table in tables]
        self._stop = threading.Event()
        self._slow = 0.0
        self._scans: list[tuple[float, str, str, bool]] = []
        self._changes: list[tuple[float, str, bool, str]] = []

    def run(self) -> None:
        """Until the end."""
        for news in from_ports(self._tables, self._stop, SystemClock()):
            if isinstance(news, Scanned):
                self._scans.append((time.monotonic(), news.device, news.data.hex(), news.partial))
                self._stop.wait(self._slow)
            else:
                self._changes.append((time.monotonic(), news.device, news.up, news.code))

    def state(self) -> dict[str, object]:
        """What is known so far."""
        opened = len(list(Path("/proc/self/fd").iterdir()))
        known = {"scans": self._scans, "changes": self._changes, "opened": opened, "threads": threading.active_count()}
        return {name: list(value) if isinstance(value, list) else value for name, value in known.items()}

    def forget(self) -> None:
        """Throw the scans away."""
        self._scans = []

    def slow(self, seconds: float) -> None:
        """From now on."""
        self._slow = seconds

    def end(self) -> None:
        """Let all threads end."""
        self._stop.set()


def main() -> None:
    """Answer until the input ends."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(relativeCreated)d %(name)s %(message)s")
    desk = Desk(json.loads(sys.argv[1]))
    reader = threading.Thread(target=desk.run, daemon=True)
    reader.start()
    for line in sys.stdin:
        request = json.loads(line)
        result = getattr(desk, request.pop("do"))(**request)
        sys.stdout.write(json.dumps({"result": result}) + "\n")
        sys.stdout.flush()
    desk.end()
    reader.join(5)


if __name__ == "__main__":
    main()
