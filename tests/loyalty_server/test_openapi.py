"""openapi.json says what the server does: same calls, same messages, and no answer that it does not name."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

from starlette.routing import Route

from loyalty_server import openapi

if TYPE_CHECKING:
    from conftest import Shop, Till

FILE = resources.files("loyalty_server").joinpath("openapi.json").read_text(encoding="utf-8")


def test_the_file_is_the_one_that_the_calls_give() -> None:
    assert openapi.text() == FILE, "run python -m loyalty_server.openapi loyalty_server/openapi.json"


def test_every_route_is_described_and_nothing_else(shop: Shop) -> None:
    apps = (shop.front.app, shop.front.admin)
    routes = [route for app in apps for route in app.routes if isinstance(route, Route)]
    served = {
        (method, route.path_format.replace("/E/", "/e/"))
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    document = json.loads(FILE)
    described = {(method.upper(), path) for path, calls in document["paths"].items() for method in calls}
    assert served == described


def test_it_is_served(shop: Shop) -> None:
    response = shop.http.get(f"{shop.url}/openapi.json")
    assert (response.headers["content-type"], response.json()) == ("application/json", json.loads(FILE))


def test_every_reference_leads_somewhere() -> None:
    document = json.loads(FILE)
    names = {part.split('"')[0] for part in FILE.split("#/components/schemas/")[1:]}
    assert names == names & set(document["components"]["schemas"])


def test_what_the_server_answers_is_named(till: Till) -> None:
    """A small walk through good and bad requests; each status must be in the document."""
    document = json.loads(FILE)["paths"]
    walk = [
        ("GET", "/v1/programme", {}),
        ("GET", "/v1/members/changes", {"params": {"since": "x.1"}}),
        ("GET", "/v1/members/changes", {}),
        ("POST", "/v1/events", {"data": b"{"}),
        ("POST", "/v1/events", {"data": b"", "headers": {"Content-Encoding": "br"}}),
        ("POST", "/v1/heartbeat", {"data": b"[]"}),
        ("POST", "/v1/devices", {"data": b"{}"}),
        ("GET", "/healthz", {}),
    ]
    for method, path, more in walk:
        response = till.ask(method, path, **more)
        answers = document[path][method.lower()]["responses"]
        assert str(response.status_code) in answers, (method, path, response.status_code)
        assert response.headers["content-type"] in answers[str(response.status_code)]["content"]
    bad = till.shop.http.get(f"{till.shop.url}/v1/programme")
    assert str(bad.status_code) in document["/v1/programme"]["get"]["responses"]


def test_unknown_paths_and_methods_are_problems(shop: Shop) -> None:
    for method, path, code in (
        ("GET", "/v1/nothing", "not_found"),
        ("DELETE", "/v1/events", "method_not_allowed"),
        ("GET", "/texts/ru/personal_data/99", "not_found"),
        ("GET", f"/texts/ru/personal_data/{'9' * 5000}", "not_found"),
        ("GET", "/texts/ru/../1", "not_found"),
    ):
        response = shop.http.request(method, shop.url + path)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == code
