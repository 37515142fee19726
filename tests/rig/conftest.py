"""A till to try the service on: a bare Debian in a folder, booted by systemd-nspawn, with an installation medium at hand.

service.sh makes the bare Debian and the dependency wheels and names both in the environment. `Machine` boots a copy of it
in a network of its own, so what works here works without one. Nothing here runs unless a test asks for `till`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
# Nothing outside may keep a register of machines (no systemd of its own runs where CI runs), nor lend its network.
NSPAWN = ("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network")
NSPAWN += ("--resolv-conf=off", "--timezone=off", "--machine=tillmate-rig")
# DevicePolicy is a BPF program; a container's systemd may load none by default, and then says nothing and allows every device.
NSPAWN += ("--system-call-filter=bpf",)
SHOWS_NO_TRACE = (
    # useradd leaves the last version of what it edits; systemd and others write these at any boot.
    re.compile(r"^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$"),
    re.compile(r"^/(dev|proc|run|sys|tmp|mnt)(/|$)"),
    re.compile(r"^/var/(log|tmp|cache)/"),
    re.compile(r"^/var/lib/systemd/"),
    re.compile(r"^/var/lib/(private|dbus)(/|$)"),
    re.compile(r"^/etc/(machine-id|\.updated|resolv\.conf|\.pwd\.lock|ld\.so\.cache)$"),
    re.compile(r"^/var/\.updated$"),
)


def eventually(what: str, holds: Callable[[], bool], seconds: float) -> float:
    """Waits until `holds` and says how long that took; fails naming `what`."""
    start = time.monotonic()
    pause = threading.Event()
    while not holds():
        if time.monotonic() - start > seconds:
            pytest.fail(f"not within {seconds} s: {what}")
        pause.wait(0.1)
    return time.monotonic() - start


class Machine:
    """A Debian in a folder, booted by systemd-nspawn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = ""

    def boot(self) -> None:
        log = self.folder.with_suffix(".console").open("ab")
        self._nspawn = subprocess.Popen(
            [*NSPAWN, f"--directory={self.folder}"],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        eventually("the machine is up", self._is_up, 60)

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, "systemd-nspawn ended: " + self.console()
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        if not children:
            return False
        self._leader = children[0]
        return self.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}

    def run(self, *command: str, check: bool = True, user: str = "") -> str:
        """Output of a command as root (or `user`) in the machine; the assertion shows it if the command fails."""
        into = ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        clean = ["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"]
        become = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run([*into, *clean, *become, *command], capture_output=True, text=True, timeout=240)
        assert not check or done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def run_without_boot(self, *command: str) -> str:
        """Output of a command in the folder as an image: no systemd runs there."""
        alone = [part for part in NSPAWN if part != "--boot"]
        done = subprocess.run(
            [*alone, "--pipe", f"--directory={self.folder}", *command], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    eventually = staticmethod(eventually)

    def power_off(self) -> None:
        if self._nspawn is None:
            return
        self._nspawn.terminate()
        try:
            self._nspawn.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._nspawn.pid, signal.SIGKILL)
            self._nspawn.wait()
        self._nspawn = None

    def files(self) -> set[str]:
        """Every path there is, without what any Linux writes for itself."""
        found = (f"/{path.relative_to(self.folder)}" for path in self.folder.rglob("*"))
        return {path for path in found if not any(pattern.match(path) for pattern in SHOWS_NO_TRACE)}

    def console(self) -> str:
        return self.folder.with_suffix(".console").read_text(errors="replace")[-2000:]


class Till(Machine):
    """A machine with what store IT brings along in MEDIUM: scripts, wheels, locked requirements and their wheels."""

    MEDIUM = "/mnt/install"
    DATA = "/var/lib/tillmate"
    CONFIG = "/etc/tillmate/config.toml"
    FIRST, NEXT, BROKEN = (f"tillmate-{version}-py3-none-any.whl" for version in ("0.1.0", "0.2.0", "0.3.0"))

    def script(self, name: str, *arguments: str) -> list[str]:
        return [f"{self.MEDIUM}/install/linux/{name}", *arguments]

    def install(self, wheel: str, *, check: bool = True) -> str:
        """What install.sh said when it was run with `wheel` from the medium, without a network."""
        return self.run(*self.script("install.sh", *self.offline(wheel)), check=check)

    def offline(self, wheel: str) -> list[str]:
        return [f"{self.MEDIUM}/{wheel}", "--wheelhouse", f"{self.MEDIUM}/wheels"]

    def program_files(self) -> set[str]:
        """All files but the data, which change while the service runs."""
        return {path for path in self.files() if not path.startswith(f"{self.DATA}/")}

    def show(self, *properties: str) -> list[str]:
        out = self.run("systemctl", "show", "tillmate", *(f"--property={name}" for name in properties))
        values = dict(line.split("=", 1) for line in out.splitlines())
        return [values[name] for name in properties]

    def is_ready(self) -> bool:
        """systemd counts a Type=notify service as running only after it said READY=1."""
        return self.show("ActiveState", "SubState") == ["active", "running"]

    def main_pid(self) -> int:
        return int(self.show("MainPID")[0])

    def journal(self) -> str:
        return self.run("journalctl", "--unit=tillmate", "--no-pager", "--output=cat")

    def write(self, path: str, text: str) -> None:
        (self.folder / path.lstrip("/")).write_text(text)

    def read(self, path: str) -> str:
        return (self.folder / path.lstrip("/")).read_text()


def build_wheel(into: Path, version: str, *, broken: bool) -> None:
    """The wheel of this checkout under another version number; a broken one falls over when it is run."""
    source = into / f"source-{version}"
    for name in ("agent", "drivers", "loyalty", "loyalty_server", "offline_queue", "receipt_templates"):
        shutil.copytree(REPO / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPO / name, source)
    init = source / "agent/__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', init.read_text()))
    if broken:
        with (source / "agent/app.py").open("a") as app:
            app.write('\n\nraise SystemExit("this version is broken on purpose")\n')
    build = [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(into), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    shutil.rmtree(source)


@pytest.fixture(scope="session")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """Booted, with three versions on its installation medium and none installed."""
    folder = tmp_path_factory.mktemp("rig") / "till"
    subprocess.run(["cp", "-a", os.environ["RIG_ROOT"], str(folder)], check=True)
    machine = Till(folder)
    medium = folder / machine.MEDIUM.lstrip("/")
    medium.mkdir()
    shutil.copytree(REPO / "install", medium / "install")
    shutil.copytree(os.environ["RIG_WHEELS"], medium / "wheels")
    for version, broken in (("0.1.0", False), ("0.2.0", False), ("0.3.0", True)):
        build_wheel(medium, version, broken=broken)
    (medium / "damaged").mkdir()
    (medium / "damaged" / machine.NEXT).write_bytes((medium / machine.NEXT).read_bytes()[:-1000])
    try:
        machine.boot()
        yield machine
    finally:
        machine.power_off()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def bare_files(till: Till) -> set[str]:
    return till.files()


@pytest.fixture
def installed(till: Till, bare_files: set[str]) -> Till:
    """`till` with the first version installed and ready; what the last test left is put right."""
    assert bare_files
    till.install(till.FIRST)
    till.eventually("the service is ready", till.is_ready, 30)
    return till
