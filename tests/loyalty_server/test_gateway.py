"""Codes that leave by an HTTP gateway: a real peer that takes, refuses, hangs up or says nothing."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from loyalty_server.enrolment.gateway import ATTEMPTS, load_gateway
from loyalty_server.enrolment.sender import SendFailed

if TYPE_CHECKING:
    from conftest import Phone, Shell, Till

SECRET = "s3cret-of-the-gateway"
NOW = datetime(2026, 12, 12, tzinfo=UTC)
JSON = '{"to": "{phone}", "text": "{text}"}'


@dataclass
class Peer:
    """Answers with these statuses one after another, the last one for ever; 0 = takes the message and hangs up."""

    statuses: list[int] = field(default_factory=lambda: [200])
    says: str = '{"status":"queued"}'
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.seen]

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers["Content-Length"]))
        self.seen.append(({name.lower(): value for name, value in asked.headers.items()}, body))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if not status:
            asked.connection.shutdown(socket.SHUT_RDWR)
            return
        said = self.says.encode()
        asked.send_response(status)
        asked.send_header("Location", "http://127.0.0.1:1/elsewhere")
        asked.send_header("Content-Length", str(len(said)))
        asked.end_headers()
        asked.wfile.write(said)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            peer.answer(self)

        def log_message(self, *_: object) -> None:
            """The test says what went wrong."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        peer.url = f"http://127.0.0.1:{server.server_address[1]}/send"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield peer
        server.shutdown()
        thread.join()


def written(folder: Path, url: str, body: str = JSON, **more: str) -> Path:
    """A gateway file with its secret beside it."""
    (folder / "gateway.secret").write_text(SECRET + "\n")
    lines = {
        "url": url,
        "body": body,
        "header": "X-Key",
        "header_value": "Key {secret}",
        "secret_file": "gateway.secret",
    }
    file = folder / "gateway.toml"
    file.write_text("".join(f"{name} = '''{value}'''\n" for name, value in {**lines, **more}.items() if value))
    return file


def send(file: Path, text: str = "Код 123456", stop: threading.Event | None = None) -> None:
    load_gateway(file, stop or threading.Event()).send("+79161234567", "123456", text, NOW)


def test_a_message_leaves_with_the_secret_in_its_header(peer: Peer, tmp_path: Path) -> None:
    text = 'Код 123456: "никому"\n\\'
    send(written(tmp_path, peer.url), text)
    ((headers, body),) = peer.seen
    assert json.loads(body) == {"to": "+79161234567", "text": text}
    assert (headers["x-key"], headers["content-type"]) == (f"Key {SECRET}", "application/json; charset=utf-8")


def test_a_form_is_written_as_one(peer: Peer, tmp_path: Path) -> None:
    form = "to={digits}&msg={text}&code={code}"
    send(written(tmp_path, peer.url, form, content_type="application/x-www-form-urlencoded"), "а&b=c +")
    assert parse_qs(peer.bodies[0].decode()) == {"to": ["79161234567"], "msg": ["а&b=c +"], "code": ["123456"]}


@pytest.mark.parametrize(
    ("statuses", "key", "sent", "asked"),
    [
        ([503, 429, 200], "", True, 3),  # not taken: once more
        ([503], "", False, ATTEMPTS),
        ([500, 200], "", False, 1),  # perhaps taken: a second code would confuse, and cost
        ([0, 200], "", False, 1),
        ([500, 0, 200], "Idempotency-Key", True, 3),  # the gateway knows repetitions
        ([400, 200], "Idempotency-Key", False, 1),
        ([302, 200], "", False, 1),  # a redirect would carry the secret to somebody else
    ],
)
def test_it_is_repeated_only_where_that_is_safe(
    peer: Peer, tmp_path: Path, statuses: list[int], key: str, sent: bool, asked: int
) -> None:
    peer.statuses = statuses
    file = written(tmp_path, peer.url, idempotency_header=key)
    if sent:
        send(file)
    else:
        with pytest.raises(SendFailed):
            send(file)
    assert len(peer.seen) == asked
    assert len({headers.get("idempotency-key") for headers, _ in peer.seen}) == 1


