"""What people and monitoring see of the running server: one line a request, and counters, without anything personal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Phone, Shell, Shop, Till


def counted(text: str) -> dict[str, float]:
    """The samples of a page of counters by name and labels."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def meters(shop: Shop) -> dict[str, float]:
    return counted(shop.server.meters.text().decode())


def test_rows_refusals_and_codes_are_counted(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    row = till.row(till.sale(token=token))
    till.send(row, till.row("nonsense"))
    till.send(row)
    till.post(till.row(till.sale(), seq=99))
    shop.http.get(f"{shop.url}/v1/programme")
    phone.join(token)
    shop.folder.codes_file.unlink()
    shop.folder.codes_file.mkdir()
    phone.open(f"/E/{till.token()}").submit(phone="+7 916 123-45-68", personal_data="yes")
    found = meters(shop)
    for name, value in {
        "batches_total": 2,
        'rows_total{verdict="accepted"}': 1,
        'rows_total{verdict="duplicate"}': 1,
        'rows_total{verdict="rejected"}': 1,
        'rows_rejected_total{code="row_malformed"}': 1,
        'refusals_total{code="gap"}': 1,
        'refusals_total{code="bad_signature"}': 1,
        'codes_total{outcome="sent"}': 1,
        'codes_total{outcome="failed"}': 1,
        'requests_total{method="POST",route="/v1/events",status="200"}': 2,
        'request_seconds_count{route="/v1/events"}': 3,
        "requests_running": 0,
    }.items():
        assert found[f"tillmate_server_{name}"] == value, name
    assert not [name for name in found if token.lower() in name.lower() or "916" in name]


def test_a_fork_is_counted(shop: Shop, till: Till) -> None:
    till.send(till.row(till.sale()))
    till.seq, till.last = 0, b"\0" * 32
    till.post(till.row(till.sale()))
    assert meters(shop)['tillmate_server_refusals_total{code="fork"}'] == 1


def test_one_line_for_each_request_and_no_secret_in_it(
    shop: Shop, till: Till, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "loyalty_server.watch")
    token = till.token()
    phone.join(token)
    till.ask("GET", "/v1/members/changes?since=x.1")
    shop.http.get(f"{shop.url}/v1/{token}")
    shop.http.delete(f"{shop.url}/e/{token}")
    lines = [re.sub(r"ms=\d+", "ms=N", line) for line in caplog.messages if line.startswith("request ")]
    assert lines == [
        "request method=GET route=/e/{token} status=200 ms=N device=-",
        "request method=POST route=/e/{token} status=200 ms=N device=-",
        "request method=POST route=/e/{token}/confirm status=200 ms=N device=-",
        f"request method=GET route=/v1/members/changes status=410 ms=N device={till.me.device} code=refill",
        "request method=GET route=unknown status=404 ms=N device=- code=not_found",
        "request method=DELETE route=/e/{token} status=405 ms=N device=- code=method_not_allowed",
    ]
    assert token.lower() not in caplog.text.lower()


def test_a_failure_is_counted_as_one(shop: Shop, till: Till, phone: Phone) -> None:
    phone.open(f"/E/{till.token()}")
    shop.said.close()  # the sender has no console any more
    phone.submit(phone="+7 916 123-45-67", personal_data="yes")
    found = meters(shop)
    assert found['tillmate_server_requests_total{method="POST",route="/e/{token}",status="500"}'] == 1
    assert found["tillmate_server_requests_running"] == 0


def test_counters_are_read_on_a_port_of_their_own_and_nowhere_else(
    shell: Shell, till_at: Callable[[str], Till]
) -> None:
    shell.init()
    process, url = shell.run("--metrics", "127.0.0.1:0")
    port = int(re.findall(r"^metrics port=(\d+)$", shell.log.read_text(), re.MULTILINE)[0])
    till = till_at(url)
    till.claim(shell("device", "new-code", "--store", "S1").strip())
    till.sell()
    page = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert counted(page.text)['tillmate_server_rows_total{verdict="accepted"}'] == 1
    assert requests.get(f"{url}/metrics", timeout=5).status_code == 404
    assert requests.get(f"http://127.0.0.1:{port}/v1/programme", timeout=5).status_code == 404
    process.terminate()
    assert process.wait(5) == 0


def test_one_port_cannot_be_both(shell: Shell) -> None:
    shell.init()
    with pytest.raises(AssertionError, match="must be another port"):
        shell.run("--listen", "127.0.0.1:18931", "--metrics", "127.0.0.2:18931")
