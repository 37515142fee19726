"""The server as a process of its own, and the command beside it, as people and init systems use them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from loyalty_server.cli import main

from .documents import club
from .storages import Storage

COMMAND = Path(sys.executable).with_name("tillmate-server")
PROGRAMME = club(starts_at="2025-01-01T00:00:00+03:00")


@dataclass
class Shell:
    """A data folder and the command on it."""

    folder: Path
    storage: Storage
    command: Path = COMMAND
    programme: str = PROGRAMME
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """What the servers have said on stderr."""
        return self.folder.parent / "server.log"

    def __call__(self, *words: str, code: int = 0) -> str:
        """What a command says: in this process, because a new one takes a second each."""
        done = CliRunner().invoke(main, [*words, "--data", str(self.folder)])
        assert done.exit_code == code, (words, done.output, done.exception)
        return done.stdout if code == 0 else done.stderr

    def init(self, programme: str = PROGRAMME, code: int = 0, *more: str) -> str:
        file = self.folder.parent / "programme.toml"
        file.write_text(programme)
        words = ("--programme", str(file), "--store", "S1:First", "--till", "S1:1", *more)
        if not self.folder.exists():
            words += self.storage.words()
        return self("init", *words, code=code)

    def run(self, *words: str) -> tuple[subprocess.Popen[str], str]:
        with self.log.open("a") as log:  # a pipe that nobody reads would stop the server
            process = subprocess.Popen(
                [COMMAND, "run", "--data", str(self.folder), "--listen", "127.0.0.1:0", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.running.append(process)
        assert process.stdout is not None
        ready = re.fullmatch(r"ready url=(http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
        assert ready, self.log.read_text()
        return process, ready[1]


@pytest.fixture
def shell(tmp_path: Path, storage: Storage) -> Iterator[Shell]:
    shell = Shell(tmp_path / "data", storage)
    yield shell
    for process in shell.running:
        process.kill()
        process.communicate()
