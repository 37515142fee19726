"""The service on a real Debian with a real systemd: installed, killed, hung, rebooted, upgraded, removed.

Run by `make test-service`. The tests share one till (conftest.py), each may also run alone, and the order is that of a
till's life: removal comes last.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Till

DATA = "/var/lib/tillmate"
CONFIG = "/etc/tillmate/config.toml"


def test_one_command_brings_the_service_up_without_a_network(till: Till, bare_files: set[str]) -> None:
    said = till.install(till.FIRST)
    assert till.is_ready(), till.journal()
    assert bare_files < till.files()
    assert "tillmate status" in said
    assert till.show("UnitFileState") == ["enabled"]
    assert till.run("stat", "-c", "%A %U:%G", CONFIG).strip() == "-rw-r----- root:tillmate"
    assert till.run("stat", "-c", "%A %U", DATA).strip() == "drwx------ tillmate"
    assert set(till.run("id", "-nG", "tillmate").split()) == {"tillmate", "dialout", "lp", "input"}


def test_the_unit_says_nothing_that_systemd_does_not_know(installed: Till) -> None:
    assert installed.run("systemd-analyze", "verify", "tillmate.service") == ""
    exposure = installed.run("systemd-analyze", "security", "tillmate.service", "--no-pager").splitlines()[-1]
    score = re.search(r"service: (\d+\.\d+)", exposure)
    assert score is not None
    assert float(score[1]) <= 2.0, exposure


def test_status_answers(installed: Till) -> None:
    assert installed.run("tillmate", "--version").strip().endswith("0.1.0")
    assert "0.1.0" in installed.run("tillmate", "status")


# Says of each thing that the service may or may not do whether it could.
PROBE = """
import errno, os, socket

def tried(name, attempt):
    try:
        attempt()
    except OSError as error:
        print("probe", name, errno.errorcode[error.errno])
    else:
        print("probe", name, "ok")

def opened(path, flags):
    tried(os.path.basename(path), lambda: os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)))

for path in ("/dev/ttyS77", "/dev/hidraw77", "/dev/vda77", "/dev/mem77"):
    opened(path, os.O_RDWR)
