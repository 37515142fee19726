"""Who may ask, over raw sockets: every row is one request and the first check that must say no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.api.guard import Guard, Rule
from agent.api.pairing import Pairing
from agent.api.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Shop

ALLOWED = "https://pos.example"
JSON = b'{"code":"29"}'


@pytest.fixture(scope="module")
def till_shop(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """One shop for all rows: no row may leave anything behind."""
    shop = request.getfixturevalue("shop_type")(tmp_path_factory.mktemp("guard"), allowed_origins=(ALLOWED,))
    shop.open()
    yield shop
    shop.close()


def request(shop: Shop, line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request with {port} and {token} filled in; headers are written exactly as they stand, duplicates too."""
    token = shop.token()
    filled = [text.format(port=shop.port, token=token) for text in (line, *headers)]
    return "\r\n".join([*filled, "", ""]).encode("latin-1") + body


HOST = "Host: 127.0.0.1:{port}"
GET = "GET /v1/status HTTP/1.1"
BEARER = "Authorization: Bearer {token}"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:{port}", "localhost:{port}"],
)
def test_our_own_hosts_pass(till_shop: Shop, host: str) -> None:
    assert till_shop.raw(request(till_shop, GET, f"Host: {host}", BEARER)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "attacker.test",
        "attacker.test:{port}",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:80",
        "127.0.0.1:0{port}",
        "127.0.0.1.:{port}",
        "127.0.0.1:{port}.",
        "127.0.0.1:{port}@attacker.test",
        "user@127.0.0.1:{port}",
        "user:secret@127.0.0.1:{port}",
        "127.0.0.1:{port},attacker.test",
        "127.0.0.1:{port} attacker.test",
        "127.0.0.1.attacker.test:{port}",
        "attacker.test#127.0.0.1:{port}",
        "http://127.0.0.1:{port}",
        "127.1:{port}",
        "127.0.0.2:{port}",
        "0.0.0.0:{port}",
        "2130706433:{port}",
        "0x7f.0.0.1:{port}",
        "[::1]:{port}",
        "[::1]",
        "[::ffff:127.0.0.1]:{port}",
        "localhost",
        "localhost.:{port}",
        "LOCALHOST:{port}",
        "localhost.localdomain:{port}",
        "localhost%00:{port}",
    ],
)
def test_any_other_host_is_misdirected(till_shop: Shop, host: str) -> None:
    """421 comes before everything: a foreign origin and a missing token are not even looked at."""
    reply = till_shop.raw(request(till_shop, GET, f"Host: {host}", "Origin: https://attacker.test"))
    assert (reply.status, reply.code) == (421, "host")


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET http://127.0.0.1:{port}/v1/status HTTP/1.1", (HOST,), 421),
        ("GET http://attacker.test/v1/status HTTP/1.1", (HOST,), 421),
        ("GET http://127.0.0.1:{port}/v1/status HTTP/1.1", ("Host: attacker.test",), 421),
        ("OPTIONS * HTTP/1.1", (HOST,), 421),
        ("CONNECT 127.0.0.1:{port} HTTP/1.1", (HOST,), 421),
        ("GET /v1/status HTTP/1.0", (), 421),
        ("GET /v1/status HTTP/1.0", ("Host: attacker.test",), 421),
        ("GET /v1/status HTTP/1.1", (), 400),
        ("GET /v1/status HTTP/1.1", (HOST, HOST), 400),
        ("GET /v1/status HTTP/1.1", (HOST, "Host: attacker.test"), 400),
        ("GET /v1/status HTTP/1.1", ("Host: attacker.test", HOST), 400),
        ("GET /v1/status HTTP/1.1", ("Host : 127.0.0.1:{port}",), 400),
    ],
)
def test_targets_and_doubled_hosts(till_shop: Shop, line: str, headers: tuple[str, ...], status: int) -> None:
    assert till_shop.raw(request(till_shop, line, *headers, BEARER)).status == status