def test_an_answer_that_says_no_is_a_failure(peer: Peer, tmp_path: Path) -> None:
    file = written(tmp_path, peer.url, answer_has='"status":"queued"')
    send(file)
    peer.says = '{"status":"ERROR"}'
    with pytest.raises(SendFailed, match="does not say"):
        send(file)


def test_a_gateway_that_is_not_there_ends_and_a_stop_ends_it_at_once(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        file = written(tmp_path, f"http://127.0.0.1:{unused.getsockname()[1]}/")
        with pytest.raises(SendFailed, match="the connection failed"):
            send(file)
        stop = threading.Event()
        stop.set()
        with pytest.raises(SendFailed):
            send(file, stop=stop)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"url": "http://sms.example.org/"}, "must be https"),
        ({"body": '{"to": "{phone}", "text": {text}'}, "is not JSON"),
        ({"body": '{"to": "{phone}"}'}, "must hold"),
        ({"secret_file": ""}, "belong together"),
        ({"secret_env": "TILLMATE_NO_SUCH"}, "either secret_file or secret_env"),
        ({"secret_file": "", "secret_env": "TILLMATE_NO_SUCH"}, "the secret is empty"),
        ({"tiemout": "1"}, "tiemout"),
    ],
)
def test_mistakes_in_the_file_are_said(tmp_path: Path, more: dict[str, str], why: str) -> None:
    fields = {"url": "https://sms.example.org/", **more}
    with pytest.raises(ValueError, match=why) as said:
        send(written(tmp_path, **fields))
    assert SECRET not in str(said.value)


def test_a_secret_of_the_environment(peer: Peer, tmp_path: Path) -> None:
    file = written(tmp_path, peer.url, secret_file="", secret_env="SMS")
    load_gateway(file, threading.Event(), {"SMS": SECRET}).send("+79161234567", "1", "1", NOW)
    assert peer.seen[0][0]["x-key"] == f"Key {SECRET}"


def test_a_customer_joins_by_a_code_from_the_gateway(
    shell: Shell, till_at: Callable[[str], Till], phone_at: type[Phone], peer: Peer, tmp_path: Path
) -> None:
    shell.init()
    process, url = shell.run("--gateway", str(written(tmp_path, peer.url, '{"to": "{phone}", "code": "{code}"}')))
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    peer.statuses = [500, 200]
    phone = phone_at(till.shop).open(f"/E/{till.token()}").submit(phone="+7 916 123-45-67", personal_data="yes")
    assert "Не получилось отправить код" in phone.text
    phone.submit(phone="+7 916 123-45-67", personal_data="yes")
    phone.submit(code=json.loads(peer.bodies[-1])["code"])
    assert (phone.status, "На карте" in phone.text) == (200, True)
    process.terminate()
    out, err = process.communicate(timeout=5)[0], shell.log.read_text()
    assert "enrolment=code_not_sent phone=+7***4567 reason=status 500" in err
    for secret in (SECRET, "9161234567", peer.url, json.loads(peer.bodies[-1])["code"]):
        assert secret not in out.partition("\n")[2] + err


def test_the_log_of_a_failure_names_no_address(peer: Peer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peer.statuses = [503]
    with pytest.raises(SendFailed) as failed:
        send(written(tmp_path, f"{peer.url}?user=u&password=p"))
    assert "password" not in f"{failed.value} {caplog.text}"


def test_a_gateway_that_says_nothing_does_not_hold_up_a_stop(
    shell: Shell, till_at: Callable[[str], Till], phone_at: type[Phone], tmp_path: Path
) -> None:
    shell.init()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = written(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        process, url = shell.run("--gateway", str(file))
        till = till_at(url)
        till.claim(shell("device", "new-code", "--store", "S1").strip())
        phone = phone_at(till.shop).open(f"/E/{till.token()}")
        asking = threading.Thread(target=lambda: suppressed(phone))
        asking.start()
        taken, _ = silent.accept()
        began = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - began <= 2
        asking.join(10)
        taken.close()


def suppressed(phone: Phone) -> None:
    """Ask; the server goes away meanwhile."""
    with contextlib.suppress(OSError):
        phone.submit(phone="+7 916 123-45-67", personal_data="yes")
