"""A small sender and a small receiver of rows, right or wrong in one chosen way: what the chaos test must be able to see.

    toy sender FILE PORT HOW          sells rows 1, 2, 3 ... and posts them; says each number once it is on its disk
    toy receiver FILE HOW             books them; says `ready port=...`

HOW: `right`; `no_key` books whatever comes; `window` remembers in memory what it has booked; `mark_first` marks rows as
sent, then sends them.
"""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

BATCH = 20
BETWEEN_SALES = 0.01
TIMEOUT = 3.0


def main(words: Sequence[str]) -> None:
    """Be one of the two."""
    if words[0] == "sender":
        Sender(words[1], int(words[2]), words[3]).run()
    else:
        receive(words[1], words[2])


def connect(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class Sender:
    """One thread that sells and posts in turn."""

    def __init__(self, file: str, port: int, how: str) -> None:
        self._port, self._how = port, how
        self._rows = connect(file)
        self._rows.execute("CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY, sent INTEGER DEFAULT 0)")

    def run(self) -> None:
        say("ready sender=1")
        while True:
            for _ in range(3):
                say(str(self._rows.execute("INSERT INTO outbox DEFAULT VALUES").lastrowid))
                threading.Event().wait(BETWEEN_SALES)
            with suppress(OSError, http.client.HTTPException):
                self._post()

    def _post(self) -> None:
        waiting = self._rows.execute("SELECT number FROM outbox WHERE sent = 0 ORDER BY number LIMIT ?", (BATCH,))
        batch = [number for (number,) in waiting]
        if not batch:
            return
        if self._how == "mark_first":
            self._mark(batch)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        try:
            connection.request("POST", "/rows", json.dumps(batch))
            reply = connection.getresponse()
            if (reply.read(), reply.status) == (b"booked", 200):
                self._mark(batch)
        finally:
            connection.close()

    def _mark(self, batch: list[int]) -> None:
        self._rows.execute("BEGIN IMMEDIATE")
        self._rows.executemany("UPDATE outbox SET sent = 1 WHERE number = ?", [(number,) for number in batch])
        self._rows.execute("COMMIT")


def receive(file: str, how: str) -> None:
    """Serve for ever."""
    ledger = connect(file)
    ledger.execute("CREATE TABLE IF NOT EXISTS ledger (number INTEGER)")
    remembered: set[int] = set()

    def is_known(number: int) -> bool:
        if how == "no_key":
            return False
        if how == "window":
            return number in remembered
        return ledger.execute("SELECT 1 FROM ledger WHERE number = ?", (number,)).fetchone() is not None

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            ledger.execute("BEGIN IMMEDIATE")
            for number in [number for number in batch if not is_known(number)]:
                ledger.execute("INSERT INTO ledger VALUES (?)", (number,))
                remembered.add(number)
            ledger.execute("COMMIT")
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"booked")

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    say(f"ready port={server.server_port}")
    server.serve_forever()


def say(line: str) -> None:
    """A line on standard output."""
    print(line, flush=True)  # noqa: T201 - a program of its own