POST = "POST /v1/tills/1/identify HTTP/1.1"
TYPE = "Content-Type: application/json"
LENGTH = f"Content-Length: {len(JSON)}"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        # No Origin: programs that are not browsers
        ((TYPE,), 200, ""),
        # Our own pages, and the one that the configuration names
        (("Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: same-origin", TYPE), 200, ""),
        (("Origin: http://localhost:{port}", TYPE), 200, ""),
        ((f"Origin: {ALLOWED}", "Sec-Fetch-Site: cross-site", TYPE), 200, ""),
        # Everybody else
        (("Origin: null", TYPE), 403, "origin"),
        (("Origin: ", TYPE), 403, "origin"),
        (("Origin: https://attacker.test", TYPE), 403, "origin"),
        (("Origin: http://127.0.0.1", TYPE), 403, "origin"),
        (("Origin: http://127.0.0.1:1", TYPE), 403, "origin"),
        (("Origin: http://127.0.0.1:{port}0", TYPE), 403, "origin"),
        (("Origin: http://127.0.0.1:{port}/", TYPE), 403, "origin"),
        (("Origin: https://127.0.0.1:{port}", TYPE), 403, "origin"),
        (("Origin: http://127.0.0.1:{port}.attacker.test", TYPE), 403, "origin"),
        (("Origin: http://attacker.test:{port}", TYPE), 403, "origin"),
        ((f"Origin: {ALLOWED}:443", TYPE), 403, "origin"),
        ((f"Origin: {ALLOWED}.attacker.test", TYPE), 403, "origin"),
        (("Origin: http://127.0.0.1:{port}", "Origin: https://attacker.test", TYPE), 403, "origin"),
        (("Origin: http://127.0.0.1:{port} https://attacker.test", TYPE), 403, "origin"),
        # A browser that hides where it comes from
        (("Sec-Fetch-Site: same-origin", TYPE), 403, "no_origin"),
        (("Sec-Fetch-Site: cross-site", TYPE), 403, "no_origin"),
        (("Sec-Fetch-Mode: navigate", TYPE), 403, "no_origin"),
        (("Sec-Fetch-Dest: document", TYPE), 403, "no_origin"),
        # What a form or a simple cross-site fetch can send
        ((), 415, "not_json"),
        (("Content-Type: text/plain",), 415, "not_json"),
        (("Content-Type: application/x-www-form-urlencoded",), 415, "not_json"),
        (("Content-Type: multipart/form-data; boundary=application/json",), 415, "not_json"),
        (("Content-Type: application/jsonx",), 415, "not_json"),
        (("Content-Type: text/plain; application/json",), 415, "not_json"),
        (("Content-Type: application/json", "Content-Type: text/plain"), 415, "not_json"),
        (("Content-Type: Application/JSON; charset=utf-8",), 200, ""),
        # Origin before type
        (("Origin: https://attacker.test", "Content-Type: text/plain"), 403, "origin"),
    ],
)
def test_unsafe_methods(till_shop: Shop, headers: tuple[str, ...], status: int, code: str) -> None:
    before = len(till_shop.tills["1"].posted)
    reply = till_shop.raw(request(till_shop, POST, HOST, BEARER, LENGTH, *headers, body=JSON))
    assert (reply.status, reply.code if code else "") == (status, code)
    assert len(till_shop.tills["1"].posted) - before == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 200),
        (("Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"), 200),
        (("Sec-Fetch-Site: same-origin",), 200),
        (("Origin: http://127.0.0.1:{port}",), 200),
        (("Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: image"), 403),
        (("Sec-Fetch-Site: same-site", "Sec-Fetch-Dest: script"), 403),
        (("Origin: https://attacker.test",), 403),
        (("Origin: null",), 403),
        (("Origin: http://127.0.0.1:9",), 403),
    ],
)
def test_reading_by_a_browser(till_shop: Shop, headers: tuple[str, ...], status: int) -> None:
    """Another port of 127.0.0.1 is the same *site*: its images and scripts would carry our cookie."""
    assert till_shop.raw(request(till_shop, GET, HOST, BEARER, *headers)).status == status


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /nothing HTTP/1.1", 404),
        ("GET /v1/tills/1 HTTP/1.1", 404),
        ("GET /v1/tills/1/2/events HTTP/1.1", 404),
        ("GET //v1/status HTTP/1.1", 404),
        ("GET /v1/../v1/status HTTP/1.1", 404),
        ("GET /screen/../routes.py HTTP/1.1", 404),
        ("GET /screen/..%2froutes.py HTTP/1.1", 404),
        ("GET /screen/till.html HTTP/1.1", 404),
        ("GET /v1/pairing HTTP/1.1", 405),
        ("GET /v1/tills/1/identify HTTP/1.1", 405),
        ("DELETE /v1/status HTTP/1.1", 405),
        ("DELETE /v1/tills/1/events HTTP/1.1", 405),
    ],
)
def test_calls_that_do_not_exist(till_shop: Shop, line: str, status: int) -> None:
    assert till_shop.raw(request(till_shop, line, HOST, BEARER)).status == status


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 401, "no_token"),
        ("Authorization: ", 401, "no_token"),
        ("Authorization: Basic {token}", 401, "no_token"),
        ("Authorization: {token}", 401, "no_token"),
        ("Authorization: Bearer", 401, "no_token"),
        ("Authorization: Bearer " + "A" * 43, 401, "bad_token"),
        ("Authorization: Bearer {token}x", 401, "bad_token"),
        ("Authorization: Bearer {token} {token}", 401, "bad_token"),
        ("Authorization: Bearer \xff\xfe", 401, "bad_token"),
        ("Cookie: tillmate=nonsense", 401, "bad_token"),
        ("Cookie: other={token}", 401, "no_token"),
        ("Cookie: tillmate={token}", 200, ""),
        ("authorization: bearer {token}", 200, ""),
    ],
)
def test_tokens(till_shop: Shop, header: str | None, status: int, code: str) -> None:
    reply = till_shop.raw(request(till_shop, GET, HOST, *([header] if header else [])))
    assert (reply.status, reply.code if code else "") == (status, code)
    assert ("www-authenticate" in reply.headers) == (status == 401)