opened("/dev/input77", os.O_RDONLY)
tried("pty", lambda: os.openpty())
tried("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15))
tried("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
for path in ("/etc/probe", "/opt/tillmate/probe", "/root/probe", "/var/lib/tillmate/probe"):
    tried(path, lambda: open(path, "w"))
"""


def as_the_service(till: Till, program: str) -> str:
    """What `program` printed when the unit itself, with all its limits, ran it in place of the agent."""
    drop_in = "/run/systemd/system/tillmate.service.d"
    python = "/opt/tillmate/current/bin/python"
    lines = ["[Service]", "Type=oneshot", "Restart=no", "WatchdogSec=0", "ExecStart="]
    lines.append(f"ExecStart={python} -I {DATA}/probe.py")
    till.write(f"{DATA}/probe.py", program)
    till.run("systemctl", "stop", "tillmate")
    till.run("mkdir", "-p", drop_in)
    till.run("sh", "-c", 'printf "%s\\n" "$@" >"$0"', f"{drop_in}/probe.conf", *lines)
    till.run("systemctl", "daemon-reload")
    till.run("systemctl", "start", "tillmate")
    till.run("rm", "-r", drop_in, f"{DATA}/probe.py")
    till.run("systemctl", "daemon-reload")
    till.run("systemctl", "start", "tillmate")
    return till.journal()


def test_the_sandbox_lets_devices_through_and_nothing_else(installed: Till) -> None:
    # Nodes without hardware: the sandbox refuses with EPERM, and what it lets through ends in "no such device".
    hidraw = re.search(r"(\d+) hidraw", Path("/proc/devices").read_text())
    assert hidraw is not None, "this kernel has no hidraw"
    nodes = {"ttyS77": "c 4 141", "hidraw77": f"c {hidraw[1]} 77", "input77": "c 13 77"}
    nodes |= {"vda77": "b 254 0", "mem77": "c 1 1"}
    for name, numbers in nodes.items():
        installed.run("mknod", "--mode=0660", f"/dev/{name}", *numbers.split())
        installed.run("chgrp", "tillmate", f"/dev/{name}")
    found = dict(re.findall(r"probe (\S+) (\S+)", as_the_service(installed, PROBE)))
    there = {"ok", "EIO", "ENXIO", "ENODEV"}
    assert {found[name] for name in ("ttyS77", "hidraw77", "input77", "pty", "netlink")} <= there, found
    assert {found[name] for name in ("vda77", "mem77")} == {"EPERM"}, found
    assert found["packet"] == "EAFNOSUPPORT"
    assert found["/etc/probe"] == found["/opt/tillmate/probe"] == "EROFS"
    assert found["/root/probe"] in {"EACCES", "ENOENT"}
    assert found[f"{DATA}/probe"] == "ok"


def test_killed_it_is_back_within_seconds(installed: Till) -> None:
    for _ in range(3):
        before = installed.main_pid()
        installed.run("kill", "-9", str(before))
        installed.eventually("another process", lambda old=before: installed.main_pid() not in {0, old}, 5)
        installed.eventually("ready after the kill", installed.is_ready, 5)


def test_hung_it_is_killed_by_the_watchdog_and_back(installed: Till) -> None:
    before = installed.main_pid()
    installed.run("kill", "-STOP", str(before))
    installed.eventually("the watchdog has ended it", lambda: installed.main_pid() not in {0, before}, 60)
    installed.eventually("ready after the hang", installed.is_ready, 10)
    assert "Watchdog timeout" in installed.journal()


def test_stop_is_quick_and_a_start_finds_the_data(installed: Till) -> None:
    start = time.monotonic()
    installed.run("systemctl", "stop", "tillmate")
    assert time.monotonic() - start <= 4
    assert installed.show("Result") == ["success"], installed.journal()
    kept = {path for path in installed.files() if path.startswith(DATA) and path.endswith(".db")}
    assert f"{DATA}/queue.db" in kept
    installed.run("tillmate", "queue", "list")  # as root: must not leave files that the service may not write
    installed.run("systemctl", "start", "tillmate")
    assert installed.is_ready()
    assert kept <= installed.files()


def test_after_a_reboot_it_runs_again(installed: Till) -> None:
    installed.write(f"{DATA}/mark", "before")
    installed.power_off()
    installed.boot()
    installed.eventually("ready after the reboot", installed.is_ready, 30)
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


def test_unreadable_keys_end_it_for_good_with_65(installed: Till) -> None:
    installed.run("systemctl", "stop", "tillmate")
    installed.run("cp", "-a", f"{DATA}/data.keys", f"{DATA}/keys.good")
    installed.run("dd", "if=/dev/urandom", f"of={DATA}/data.keys", "bs=1k", "count=1")
    installed.run("systemctl", "start", "tillmate", check=False)
    assert installed.show("ExecMainStatus", "ActiveState") == ["65", "failed"]
    installed.run("mv", f"{DATA}/keys.good", f"{DATA}/data.keys")
    installed.run("systemctl", "start", "tillmate")
    assert installed.is_ready()


def test_a_damaged_queue_is_set_aside(installed: Till) -> None:
    installed.run("systemctl", "stop", "tillmate")
    installed.run("dd", "if=/dev/urandom", f"of={DATA}/queue.db", "bs=1k", "count=4", "conv=notrunc")
    installed.run("systemctl", "start", "tillmate")
    assert installed.is_ready()


def test_a_port_in_use_is_waited_for(installed: Till) -> None:
    installed.run("systemctl", "stop", "tillmate")
    take = "import socket; s = socket.create_server(('127.0.0.1', 8737)); s.accept()"
    installed.run("systemd-run", "--unit=thief", "/opt/tillmate/current/bin/python", "-c", take)
    try:
        installed.run("systemctl", "start", "tillmate", check=False)
        installed.eventually("a second try", lambda: int(installed.show("NRestarts")[0]) >= 1, 10)
    finally:
        installed.run("systemctl", "stop", "thief")
    installed.eventually("ready with the port free again", installed.is_ready, 15)
    assert "status=69" in installed.journal()


def test_a_second_agent_by_hand_gives_up_with_75(installed: Till) -> None:
    said = installed.run("sh", "-c", f"runuser -u tillmate -- tillmate run --config {CONFIG}; echo exit $?")
    assert "exit 75\n" in said
    assert installed.is_ready()


def test_installed_twice_nothing_is_restarted(installed: Till) -> None:
    before = installed.main_pid()
    files = installed.program_files()
    assert "nothing has changed" in installed.install(installed.FIRST)
    assert installed.main_pid() == before
    assert installed.program_files() == files


def test_an_upgrade_keeps_configuration_and_data(installed: Till) -> None:
    installed.write(CONFIG, installed.read(CONFIG) + "\n# our own line\n")
    installed.write(f"{DATA}/mark", "before the upgrade")
    installed.install(installed.NEXT)
    assert installed.is_ready()
    assert "0.2.0" in installed.run("tillmate", "status")
    assert installed.read(CONFIG).endswith("# our own line\n")
    assert installed.read(f"{DATA}/mark") == "before the upgrade"
    installed.install(installed.FIRST)
    assert "0.1.0" in installed.run("tillmate", "status")


def test_a_version_that_does_not_come_up_gives_way_to_the_one_before(installed: Till) -> None:
    said = installed.install(installed.BROKEN, check=False)
    assert "broken on purpose" in said
    assert "the previous version runs again" in said
    assert installed.is_ready()
    assert "0.1.0" in installed.run("tillmate", "status")
    assert [path for path in installed.files() if path.startswith("/opt/tillmate/releases/0.3")] == []


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("{medium}/damaged/{next}", "--wheelhouse", "{medium}/wheels"), "the wheel is damaged"),
        (("{medium}/{next}", "--wheelhouse", "{medium}"), "the dependencies could not be installed"),
        (("{medium}/{next}", "--wheelhouse", "{medium}/wheels", "--config", "/etc/passwd"), "mistakes"),
        (("{medium}/install/requirements.txt",), "no Tillmate wheel"),
        (("{medium}/{next}", "--wheelhuose", "x"), "unknown option"),
    ],
)
def test_what_cannot_be_installed_touches_nothing(installed: Till, options: tuple[str, ...], what: str) -> None:
    before = installed.main_pid()
    files = installed.program_files()
    arguments = [option.format(medium=installed.MEDIUM, next=installed.NEXT) for option in options]
    said = installed.run(*installed.script("install.sh", *arguments), check=False)
    assert re.search(rf"FAILED: .*{what}", said), said
    assert "where:" in said
    assert "do:" in said
    assert installed.main_pid() == before
    assert installed.program_files() == files


def test_removed_only_the_data_folder_is_left(installed: Till, bare_files: set[str]) -> None:
    installed.write(f"{DATA}/mark", "precious")
    installed.run(*installed.script("uninstall.sh"))
    assert installed.program_files() == bare_files | {DATA}
    assert "tillmate" not in installed.read("/etc/passwd") + installed.read("/etc/group")
    assert installed.run("stat", "-c", "%A %U", DATA).strip() == "drwx------ root"
    installed.install(installed.FIRST)
    assert installed.is_ready()
    assert installed.read(f"{DATA}/mark") == "precious"


# A row that waits for a server which does not exist.
UNSENT = f"""
import threading
from datetime import UTC, datetime
from pathlib import Path
from agent.clock import SystemClock
from agent.identity import data_keys
from loyalty.wire import Enrolment
from offline_queue import BeginEpoch, Keyring, Queue, QueueEnrolment

keys = Keyring(data_keys(Path("{DATA}")))
queue, stop = Queue.open(Path("{DATA}/queue.db"), SystemClock(), keys=keys), threading.Event()
writer = threading.Thread(target=queue.run, args=(stop,))
writer.start()
queue.submit(BeginEpoch("device", "epoch")).result(5)
queue.submit(QueueEnrolment(datetime.now(UTC), Enrolment(till="1", token="A" * 32))).result(5)
stop.set()
writer.join()
"""


def test_what_the_server_has_not_had_is_not_purged_by_mistake(installed: Till) -> None:
    installed.run("systemctl", "stop", "tillmate")
    installed.run("runuser", "-u", "tillmate", "--", "/opt/tillmate/current/bin/python", "-I", "-c", UNSENT)
    before = installed.files()
    said = installed.run(*installed.script("uninstall.sh", "--purge"), check=False)
    assert "FAILED: 1 sales and enrolments" in said
    assert before <= installed.files()
    installed.run(*installed.script("uninstall.sh", "--purge", "--discard-unsent"))
    assert not any(path.startswith(DATA) for path in installed.files())


def test_purged_nothing_is_left(installed: Till, bare_files: set[str]) -> None:
    installed.run(*installed.script("uninstall.sh", "--purge"))
    assert installed.files() == bare_files
    assert "could not be found" in installed.run("systemctl", "status", "tillmate", check=False)


def test_installed_into_an_image_it_comes_up_at_the_first_boot(till: Till) -> None:
    till.power_off()
    try:
        till.run_without_boot(*till.script("uninstall.sh", "--purge"))
        said = till.run_without_boot(*till.script("install.sh", *till.offline(till.FIRST)))
    finally:
        till.boot()
    assert "the service will start at the next boot" in said
    till.eventually("ready after the first boot", till.is_ready, 30)
