"""What a foreign page can do from the cashier's own browser: nothing."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Cashier, Shop
    from playwright.sync_api import Page, Playwright


def test_dns_rebinding_ends_at_the_host_check(
    playwright: Playwright, chromium: str, shop: Shop, look: type[Cashier]
) -> None:
    flags = [*look.flags, "--host-resolver-rules=MAP attacker.test 127.0.0.1"]
    launched = playwright.chromium.launch(executable_path=chromium, args=flags)
    page = launched.new_page()
    answer = page.goto(f"http://attacker.test:{shop.port}/till/1")
    assert answer is not None
    assert answer.status == 421
    statuses = page.evaluate(
        """async () => {
            const read = await fetch("/v1/tills/1/events");
            const write = await fetch("/v1/tills/1/identify", {
                method: "POST", headers: {"Content-Type": "application/json"}, body: '{"code": "1"}'});
            return [read.status, write.status];
        }"""
    )
    launched.close()
    assert statuses == [421, 421]
    assert shop.tills["1"].posted == []


@pytest.fixture
def foreign_site() -> Iterator[str]:
    """An empty page on another port of 127.0.0.1: another origin, but the same *site* for cookies."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{site.server_address[1]}"
        site.shutdown()
        thread.join()


ATTACK = """async (base) => {
    const tried = async (action) => { try { return await action(); } catch { return "blocked"; } };
    const once = (target, names) => new Promise((resolve) => {
        for (const name of names) target.addEventListener(name, () => resolve(name));
        setTimeout(() => resolve("silence"), 2000);
    });
    const simple = await tried(async () => (await fetch(base + "/v1/tills/1/identify", {
        method: "POST", mode: "no-cors", credentials: "include", body: '{"code": "1"}'})).type);
    const json = await tried(async () => (await fetch(base + "/v1/tills/1/identify", {
        method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}, body: '{"code": "1"}'})).status);
    const pairing = await tried(async () => (await fetch(base + "/v1/pairing", {
        method: "POST", mode: "no-cors", body: '{"code": "AAAAAAAAAA"}'})).type);
    const read = await tried(async () => (await fetch(base + "/v1/status", {credentials: "include"})).status);
    const stream = new EventSource(base + "/v1/tills/1/events", {withCredentials: true});
    const heard = await once(stream, ["view", "status", "error"]);
    stream.close();
    const image = new Image();
    image.src = base + "/v1/tills/1/events";
    const seen = await once(image, ["load", "error"]);
    const script = document.createElement("script");
    script.src = base + "/screen/till.js";
    const ran = once(script, ["load", "error"]);
    document.head.append(script);
    return {simple, json, pairing, read, heard, seen, ran: await ran};
}"""


def test_a_foreign_page_reads_nothing_and_moves_nothing(
    cashier: Cashier, shop: Shop, page: Page, foreign_site: str
) -> None:
    """The browser holds the cookie of a paired screen, and sends it: only the guard stands between."""
    shop.hub.publish("1", "view", cashier.states["member"])
    cashier.pair()
    cashier.painted("member")
    code = shop.pairing.issue("2", "screen")
    page.goto(foreign_site)
    assert page.evaluate(ATTACK, shop.address) == {
        "simple": "blocked",
        "json": "blocked",
        "pairing": "blocked",
        "read": "blocked",
        "heard": "error",
        "seen": "error",
        "ran": "error",
    }
    assert shop.tills["1"].posted == []
    assert shop.pairing.redeem(code)
    page.goto(f"{shop.address}/till/1")
    cashier.painted("member")


def test_the_page_may_not_be_framed_by_others(shop: Shop, page: Page, foreign_site: str) -> None:
    page.goto(foreign_site)
    page.evaluate(
        "(src) => { const f = document.createElement('iframe'); f.src = src; document.body.append(f); }",
        f"{shop.address}/till/1",
    )
    frame = page.frames[-1]
    with pytest.raises(Error):
        frame.wait_for_selector("#headline", timeout=1000)