def test_a_token_never_travels_in_the_address(till_shop: Shop) -> None:
    token = till_shop.token()
    for query in (f"token={token}", f"access_token={token}", f"tillmate={token}"):
        assert till_shop.ask("GET", f"/v1/status?{query}", token=None).status == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/tills/1/basket", {"lines": []}),
        ("DELETE", "/v1/tills/1/basket", None),
        ("POST", "/v1/tills/1/sales", {}),
        ("POST", "/v1/tills/1/enrolments", {}),
    ],
)
def test_a_screen_may_only_watch(till_shop: Shop, method: str, path: str, body: object) -> None:
    screen = till_shop.token("1", "screen")
    cookie = {"token": None, "Cookie": f"tillmate={screen}"}
    assert till_shop.ask("HEAD", "/v1/tills/1/events", **cookie).status == 200
    reply = till_shop.ask(method, path, body, **cookie)
    assert (reply.status, reply.code) == (403, "scope")


def test_another_tills_token_or_cookie_is_refused(till_shop: Shop) -> None:
    second = till_shop.token("2", "screen")
    for given in ({"token": second}, {"token": None, "Cookie": f"tillmate={second}"}):
        assert till_shop.ask("HEAD", "/v1/tills/2/events", **given).status == 200
        stream = till_shop.ask("GET", "/v1/tills/1/events", **given)
        assert (stream.status, stream.code) == (403, "other_till")
    assert till_shop.ask("POST", "/v1/tills/1/identify", {"code": "1"}, till_shop.token("2")).code == "other_till"


def test_bad_tokens_never_lock(till_shop: Shop) -> None:
    for _ in range(50):
        assert till_shop.ask("GET", "/v1/status", token="guess").status == 401
    assert till_shop.ask("GET", "/v1/status").status == 200


def test_reading_changes_nothing(till_shop: Shop) -> None:
    """Every safe call, as GET and as HEAD, with every right: no till hears of it."""
    before = [len(till.posted) for till in till_shop.tills.values()]
    for path in ("/v1/status", "/healthz", "/readyz", "/openapi.json", "/till/1", "/pair", "/screen/till.js"):
        for method in ("GET", "HEAD"):
            assert till_shop.ask(method, path).status == 200
    assert [len(till.posted) for till in till_shop.tills.values()] == before


@pytest.mark.parametrize("path", ["/till/1", "/v1/status", "/nothing", "/screen/till.js", "/openapi.json"])
def test_every_answer_carries_the_headers_and_no_leave_for_others(till_shop: Shop, path: str) -> None:
    headers = till_shop.ask("GET", path, Origin=ALLOWED).headers
    policy = headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
    )
    assert policy.endswith(f"frame-ancestors {ALLOWED}")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control")]
    assert "server" not in headers


def test_a_preflight_is_not_answered_with_leave(till_shop: Shop) -> None:
    lines = (f"Origin: {ALLOWED}", "Access-Control-Request-Method: POST", "Content-Type: application/json")
    reply = till_shop.raw(request(till_shop, "OPTIONS /v1/tills/1/identify HTTP/1.1", HOST, *lines))
    assert reply.status == 405
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_nobody_may_frame_the_page_unless_the_configuration_says_so(shop: Shop) -> None:
    assert shop.ask("GET", "/till/1").headers["content-security-policy"].endswith("frame-ancestors 'none'")


def test_refusals_are_counted(tmp_path: Path, clock: object) -> None:
    """The counter is what a metric reads; the app behind is not reached."""

    async def never(*_: object) -> None:
        raise AssertionError

    find = Pairing(Tokens(tmp_path / "tokens.json"), clock).grant
    guard = Guard(never, port=1, allowed_origins=(), rules=[Rule("GET", "/a", None)], find=find)
    for host in (b"a:1", b"b:1"):
        run(guard, [(b"host", host)])
    run(guard, [(b"host", b"127.0.0.1:1"), (b"origin", b"null")])
    assert guard.refused == {"host": 2, "origin": 1}


def run(guard: Callable[..., object], headers: list[tuple[bytes, bytes]]) -> None:
    scope = {"type": "http", "method": "GET", "path": "/a", "raw_path": b"/a", "query_string": b"", "headers": headers}
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    answer = guard(scope, None, send)
    with pytest.raises(StopIteration):
        answer.send(None)
    assert sent[0]["status"] in (403, 421)
