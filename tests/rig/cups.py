"""A private print server: Debian's cupsd on 127.0.0.1, with raw queues whose printers are folders.

Its one back end puts each job into the folder of its queue, or fails while there is a file `fail` in it. Nothing of the
machine's own print system is read or written.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NEEDS = {"cupsd": "cups-daemon", "lp": "cups-client", "lpadmin": "cups-client"}
BACK_END = """\
#!/bin/sh
[ $# -gt 0 ] || exit 0
folder=${DEVICE_URI#paper:}
[ ! -e "$folder/fail" ] || exit 1
cat "${6:--}" >"$folder/$1.part" && mv "$folder/$1.part" "$folder/$1.job"
"""
SERVER = """\
Listen 127.0.0.1:{port}
WebInterface No
Browsing No
DefaultAuthType None
PreserveJobHistory Yes
JobRetryInterval 1
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  <Limit All>
    Order allow,deny
    Allow all
  </Limit>
</Policy>
"""
FILES = """\
ServerRoot {folder}/root
ServerBin {folder}/bin
CacheDir {folder}/cache
StateDir {folder}/state
RequestRoot {folder}/spool
Printcap {folder}/printcap
AccessLog {folder}/access.log
ErrorLog {folder}/error.log
PageLog {folder}/page.log
"""


class Cups:
    """The server; `queue` makes queues of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        for name in ("root", "bin/backend", "cache", "state", "spool", "out"):
            (folder / name).mkdir(parents=True, mode=0o755)
        (folder / "bin/daemon").symlink_to("/usr/lib/cups/daemon")
        back_end = folder / "bin/backend/paper"
        back_end.write_text(BACK_END)
        back_end.chmod(0o700)  # so cupsd runs it as itself
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "cupsd.conf").write_text(SERVER.format(port=self.port))
        (folder / "cups-files.conf").write_text(FILES.format(folder=folder))
        self.start()

    def start(self) -> None:
        files = ["-c", str(self._folder / "cupsd.conf"), "-s", str(self._folder / "cups-files.conf")]
        self._server = subprocess.Popen(["cupsd", "-f", *files], env={**os.environ, "PATH": path()})
        wait(lambda: listens(self.port))

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(10)
            self._server.kill()
            self._server.wait()

    def queue(self, name: str) -> CupsQueue:
        folder = self._folder / "out" / name
        folder.mkdir(exist_ok=True)
        return CupsQueue(name, folder)


class CupsQueue:
    """A raw queue."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self.add()

    def add(self) -> None:
        run("lpadmin", "-p", self.name, "-E", "-v", f"paper:{self._folder}", "-m", "raw")

    def remove(self) -> None:
        run("lpadmin", "-x", self.name)

    def do(self, command: str) -> None:
        """cupsaccept, cupsreject, cupsenable or cupsdisable."""
        run(command, self.name)

    def fail(self, *, broken: bool) -> None:
        """Whether its printer refuses to print."""
        if broken:
            (self._folder / "fail").touch()
        else:
            (self._folder / "fail").unlink()

    def retry(self) -> None:
        """Try the jobs again that failed: what cupsd does by itself after about ten seconds."""
        for job in self._waiting():
            run("lp", "-i", job, "-H", "resume")

    @property
    def waiting(self) -> int:
        """How many jobs are not done."""
        return len(self._waiting())

    @property
    def papers(self) -> list[bytes]:
        """What came out, the oldest first."""
        return [each.read_bytes() for each in sorted(self._folder.glob("*.job"), key=lambda each: int(each.stem))]

    def _waiting(self) -> list[str]:
        return [line.split()[0] for line in run("lpstat", "-o", self.name).splitlines()]


@pytest.fixture(scope="session")
def cups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cups]:
    """The server of the machine, for as long as the tests run: CUPS_SERVER names it."""
    missing = sorted({package for program, package in NEEDS.items() if shutil.which(program, path=path()) is None})
    if missing:
        assert not os.environ.get("CI"), f"apt-get install {' '.join(missing)}"
        pytest.skip(f"needs {' '.join(missing)}")
    before = os.environ.get("CUPS_SERVER")
    server = Cups(tmp_path_factory.mktemp("cups"))
    os.environ["CUPS_SERVER"] = f"127.0.0.1:{server.port}"
    yield server
    server.stop()
    if before is None:
        del os.environ["CUPS_SERVER"]
    else:
        os.environ["CUPS_SERVER"] = before


def path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin"


def run(*command: str) -> str:
    program = shutil.which(command[0], path=path())
    assert program
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait(condition: object, within: float = 10.0) -> None:
    assert callable(condition)
    end, tick = time.monotonic() + within, threading.Event()
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {within} s"
        tick.wait(0.02)
