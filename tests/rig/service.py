"""The service on a real Debian with a real systemd: installed, killed, hung, rebooted, upgraded, removed.

Run by `make test-service` (service.sh makes the bare Debian and the dependency wheels and names both in the environment).
`Machine` boots a copy of that folder with systemd-nspawn in a network of its own, so what works here works without one.
The tests share one machine, each may also run alone, and the order is that of a till's life: removal comes last.
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
BARE = Path(os.environ["RIG_ROOT"])
WHEELS = Path(os.environ["RIG_WHEELS"])
MEDIUM = "/mnt/install"  # what store IT brings along: scripts, wheel, locked requirements, dependency wheels
DATA = "/var/lib/tillmate"
CONFIG = "/etc/tillmate/config.toml"
# Nothing outside may keep a register of machines (no systemd of its own runs where CI runs), nor lend its network.
NSPAWN = ("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network")
NSPAWN += ("--resolv-conf=off", "--timezone=off", "--machine=tillmate-rig")
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
    """A machine with the installation medium at hand."""

    def install(self, wheel: str, *options: str, check: bool = True) -> str:
        script = f"{MEDIUM}/install/linux/install.sh"
        return self.run(script, f"{MEDIUM}/{wheel}", "--wheelhouse", f"{MEDIUM}/wheels", *options, check=check)

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


def build_wheel(into: Path, version: str, *, broken: bool = False) -> str:
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
    return f"tillmate-{version}-py3-none-any.whl"


@pytest.fixture(scope="module")
def wheel() -> str:
    return "tillmate-0.1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory, wheel: str) -> Iterator[Till]:
    """Booted, with three versions on its installation medium and none installed."""
    folder = tmp_path_factory.mktemp("rig") / "till"
    subprocess.run(["cp", "-a", str(BARE), str(folder)], check=True)
    medium = folder / MEDIUM.lstrip("/")
    medium.mkdir()
    shutil.copytree(REPO / "install", medium / "install")
    shutil.copytree(WHEELS, medium / "wheels")
    assert build_wheel(medium, "0.1.0") == wheel
    build_wheel(medium, "0.2.0")
    build_wheel(medium, "0.3.0", broken=True)
    (medium / "damaged").mkdir()
    whole = (medium / "tillmate-0.2.0-py3-none-any.whl").read_bytes()
    (medium / "damaged/tillmate-0.4.0-py3-none-any.whl").write_bytes(whole[:-1000])
    machine = Till(folder)
    try:
        machine.boot()
        yield machine
    finally:
        machine.power_off()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bare_files(till: Till) -> set[str]:
    return till.files()


@pytest.fixture
def installed(till: Till, bare_files: set[str], wheel: str) -> Till:
    """`till` with the first version installed and ready; what the last test left is put right."""
    assert bare_files
    till.install(wheel)
    eventually("the service is ready", till.is_ready, 30)
    return till


def test_one_command_brings_the_service_up_without_a_network(till: Till, bare_files: set[str], wheel: str) -> None:
    said = till.install(wheel)
    assert till.is_ready(), till.journal()
    assert bare_files < till.files()
    assert "tillmate status" in said
    assert till.show("UnitFileState") == ["enabled"]
    assert till.run("stat", "-c", "%A %U:%G", CONFIG).strip() == "-rw-r----- root:tillmate"
    assert till.run("stat", "-c", "%A %U", DATA).strip() == "drwx------ tillmate"
    groups = set(till.run("id", "-nG", "tillmate").split())
    assert groups == {"tillmate", "dialout", "lp", "input"}


def test_the_unit_says_nothing_that_systemd_does_not_know(installed: Till) -> None:
    assert installed.run("systemd-analyze", "verify", "tillmate.service") == ""
    exposure = installed.run("systemd-analyze", "security", "tillmate.service", "--no-pager").splitlines()[-1]
    score = re.search(r"service: (\d+\.\d+)", exposure)
    assert score is not None
    assert float(score[1]) <= 2.0, exposure


def test_status_answers_from_any_folder(installed: Till) -> None:
    said = installed.run("tillmate", "status")
    assert "0.1.0" in said
    assert installed.run("tillmate", "--version").strip().endswith("0.1.0")


def test_killed_it_is_back_within_seconds(installed: Till) -> None:
    for _ in range(3):
        before = installed.main_pid()
        installed.run("kill", "-9", str(before))
        eventually("another process", lambda old=before: installed.main_pid() not in {0, old}, 5)
        eventually("ready after the kill", installed.is_ready, 5)


def test_hung_it_is_killed_by_the_watchdog_and_back(installed: Till) -> None:
    before = installed.main_pid()
    installed.run("kill", "-STOP", str(before))
    eventually("the watchdog has ended it", lambda: installed.main_pid() not in {0, before}, 60)
    eventually("ready after the hang", installed.is_ready, 10)
    assert "Watchdog timeout" in installed.journal()


def test_stop_is_quick_and_a_start_finds_the_data(installed: Till) -> None:
    epoch = sorted(path for path in installed.files() if path.startswith(DATA))
    start = time.monotonic()
    installed.run("systemctl", "stop", "tillmate")
    assert time.monotonic() - start <= 4
    assert installed.show("Result") == ["success"], installed.journal()
    installed.run("systemctl", "start", "tillmate")
    assert installed.is_ready()
    kept = {path for path in epoch if path.endswith(".db")}
    assert kept
    assert kept <= installed.files()


def test_after_a_reboot_it_runs_again(installed: Till) -> None:
    installed.write(f"{DATA}/mark", "before")
    installed.power_off()
    installed.boot()
    eventually("ready after the reboot", installed.is_ready, 30)
    assert installed.read(f"{DATA}/mark") == "before"


def test_a_broken_configuration_ends_it_for_good_with_78(installed: Till) -> None:
    good = installed.read(CONFIG)
    try:
        installed.write(CONFIG, good + "\n[no_such_part]\nx = 1\n")
        installed.run("systemctl", "restart", "tillmate", check=False)
        assert installed.show("ExecMainStatus", "ActiveState") == ["78", "failed"]
        assert "no_such_part" in installed.journal()
    finally:
        installed.write(CONFIG, good)
    installed.run("systemctl", "restart", "tillmate")
    assert installed.is_ready()


def test_installed_twice_nothing_is_restarted(installed: Till, wheel: str) -> None:
    before = installed.main_pid()
    files = {path for path in installed.files() if not path.startswith(DATA)}
    assert "nothing has changed" in installed.install(wheel)
    assert installed.main_pid() == before
    assert {path for path in installed.files() if not path.startswith(DATA)} == files


def test_an_upgrade_keeps_configuration_and_data(installed: Till, wheel: str) -> None:
    installed.write(CONFIG, installed.read(CONFIG) + "\n# our own line\n")
    installed.write(f"{DATA}/mark", "before the upgrade")
    installed.install("tillmate-0.2.0-py3-none-any.whl")
    assert installed.is_ready()
    assert "0.2.0" in installed.run("tillmate", "status")
    assert installed.read(CONFIG).endswith("# our own line\n")
    assert installed.read(f"{DATA}/mark") == "before the upgrade"
    installed.install(wheel)
    assert "0.1.0" in installed.run("tillmate", "status")


def test_a_version_that_does_not_come_up_gives_way_to_the_one_before(installed: Till) -> None:
    said = installed.install("tillmate-0.3.0-py3-none-any.whl", check=False)
    assert "broken on purpose" in said
    assert "the previous version runs again" in said
    assert installed.is_ready()
    assert "0.1.0" in installed.run("tillmate", "status")
    assert [path for path in installed.files() if path.startswith("/opt/tillmate/releases/0.3")] == []


@pytest.mark.parametrize(
    ("wheel_file", "options", "what"),
    [
        ("damaged/tillmate-0.4.0-py3-none-any.whl", ("--wheelhouse", f"{MEDIUM}/wheels"), "the wheel is damaged"),
        ("tillmate-0.2.0-py3-none-any.whl", ("--wheelhouse", MEDIUM), "the dependencies could not be installed"),
        (
            "tillmate-0.2.0-py3-none-any.whl",
            ("--config", "/etc/passwd", "--wheelhouse", f"{MEDIUM}/wheels"),
            "mistakes",
        ),
        ("install/requirements.txt", (), "no Tillmate wheel"),
        ("tillmate-0.2.0-py3-none-any.whl", ("--wheelhuose", "x"), "unknown option"),
    ],
)
def test_what_cannot_be_installed_touches_nothing(
    installed: Till, wheel_file: str, options: tuple[str, ...], what: str
) -> None:
    before = installed.main_pid()
    files = {path for path in installed.files() if not path.startswith(DATA)}
    said = installed.run(f"{MEDIUM}/install/linux/install.sh", f"{MEDIUM}/{wheel_file}", *options, check=False)
    assert re.search(rf"FAILED: .*{what}", said), said
    assert "where:" in said
    assert "do:" in said
    assert installed.main_pid() == before
    assert {path for path in installed.files() if not path.startswith(DATA)} == files


def test_removed_only_the_data_folder_is_left(installed: Till, bare_files: set[str], wheel: str) -> None:
    installed.write(f"{DATA}/mark", "precious")
    installed.run(f"{MEDIUM}/install/linux/uninstall.sh")
    left = installed.files() - bare_files
    assert left, "the data folder is gone"
    assert {path for path in left if path != DATA and not path.startswith(f"{DATA}/")} == set()
    assert bare_files <= installed.files()
    assert "tillmate" not in installed.read("/etc/passwd") + installed.read("/etc/group")
    assert installed.run("stat", "-c", "%A %U", DATA).strip() == "drwx------ root"
    installed.install(wheel)
    assert installed.is_ready()
    assert installed.read(f"{DATA}/mark") == "precious"


def test_purged_nothing_is_left(installed: Till, bare_files: set[str]) -> None:
    installed.run(f"{MEDIUM}/install/linux/uninstall.sh", "--purge")
    assert installed.files() - bare_files == set()
    assert "could not be found" in installed.run("systemctl", "status", "tillmate", check=False)
