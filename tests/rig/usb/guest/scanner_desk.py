"""The scanners of a till as the product reads them: drivers, links, framing, repeats. Asked in JSON lines.

    {"do": "begin", "tables": [{"name": "left", "driver": "hid_keyboard", "options": {...}}]}     what [[scanner]]s say

The answer to `state` has all scans and all that was said of the connections, with monotonic times. `hold` keeps the one who
takes the scans busy with one, until `release`.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import Any

from agent.clock import SystemClock
from agent.config import Scanner
from agent.messages import Scanned
from agent.scanning.listen import from_ports
from loyalty.strict import structure


class Desk:
    """Takes what the scanners read; the main thread asks."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._reader: threading.Thread | None = None
        self._free = threading.Event()
        self._scans: list[tuple[float, str, str, bool]] = []
        self._changes: list[tuple[float, str, bool, str]] = []

    def begin(self, tables: list[dict[str, Any]]) -> None:
        """Read these scanners, and no others any more; nothing of the ones before is known."""
        self.stop()
        self._stop, self._scans, self._changes = threading.Event(), [], []
        self._free.set()
        scanners = [structure(table, Scanner) for table in tables]
        self._reader = threading.Thread(target=self._read, args=(scanners, self._stop), daemon=True)
        self._reader.start()

    def _read(self, scanners: list[Scanner], stop: threading.Event) -> None:
        for news in from_ports(scanners, stop, SystemClock()):
            if isinstance(news, Scanned):
                self._scans.append((time.monotonic(), news.device, news.data.hex(), news.partial))
                self._free.wait()
            else:
                self._changes.append((time.monotonic(), news.device, news.up, news.code))

    def state(self) -> dict[str, object]:
        """What is known so far."""
        return {"scans": list(self._scans), "changes": list(self._changes)}

    def forget(self) -> None:
        """Throw the scans away."""
        self._scans = []

    def hold(self) -> None:
        """Take one more scan, and no other."""
        self._free.clear()

    def release(self) -> None:
        """Take all that have come."""
        self._free.set()

    def stop(self) -> None:
        """Give all scanners back."""
        self._stop.set()
        self._free.set()
        if self._reader is not None:
            self._reader.join(5)


def main() -> None:
    """Answer until the input ends."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(relativeCreated)d %(name)s %(message)s")
    desk = Desk()
    for line in sys.stdin:
        request = json.loads(line)
        result = getattr(desk, request.pop("do"))(**request)
        sys.stdout.write(json.dumps({"result": result}) + "\n")
        sys.stdout.flush()
    desk.stop()


if __name__ == "__main__":
    main()
