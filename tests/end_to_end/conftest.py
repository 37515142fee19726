"""The demo as a process: started as a visitor starts it, ended as Ctrl-C ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer

import pytest

TILLMATE = str(Path(sys.executable).with_name("tillmate"))


class Demo:
    """A running `tillmate demo`."""

    def __init__(self, language: str, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [TILLMATE, "demo", "--language", language],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        self._watchdog = Timer(90, self._kill)
        self._watchdog.start()
        self.address = self._ready()

    def press_ctrl_c(self) -> int:
        """What a terminal does: SIGINT to every process. Returns the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(10)

    def close(self) -> None:
        """End whatever is left of it."""
        self._watchdog.cancel()
        self._kill()
        self.process.communicate()

    def left(self) -> list[str]:
        """What it has left behind: processes of its group, and files."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 0)
            return ["a process"]
        return [path.name for path in self.folder.iterdir()]

    def _ready(self) -> str:
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if found := re.search(r"ready: (http://[\d.:]+)", said):
                return found.group(1)
        raise AssertionError(f"the demo ended before it was ready: {said}")

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder near the root: the address of a Unix socket has 107 letters at the most."""
    with tempfile.TemporaryDirectory(prefix="shop-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def demo(short_path: Path) -> Iterator[Callable[[str], Demo]]:
    """`demo(language)` opens a shop; it is closed after the test."""
    opened: list[Demo] = []

    def open_shop(language: str) -> Demo:
        opened.append(Demo(language, short_path))
        return opened[-1]

    yield open_shop
    for shop in opened:
        shop.close()
