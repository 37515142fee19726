"""The admin socket: codes and status for the owner and root, for nobody else."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.api.admin_socket import AdminSocket, AdminUnreachable, CommandRefused, SocketUnusable, call, commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Shop

NOBODY = 65534


@pytest.fixture
def path() -> Iterator[Path]:
    """In a folder that other users may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "admin.sock"


@pytest.fixture
def running(path: Path, shop: Shop) -> Iterator[Callable[..., None]]:
    """Run an admin socket on `path`."""
    stop, threads = threading.Event(), []

    def run(users: frozenset[int] | None = None) -> None:
        admin = AdminSocket(path, commands(shop.backend, shop.port), users)
        admin.bind()
        threads.append(threading.Thread(target=admin.run, args=(stop,), daemon=True))
        threads[-1].start()

    yield run
    stop.set()
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive()
    assert not path.exists()


def test_a_code_from_the_socket_pairs(running: Callable[..., None], path: Path, shop: Shop) -> None:
    running()
    answer = call(path, {"do": "pairing_code", "till": "1"})
    assert answer["url"] == f"http://127.0.0.1:{shop.port}/pair#{answer['code']}"
    assert answer["valid_seconds"] == 300
    reply = shop.ask("POST", "/v1/pairing", {"code": answer["code"]}, token=None)
    assert (reply.status, "set-cookie" in reply.headers) == (201, True)
    answer = call(path, {"do": "pairing_code", "till": "2", "for": "pos"})
    reply = shop.ask("POST", "/v1/pairing", {"code": answer["code"]}, token=None)
    assert (reply.status, "set-cookie" in reply.headers) == (201, False)


def test_status_is_the_same_as_over_http(running: Callable[..., None], path: Path) -> None:
    running()
    status = call(path, {"do": "status"})["status"]
    assert status == {"version": "0", "device": "d1", "store": "S1", "parts": [], "queue": {
        "pending": 3, "oldest_at": None, "rejected": 0, "last_seq": 7,
    }}  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"do": "pairing_code", "till": "9"}, "till_unknown"),
        ({"do": "pairing_code"}, "till_unknown"),
        ({"do": "pairing_code", "till": "1", "for": "admin"}, "holder_unknown"),
        ({"do": "halt"}, "command_unknown"),
        ({}, "command_unknown"),
    ],
)
def test_what_cannot_be_done_is_said(
    running: Callable[..., None], path: Path, request_: dict[str, object], code: str
) -> None:
    running()
    with pytest.raises(CommandRefused) as caught:
        call(path, request_)
    assert caught.value.reason == code


def test_rubbish_and_silence_do_not_stop_it(running: Callable[..., None], path: Path) -> None:
    running()
    with Client(str(path)) as connection:
        connection.send_bytes(b"{")
        assert b"bad_json" in connection.recv_bytes()
    with Client(str(path)) as connection, pytest.raises((EOFError, ConnectionError)):
        send_too_much(connection)
    with socket.socket(socket.AF_UNIX) as half:
        half.connect(str(path))
        half.sendall(b"\x00\x00")
        assert call(path, {"do": "status"})


def send_too_much(connection: Connection) -> None:
    """The peer hangs up while this is still being written, or right after."""
    connection.send_bytes(b" " * 100_000)
    connection.recv_bytes()


def test_no_agent_is_said_in_words(path: Path) -> None:
    with pytest.raises(AdminUnreachable) as caught:
        call(path, {"do": "status"})
    assert caught.value.key == "error.admin_unreachable"


def test_a_left_over_socket_is_replaced(running: Callable[..., None], path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(AdminUnreachable):
        call(path, {"do": "status"})
    running()
    assert call(path, {"do": "status"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_cannot_hold_a_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(SocketUnusable) as caught:
        AdminSocket(tmp_path / ("x" * 100) / "admin.sock", {}).bind()
    assert caught.value.code == "state_folder"


def test_a_user_who_is_not_listed_is_refused(running: Callable[..., None], path: Path) -> None:
    running(frozenset({os.geteuid() + 1}))
    with pytest.raises(AdminUnreachable):
        call(path, {"do": "status"})


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_another_user_of_this_machine_is_refused(running: Callable[..., None], path: Path) -> None:
    """Even with the file mode out of the way the kernel's word counts."""
    running()
    path.chmod(0o777)
    script = (
        "import sys; from multiprocessing.connection import Client\n"
        "connection = Client(sys.argv[1])\n"
        'connection.send_bytes(b\'{"do": "status"}\')\n'
        "print(connection.recv_bytes())\n"
    )
    python = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, "-I", "-c")
    if subprocess.run((*python, "pass"), capture_output=True, check=False).returncode:
        pytest.skip(f"{sys.executable} cannot be run by another user")
    run = subprocess.run((*python, script, str(path)), capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert re.search(r"ConnectionResetError|BrokenPipeError|EOFError", run.stderr)
    assert run.stdout == ""
    assert call(path, {"do": "status"})
