"""The power goes while a till sells on a real ext4: in a Debian under qemu, three times by SIGKILL, and again at hundreds of
moments of the first life, replayed from the disk's write log.

powercut.sh makes the disks and names them in the environment. Each promise leaves the guest as it is made; what the file
system has after a cut is looked at here, with the real queue. A queue with synchronous=NORMAL on the same disk is the
control: it has to lose.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.offline_queue.explorer import Promises, kept

from .write_log import Replay, WriteLog

RAM = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
DISK_MIB = 48
BOOTED_WITHIN = 900.0  # of a very busy machine without KVM; 20 s of a quiet one
CUTS, KILLS = 250, 3
SALES = 150
"""Promises in a life, at the least, before it is killed."""


class Clock:
    """For the queues that are opened here."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Said:
    """A promise, and how many entries the write log had when it was heard."""

    name: str
    promise: bytes
    entries: int


@dataclass
class Life:
    """The machine from its boot to its death."""

    folder: Path
    data: Path
    log: WriteLog
    said: list[Said] = field(default_factory=list)

    def live_and_die(self, chance: random.Random) -> None:
        """Boot, sell, and be killed at some moment."""
        with (self.folder / "qemu").open("wb") as output:
            qemu = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            with self._connected(qemu) as port:
                self._listen(port, SALES + chance.randrange(SALES))
        finally:
            qemu.kill()
            qemu.wait(30)

    def _listen(self, port: socket.socket, most: int) -> None:
        pending = b""
        while len(self.said) < most:
            *lines, pending = (pending + port.recv(65536)).split(b"\n")
            assert lines or pending, "the machine hung up:\n" + self._console()
            entries = self.log.read_on()
            for line in lines:
                ((name, promise),) = json.loads(line).items()
                self.said.append(Said(name, json.dumps(promise).encode(), entries))

    @contextmanager
    def _connected(self, qemu: subprocess.Popen[bytes]) -> Iterator[socket.socket]:
        end, pause = time.monotonic() + BOOTED_WITHIN, threading.Event()
        with socket.socket(socket.AF_UNIX) as port:
            while port.connect_ex(str(self.folder / "port")):
                assert qemu.poll() is None, (self.folder / "qemu").read_text()
                assert time.monotonic() < end, "qemu did not open its port"
                pause.wait(0.05)
            port.settimeout(BOOTED_WITHIN)
            yield port

    def _console(self) -> str:
        return (self.folder / "console").read_text(errors="replace")[-3000:]

    def _command(self) -> list[str]:
        image = Path(os.environ["RIG_MACHINE"])
        command = ["nice", "-n", "10", "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "qemu64", "-m", "768"]
        command += ["-display", "none", "-nodefaults", "-no-reboot", "-serial", f"file:{self.folder / 'console'}"]
        command += ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img")]
        command += ["-append", "root=/dev/vda rw console=ttyS0 panic=-1 quiet systemd.show_status=0"]
        command += ["-drive", f"file={image / 'root.img'},if=virtio,format=raw,snapshot=on"]
        command += ["-drive", f"file={os.environ['RIG_MEDIUM']},if=virtio,format=raw,read-only=on"]
        logged = f"file.driver=raw,file.file.filename={self.data},log.driver=raw,log.file.filename={self.log.path}"
        command += ["-drive", f"driver=blklogwrites,{logged},log-sector-size=512,if=virtio,cache=writeback"]
        command += ["-device", "virtio-serial", "-device", "virtserialport,chardev=rig,name=rig"]
        return [*command, "-chardev", f"socket,id=rig,path={self.folder / 'port'},server=on,wait=off"]


@dataclass
class Findings:
    """What was wrong, by queue."""

    looked: int = 0
    broken: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class Bench:
    """A place where disks are looked at."""

    def __init__(self, folder: Path) -> None:
        self._disk, self._mount = folder / "look.img", folder / "mount"
        self._mount.mkdir()

    def look(self, image: bytes, promises: dict[str, Promises], findings: Findings) -> None:
        """Mount it, which lets ext4 put itself in order, and open both queues."""
        self._disk.write_bytes(image)
        subprocess.run(["mount", "-o", "loop", self._disk, self._mount], check=True)
        try:
            findings.looked += 1
            for name, made in promises.items():
                complaint = kept(self._mount / name, made, Clock()) if made.claimed else ""
                if complaint:
                    findings.broken[name].append(complaint)
        finally:
            subprocess.run(["umount", self._mount], check=True)


def promised(said: list[Said], entries: float, before: dict[str, Promises] | None = None) -> dict[str, Promises]:
    """What had certainly been promised when the log had so many entries."""
    known = before or {"sound": Promises(), "sloppy": Promises()}
    heard = [each for each in said if each.entries <= entries]
    return {name: made.and_then([each.promise for each in heard if each.name == name]) for name, made in known.items()}


@pytest.fixture
def ram() -> Iterator[Path]:
    folder = RAM / f"powercut-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.timeout(3600)  # mostly of waiting for three boots
def test_nothing_that_was_promised_is_lost(ram: Path, tmp_path: Path, proof: Callable[[str], None]) -> None:
    chance = random.Random(20261212)  # noqa: S311 - repeatable, no secret
    data, bench = ram / "data.img", Bench(ram)
    data.write_bytes(bytes(DISK_MIB << 20))
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", str(data)], check=True)
    empty = ram / "empty.img"
    shutil.copyfile(data, empty)
    killed, known = Findings(), promised([], 0)
    lives: list[Life] = []
    for number in range(KILLS):
        life = Life(_folder(tmp_path, number), data, WriteLog(ram / f"log.{number}"))
        life.log.path.touch()
        life.live_and_die(chance)
        life.log.read_on()
        life.log.check()
        known = promised(life.said, float("inf"), known)
        bench.look(data.read_bytes(), known, killed)
        lives.append(life)
    sold = len(known["sound"].sold)
    proof(f"power cuts, SIGKILL: {killed.looked}, {sold} sales promised, {len(killed.broken['sound'])} cuts lost any")

    first = lives[0]
    replayed = _replay(first, Replay(first.log, empty, ram / "replay.img"), bench, chance)
    proof(
        f"power cuts, replayed from the write log: {replayed.looked}, {len(replayed.broken['sound'])} lost any;"
        f" control with synchronous=NORMAL: {len(replayed.broken['sloppy'])}"
    )
    assert killed.broken["sound"] + replayed.broken["sound"] == []
    assert replayed.looked >= CUTS
    assert any("acknowledged sales lost" in complaint for complaint in replayed.broken["sloppy"])


def _replay(life: Life, replay: Replay, bench: Bench, chance: random.Random) -> Findings:
    """Cuts from the first promise on."""
    findings: Findings = Findings()
    for cut, image in replay.cuts(CUTS, life.said[0].entries, chance):
        bench.look(image, promised(life.said, cut), findings)
    return findings


def _folder(tmp_path: Path, number: int) -> Path:
    folder = tmp_path / str(number)
    folder.mkdir()
    return folder
