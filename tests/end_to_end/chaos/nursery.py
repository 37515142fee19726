"""Programs that start at once, so that they can be killed often: one process has loaded them, each start is a fork.

The child is the real command from its first line on; only loading its modules (a second of two cores) is spared.

    {"start": ["tillmate", ...], "out": FILE, "log": FILE}    ->    {"pid": 123}
    {"reap": 123}                                             ->    {"code": -9}        waits for its end
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

PROGRAMS = {"tillmate": "agent.cli", "tillmate-server": "loyalty_server.cli", "toy": "toy"}
LATER = {
    "tillmate": (
        "agent.app",
        "agent.wiring",
        "drivers.scanners.serial_port",
        "drivers.printers.tcp",
        "serial.urlhandler.protocol_socket",
    ),
    "tillmate-server": ("loyalty_server.app", "loyalty_server.edge", "sqlalchemy.dialects.sqlite"),
    "toy": (),
}
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Nursery:
    """The far end: a process of this file's `main` for one program."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, command: list[str], out: Path, log: Path) -> int:
        """Begin a program; its standard output and its log are appended to files. Returns its pid."""
        return int(self._ask({"start": command, "out": str(out), "log": str(log)})["pid"])

    def reap(self, pid: int) -> int:
        """Wait for its end; how it ended, as subprocess says it."""
        return int(self._ask({"reap": pid})["code"])

    def close(self) -> None:
        """End everything."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def main() -> None:
    """Serve until the standard input ends; children end with this process."""
    program = sys.argv[1]
    sys.path.insert(0, str(Path(__file__).parent))
    command = importlib.import_module(PROGRAMS[program]).main
    for name in LATER[program]:
        importlib.import_module(name)
    for line in sys.stdin:
        match json.loads(line):
            case {"start": words, "out": out, "log": log}:
                answer = {"pid": os.fork() or be(command, words, out, log)}
            case {"reap": pid}:
                answer = {"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def be(command: Callable[[list[str]], None], words: list[str], out: str, log: str) -> NoReturn:
    """Become the program."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    for handle, path, how in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, log, os.O_WRONLY)):
        opened = os.open(path, how | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, handle)
        os.close(opened)
    sys.argv = words
    sys.exit(command(words[1:]))


if __name__ == "__main__":
    main()
