"""A private PostgreSQL: a cluster of its own in a temporary folder, reached through a Unix socket there and nowhere else.

PostgreSQL refuses to run as root, so root's tests start it as another user. It syncs nothing to the disk: what is killed
is always the process, never the machine, and databases are copied from templates before most tests.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "max_connections": "60",
    "lc_messages": "C",
}
START = 30.0
MEMORY = Path("/dev/shm")  # noqa: S108 - where a cluster is five times as fast, if there is room for one
ROOM = 1 << 30


class PostgreSql:
    """The server; `database` makes an empty database, or a copy of another one."""

    def __init__(self, programs: Path, beside: Path | None = None, **settings: str) -> None:
        self._programs = programs
        self._settings = {**SETTINGS, **settings}
        self._user = unprivileged()
        self._made = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._owner: psycopg.Connection[tuple[object, ...]] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="tillmate-pg-", dir=beside or place()))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=tillmate", "--encoding=UTF8", "--locale=C.UTF-8")
        self.start()

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Start it, after a crash too."""
        words = [f"--{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self.folder, *words],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user(),
            )
        end, tick = time.monotonic() + START, threading.Event()
        while not self._answers():
            assert self._server.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            tick.wait(0.02)

    def kill(self) -> None:
        """kill -9 for all of its processes at once."""
        self._hang_up()
        for process in [self.pid, *self._children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """Stop it and leave nothing behind."""
        self._hang_up()
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            self._wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self, template: str = "template0") -> str:
        """Make a database and return its name. Nobody may be connected to the template."""
        self._made += 1
        name = f"db{self._made}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def dump(self, name: str, file: Path) -> None:
        """Back a database up while others work with it."""
        self._ask("pg_dump", "--format=custom", f"--file={file}", name)

    def put_back(self, name: str, file: Path) -> None:
        """Let a database, to which nobody is connected, be as it was when it was dumped."""
        self.sql(f"DROP DATABASE {name}")
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        self._ask("pg_restore", "--exit-on-error", f"--dbname={name}", str(file))

    def url(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql://tillmate@/{name}?host={self.folder}"

    def sql(self, statement: str) -> None:
        """Run a statement as the owner of all, on one connection: to begin another takes as long as to copy a database."""
        if self._owner is None:
            self._owner = psycopg.connect(self.url("postgres"), autocommit=True)
        self._owner.execute(statement.encode())

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def _children(self) -> list[int]:
        """Each is the leader of a session of its own."""
        return [int(each) for each in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *words: str) -> None:
        command = [self._programs / program, "-D", self._data, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, **self._as_user())
        assert done.returncode == 0, done.stderr

    def _ask(self, program: str, *words: str) -> None:
        command = [self._programs / program, f"--host={self.folder}", "--username=tillmate", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def _as_user(self) -> dict[str, object]:
        if self._user is None:
            return {}
        entry = pwd.getpwnam(self._user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            self.sql("SELECT 1")
            return True
        return False

    def _hang_up(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def _wait(self) -> None:
        assert self._server is not None
        try:
            self._server.wait(20)
        finally:
            if self._server.poll() is None:
                os.killpg(self.pid, signal.SIGKILL)
                self._server.wait()


def place() -> Path | None:
    """The folder to make the cluster in; None = the usual one."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if roomy else None


def unprivileged() -> str | None:
    """Who runs the server instead of root; None = whoever we are."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def programs() -> Path | None:
    """Where Debian keeps the server's programs: the newest version of them."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    elsewhere = shutil.which("initdb")
    return None if elsewhere is None else Path(elsewhere).parent


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """The server, for as long as the tests run."""
    folder = programs()
    if folder is None:
        assert not os.environ.get("CI"), "apt-get install postgresql"
        pytest.skip("needs postgresql")
    server = PostgreSql(folder)
    yield server
    server.stop()
