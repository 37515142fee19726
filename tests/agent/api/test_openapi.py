"""openapi.json is what the code says, and the code says what openapi.json says."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
import pytest

from agent.api import openapi
from agent.api.routes import CALLS, Call
from agent.messages import CancelBasket, CommitSale, Enrol, Identify, PutBasket
from agent.views import Cancelled, Enrolled, Identified, Quoted, SaleAnswer, SlipData, Sold, View

from .answers import QUOTE

if TYPE_CHECKING:
    from conftest import Shop

    from agent.messages import Answer, PosCall

TYPES = {"string": str, "integer": int, "boolean": bool, "null": type(None), "array": list, "object": dict}
SOLD = Sold(sale_id="s1", seq=1, earned=10, redeemed=0, balance_after=None, job=None, token="T")
BODIES = {
    "identify": {"code": "29"},
    "put_basket": {"lines": [{"sum": 1000}], "redeem": "max"},
    "commit_sale": {
        "quote_id": "q",
        "redeemed": 0,
        "receipt": {"business_day": "2026-11-21", "shift": "1", "number": "1"},
        "prints": "none",
    },
    "enrol": {},
    "decide": {"decision": "leave"},
    "pair": {"code": "AAAAAAAAAA"},
}


def test_the_checked_in_file_is_what_the_code_prints() -> None:
    """Mend with: python -m agent.api.openapi > agent/api/openapi.json"""
    assert files("agent.api").joinpath("openapi.json").read_text(encoding="utf-8") == openapi.text()


def test_it_is_served(shop: Shop) -> None:
    served = json.loads(shop.ask("GET", "/openapi.json", token=None).body)
    assert served == json.loads(openapi.text())
    assert served["openapi"].startswith("3.1.")


def test_every_reference_leads_somewhere() -> None:
    text = openapi.text()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert names
    assert names == set(openapi.document()["components"]["schemas"])


def test_a_call_that_needs_a_token_says_so() -> None:
    for call in CALLS:
        operation = openapi.document()["paths"][call.path][call.method.lower()]
        assert bool(operation["security"]) == (call.scope is not None)
        assert operation["responses"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_real_answers_are_what_the_description_promises(shop: Shop, call: Call) -> None:
    """A right call, one without a token, and one with a bad body: each status is described, each body fits its schema."""
    for till in shop.tills.values():
        till.answer = answer
    shop.status.set("printer", "receipt", "warning", "screen.no_news")
    path = call.path.format(till="1", name="till.js", job="7") if "{" in call.path else call.path
    body = BODIES.get(call.handler.__name__)
    replies = [shop.ask(call.method, path, body)]
    if call.handler.__name__ == "pair":
        replies.append(shop.ask("POST", path, {"code": shop.pairing.issue("1", "pos")}))
    if call.handler.__name__ == "events":
        replies = [shop.ask("HEAD", path)]
    if call.scope:
        replies.append(shop.ask(call.method, path, body, token=None))
    if body:
        replies.append(shop.ask(call.method, path, b"{"))
        replies.append(shop.ask(call.method, path, [1]))
    for reply in replies:
        check(call, reply.status, reply.headers.get("content-type", ""), reply.body)


def answer(event: PosCall) -> Answer:
    from_till = {
        Identify: lambda: Identified("member_card", View(till="1", state="member", say={"ru": "Да", "en": "Yes"})),
        PutBasket: lambda: Quoted("q", QUOTE, {"en": "Say"}, SlipData(("a",), None)),
        CommitSale: lambda: SaleAnswer(True, SOLD),
        CancelBasket: Cancelled,
        Enrol: lambda: Enrolled("T", "HTTPS://X/E/T", None),
    }
    return from_till[type(event)]()


def check(call: Call, status: int, media: str, body: bytes) -> None:
    document = openapi.document()
    described = document["paths"][call.path][call.method.lower()]["responses"]
    assert str(status) in described, f"{status} is not described"
    content = described[str(status)].get("content")
    if not content:
        assert body == b""
        return
    (name, value), *_ = content.items()
    assert media.startswith(name.rstrip("*"))
    if "schema" in value:
        struct = call.answers[status]
        assert isinstance(struct, type)
        assert msgspec.json.decode(body, type=struct)
        errors = misfits(json.loads(body), value["schema"], document["components"]["schemas"], "$")
        assert errors == []


def misfits(value: object, schema: dict[str, object], schemas: dict[str, dict[str, object]], at: str) -> list[str]:
    """The part of JSON Schema that our structs use; unknown keys of an object are misfits here."""
    if "$ref" in schema:
        return misfits(value, schemas[str(schema["$ref"]).rpartition("/")[2]], schemas, at)
    if "anyOf" in schema:
        tries = [misfits(value, one, schemas, at) for one in schema["anyOf"]]
        return [] if [] in tries else min(tries, key=len)
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{at}: {value!r} is none of {schema['enum']}"]
    if "type" in schema and (type(value) is not TYPES[schema["type"]]):
        return [f"{at}: {value!r} is no {schema['type']}"]
    if isinstance(value, list):
        return [
            error
            for n, one in enumerate(value)
            for error in misfits(one, schema.get("items", {}), schemas, f"{at}[{n}]")
        ]
    if isinstance(value, dict):
        return _misfits_of_object(value, schema, schemas, at)
    return []


def _misfits_of_object(
    value: dict[str, object], schema: dict[str, object], schemas: dict[str, dict[str, object]], at: str
) -> list[str]:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties")
    errors = [f"{at}.{key} is missing" for key in schema.get("required", []) if key not in value]
    for key, one in value.items():
        inner = known.get(key, rest)
        errors += [f"{at}.{key} is not described"] if inner is None else misfits(one, inner, schemas, f"{at}.{key}")
    return errors
